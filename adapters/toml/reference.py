"""What can be said about every key of a file: for hints of errors and for reference pages."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from adapters.toml.kinds import Rule
from adapters.toml.lines import Path

Pattern = tuple[str, ...]
"""Path of a key, with ANY for an index or for a name that the user chooses."""

ANY: Final = "*"
LIST_OF_TABLES: Final = "list of tables"
VALUE: Final = "value"
"""What may be written in several ways, which its rule tells."""
TABLES_BY_NAME: Final = "tables by name"
_TYPE_WORDS: Final[Mapping[object, str]] = {str: "text", bool: "true or false", int: "whole number", float: "number"}


@dataclass(frozen=True, slots=True)
class Key:
    """One key: how it is written, and what it may hold. `table` is the type of a table, None for a value."""

    path: Pattern
    type_words: str
    range_words: str
    meaning: str
    default: object
    required: bool
    example: object
    table: type[BaseModel] | None = None

    @property
    def name(self) -> str:
        """The key itself."""
        return self.path[-1]


class Reference:
    """Every key of the files that a model describes, by its path, in the order of the file."""

    def __init__(self, document: type[BaseModel]) -> None:
        self.keys: Mapping[Pattern, Key] = {key.path: key for key in _keys(document, ())}

    def pattern_of(self, path: Path) -> Pattern:
        """Return the pattern of a path in a document: what the user chose in it becomes ANY where it must."""
        pattern: Pattern = ()
        for part in path:
            exact = (*pattern, str(part))
            pattern = exact if exact in self.keys else (*pattern, ANY)
        return pattern

    def header(self, path: Pattern) -> str:
        """Return how the table of a path is written in the file."""
        names = [part for part in path if part != ANY]
        if not names:
            return "the top of the file"
        if path[-1] == ANY:
            listed = self.keys[path[:-1]].type_words == LIST_OF_TABLES
            return f"[[{'.'.join(names)}]]" if listed else f"[{'.'.join(names)}.NAME]"
        return f"[{'.'.join(names)}]"


def _keys(table: type[BaseModel], prefix: Pattern) -> Iterator[Key]:
    for name, field in table.model_fields.items():
        yield from _key((*prefix, field.alias or name), field)


def _key(path: Pattern, field: FieldInfo) -> Iterator[Key]:
    kind, rules = _taken_apart(field)
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    inner = FieldInfo.from_annotation(arguments[-1]) if arguments else field
    element, element_rules = _taken_apart(inner)
    is_table = isinstance(element, type) and issubclass(element, BaseModel)
    yield Key(
        path=path,
        type_words=_type_words(origin, element, is_table=is_table),
        range_words=_range_words([*rules, *(element_rules if arguments else ())]),
        meaning=field.description or "",
        default=None if field.is_required() else field.get_default(call_default_factory=True),
        required=field.is_required(),
        example=(field.examples or [None])[0],
        table=element if is_table else None,
    )
    if arguments:
        yield from _key((*path, ANY), inner)
    elif is_table:
        yield from _keys(element, path)


def _taken_apart(field: FieldInfo) -> tuple[Any, list[object]]:
    """Return the type of a field without None and annotations, and the rules that it must satisfy."""
    kind: Any = field.annotation
    rules = list(field.metadata)
    if get_origin(kind) in (Union, UnionType):
        [kind] = [one for one in get_args(kind) if one is not NoneType]
    if get_origin(kind) is Annotated:
        inner = FieldInfo.from_annotation(kind)
        kind, rules = inner.annotation, [*rules, *inner.metadata]
    return kind, rules


def _type_words(origin: object, element: object, *, is_table: bool) -> str:
    if origin is list:
        return LIST_OF_TABLES if is_table else "list of texts"
    if origin is dict:
        return TABLES_BY_NAME if is_table else "texts by name" if element is str else "numbers by name"
    return "table" if is_table else _TYPE_WORDS.get(element, VALUE)


def _range_words(rules: list[object]) -> str:
    words = [rule.words for rule in rules if isinstance(rule, Rule)]
    low = [f"{rule.ge:,}" for rule in rules if isinstance(rule, Ge)] + [
        f"above {rule.gt:,}" for rule in rules if isinstance(rule, Gt)
    ]
    high = [f"{rule.le:,}" for rule in rules if isinstance(rule, Le)]
    return "; ".join([*words, *(f"{a} to {b}" for a, b in zip(low, high, strict=True))])
