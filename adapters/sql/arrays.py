"""Rows as arrays, one for each column: how PostgreSQL takes many rows in one statement whose text stays the same."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import JSON, BigInteger, Boolean, Dialect, Double, LargeBinary, SmallInteger, String, Table

_TYPES: Final[dict[type, str]] = {
    String: "text",
    LargeBinary: "bytea",
    BigInteger: "int8",
    SmallInteger: "int2",
    Double: "float8",
    Boolean: "bool",
    JSON: "text",
}

Columns = tuple[Sequence[object], ...]


def columns_of(table: Table, names: Sequence[str], rows: Iterable[Sequence[object]]) -> Columns:
    """Return the values of each column."""
    columns: list[Sequence[object]] = list(zip(*rows, strict=True)) or [()] * len(names)
    for place in _booleans(table, tuple(names)):
        columns[place] = [None if value is None else bool(value) for value in columns[place]]
    return tuple(columns)


def unnested(table: Table, names: Sequence[str], first: int = 1) -> str:
    """Return SQL for rows with these columns of a table, taken from arrays that are parameters `first` and on."""
    parameters = ", ".join(f"${first + place}::{type_of(table, name)}[]" for place, name in enumerate(names))
    return f"unnest({parameters}) AS given ({', '.join(names)})"


def selected(table: Table, names: Sequence[str]) -> str:
    """Return SQL for the list of what is selected from such rows."""
    return ", ".join(
        f"given.{name}::json" if isinstance(table.c[name].type, JSON) else f"given.{name}" for name in names
    )


def type_of(table: Table, name: str) -> str:
    """Return the name that PostgreSQL has for the type of a column, in parameters."""
    return next(written for kind, written in _TYPES.items() if isinstance(table.c[name].type, kind))


@lru_cache(maxsize=1024)
def text(table: Table, statement: Callable[..., Any], names: tuple[str, ...], dialect: Dialect) -> str:
    """Return the text of a statement that inserts one row, changed to take many: in the order of their keys.

    Two such statements that meet lock the rows that both write in the same order, so neither waits for the other in a
    circle.
    """
    one = str(statement(table, names, dialect).compile(dialect=dialect))
    head, _, rest = one.partition(" VALUES (")
    _, on_conflict, conflict = rest.rpartition(" ON CONFLICT ")
    order = ", ".join(f"given.{column.name}" for column in table.primary_key if column.name in names)
    rows = f"SELECT {selected(table, names)} FROM {unnested(table, names)} ORDER BY {order}"  # noqa: S608 - names of columns
    return f"{head} {rows}{on_conflict}{conflict if on_conflict else ''}"


@lru_cache
def _booleans(table: Table, names: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(place for place, name in enumerate(names) if isinstance(table.c[name].type, Boolean))
