"""The reference of a file, written from its schema."""

from collections.abc import Iterator
from typing import Any, Final

from adapters.toml.explain import toml_of
from adapters.toml.kinds import NAME_RULE
from adapters.toml.reference import ANY, Key, Reference

_HEAD: Final = "| key | type | default | range | meaning |\n|---|---|---|---|---|"


def described(reference: Reference) -> list[dict[str, Any]]:
    """Return every key that holds a value, as JSON values; what has no default is null."""
    return [
        {
            "table": reference.header(key.path[:-1]),
            "key": key.name,
            "type": key.type_words,
            "range": key.range_words,
            "required": key.required,
            "default": key.default,
            "meaning": key.meaning,
        }
        for key in reference.keys.values()
        if _holds_a_value(key)
    ]


def as_markdown(reference: Reference) -> str:
    """Return a section for every table, each with a table of its keys."""
    return "\n\n".join(_sections(reference))


def _sections(reference: Reference) -> Iterator[str]:
    if top := [key for key in reference.keys.values() if len(key.path) == 1 and _holds_a_value(key)]:
        yield f"## The top of the file\n\nBefore the first table.\n\n{_HEAD}\n" + "\n".join(map(_row, top))
    for path, key in reference.keys.items():
        below = [one for one in reference.keys.values() if one.path[:-1] == path and _holds_a_value(one)]
        if key.table and below:
            rows = "\n".join(map(_row, below))
            yield f"## `{reference.header(path)}`\n\n{_purpose(key)}\n\n{_HEAD}\n{rows}"


def _row(key: Key) -> str:
    default = "required" if key.required else f"`{toml_of(key.default)}`" if key.default is not None else "none"
    allowed = key.range_words.replace(NAME_RULE.words, "a name")
    cells = (f"`{key.name}`", key.type_words, default, allowed, key.meaning)
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _purpose(key: Key) -> str:
    return " ".join((key.table.__doc__ or "").split()) if key.table else ""


def _holds_a_value(key: Key) -> bool:
    return not key.table and key.path[-1] != ANY
