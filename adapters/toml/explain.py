"""Turns what pydantic says about a document into sentences with advice."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from adapters.toml.kinds import NAME_RULE
from adapters.toml.lines import Path
from adapters.toml.problems import Finding
from adapters.toml.reference import ANY, LIST_OF_TABLES, TABLES_BY_NAME, VALUE, Key, Pattern, Reference

_SECRET: Final = {"sha256", "key_env", "key_file", "postgres"}
"""Keys for which people paste what should stand elsewhere."""

_SHOWN: Final = 40
_SURE: Final = 0.8
"""Likeness of two names from which on one is a misspelling of the other, wherever it belongs."""

_LONG_BITS: Final = 128
_TYPES: Final[Mapping[type, str]] = {str: "text", bool: "a truth value", int: "a number", float: "a number"}
_WANTED: Final = {
    "text": "text in quotes",
    "number": "a number without quotes",
    "whole number": "a whole number without quotes",
    "true or false": "true or false without quotes",
    "list of texts": "a list of texts",
    "numbers by name": "a table of numbers",
    "texts by name": "a table of texts",
    VALUE: "one value",
}


def findings_of(error: ValidationError, reference: Reference) -> list[Finding]:
    """Return one finding per error of a document that the reference is of."""
    return [_finding(details, reference) for details in error.errors(include_url=False)]


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return advice for a name that is not known."""
    names = sorted(known)
    close = difflib.get_close_matches(wrong, names, n=1)
    return f'did you mean "{close[0]}"?' if close else f"known: {', '.join(names) or 'none'}"


def _finding(details: ErrorDetails, reference: Reference) -> Finding:
    path = details["loc"]
    if path[-1] == "[key]":
        return Finding(path[:-1], f"{_shown(path[-2])} is no valid name", f"a name has {NAME_RULE.words}")
    if details["type"] == "extra_forbidden":
        return _unknown(path, reference, is_table=isinstance(details["input"], Mapping))
    pattern = reference.pattern_of(path)
    key = reference.keys[pattern]
    if details["type"] == "missing":
        return Finding(path, f"{key.name} is missing {_in(key.path[:-1], reference)}", _addition(key, reference))
    return Finding(path, _sentence(path, pattern, details), _rule(key, reference))


def _unknown(path: Path, reference: Reference, *, is_table: bool) -> Finding:
    wrong, table, keys = str(path[-1]), reference.pattern_of(path)[:-1], reference.keys.values()
    message = f"unknown key {_shown(wrong)} {_in(table, reference)}"
    here = [key.name for key in keys if key.path[:-1] == table]
    if is_table and (tables := difflib.get_close_matches(wrong, here, n=1, cutoff=_SURE)):
        return Finding(path, message, did_you_mean(wrong, tables))
    meant = difflib.get_close_matches(wrong, {key.name for key in keys}, n=1, cutoff=_SURE)
    if not meant or meant[0] in here:
        return Finding(path, message, did_you_mean(wrong, here))
    home = next(key.path[:-1] for key in keys if key.name == meant[0])
    advice = f"{wrong} belongs" if meant == [wrong] else f'did you mean "{meant[0]}"? It belongs'
    return Finding(path, message, f"{advice} {_in(home, reference)}; a key belongs to the [table] above it")


def _in(table: Pattern, reference: Reference) -> str:
    return f"in {reference.header(table)}" if table else "at the top of the file"


def _sentence(path: Path, pattern: Pattern, details: ErrorDetails) -> str:
    name = str(path[-1]) if pattern[-1] != ANY else f"{path[-2]}[{path[-1]}]"
    kind, value = details["type"], details["input"]
    if kind in ("too_short", "too_long"):
        return f"{name} has {len(value)} entries, which is too {kind[4:]}"
    if kind == "int_type" and isinstance(value, float):
        return f"{name} is {value}, which is no whole number"
    if kind.endswith("_type"):
        return f"{name} is {_type_of(value)}"
    if path[-1] in _SECRET:
        return f"{name} is not what it should be (it is not shown here)"
    if kind == "finite_number":
        return f"{name} is {value}, which is no finite number"
    return f"{name} is {_shown(value)}, which is {'out of range' if 'than' in kind else 'not what it should be'}"


def _addition(key: Key, reference: Reference) -> str:
    return f"add  {_example(key)}  ({key.meaning})" if key.example is not None else _rule(key, reference)


def _rule(key: Key, reference: Reference) -> str:
    if key.table or key.type_words in (LIST_OF_TABLES, TABLES_BY_NAME):
        table = reference.header(key.path if key.path[-1] == ANY or key.type_words == "table" else (*key.path, ANY))
        return f"write {table}, with {'two brackets' if table.startswith('[[') else 'one bracket'}, once for each"
    allowed = f" ({key.range_words})" if key.range_words else ""
    example = f"; for example  {_example(key)}" if key.path[-1] != ANY else ""
    return f"write {_WANTED[key.type_words]}{allowed}{example}"


def _example(key: Key) -> str:
    return f"{key.name} = {toml_of(key.default if key.example is None else key.example)}"


def toml_of(value: object) -> str:
    """Write a value of the schema as TOML does."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return f"[{', '.join(map(toml_of, value))}]"
    if isinstance(value, int):
        return f"{value:_}" if value.bit_length() < _LONG_BITS else "a number with too many digits"
    return str(value)


def _type_of(value: object) -> str:
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list):
        return "a list"
    return f"{_shown(value)}, which is {_TYPES.get(type(value), 'a date or time')}"


def _shown(value: object) -> str:
    text = toml_of(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
