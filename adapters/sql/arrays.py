"""Rows as arrays, one for each column: how PostgreSQL takes many rows in one statement whose text stays the same.

Arrays travel as text. The driver would encode them too, but looks at each element to see whether it is an array itself,
which takes longer than everything else that a client does to have a row stored.
"""

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
_INTEGERS: Final = frozenset({"int8", "int2", "bool"})

DECIDED: Final = "decided_us"
"""Column of a log that says when."""

Columns = tuple[str, ...]


def columns_of(table: Table, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Columns:
    """Return the values of each column, as the text of an array."""
    columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * len(names)
    types = (type_of(table, name) for name in names)
    return tuple([array_of(kind, values) for kind, values in zip(types, columns, strict=True)])


def array_of(kind: str, values: Sequence[Any]) -> str:
    """Return the text of an array of one of PostgreSQL's types; None is NULL, and so is what an empty one lacks."""
    if values.count(None) == len(values):
        return "{}"
    if kind in _INTEGERS:
        inner = repr(list(values))[1:-1].replace("None", "NULL")
    elif kind == "float8":
        # What numpy makes of a number has another repr.
        inner = ",".join(map(str, values)).replace("None", "NULL")
    elif kind == "bytea":
        inner = ",".join([f'"\\\\x{value.hex()}"' for value in values])
    else:
        quoted = {value: _quoted(value) for value in set(values)}
        inner = ",".join(map(quoted.__getitem__, values))
    return f"{{{inner}}}"


def _quoted(value: str | None) -> str:
    if value is None:
        return "NULL"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def unnested(table: Table, names: Sequence[str], first: int = 1) -> str:
    """Return SQL for rows with these columns of a table, taken from arrays that are parameters `first` and on."""
    parameters = ", ".join(f"${first + place}::text::{type_of(table, name)}[]" for place, name in enumerate(names))
    return f"unnest({parameters}) AS given ({', '.join(names)})"


def selected(table: Table, names: Sequence[str]) -> str:
    """Return SQL for the list of what is selected from such rows."""
    return ", ".join(
        f"given.{name}::json" if isinstance(table.c[name].type, JSON) else f"given.{name}" for name in names
    )


def order_of(table: Table, rows: str = "given") -> str:
    """Return SQL for the order of the keys of such rows, whatever the language of the database: that of `schema`.

    Rows of a log come by their time first: it tells their partition, and rows are written partition by partition.
    """
    names = [column.name for column in table.primary_key]
    if DECIDED in table.c:
        names = [DECIDED, *(name for name in names if name != DECIDED)]
    return ", ".join(
        f'{rows}.{name} COLLATE "C"' if type_of(table, name) == "text" else f"{rows}.{name}" for name in names
    )


@lru_cache(maxsize=1024)
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
    rows = f"SELECT {selected(table, names)} FROM {unnested(table, names)} ORDER BY {order_of(table)}"  # noqa: S608 - names of columns
    return f"{head} {rows}{on_conflict}{conflict if on_conflict else ''}"
