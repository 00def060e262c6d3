"""Statements that take rows: insert them or change what is there, and delete by key.

The dialect decides how such a statement is written; nothing else that stores share depends on the dialect. Of an
insert, `given` names the columns it takes; the others become NULL, or what the database keeps itself (`CHANGED`).

SQLAlchemy writes the statements, and the driver is given them as text: what SQLAlchemy does around one that it executes
itself takes longer than the statement.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Connection, Delete, Dialect, Select, Table, UpdateBase, bindparam, case, delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPICursor

from adapters.sql import arrays
from adapters.sql.schema import CHANGED

Values = tuple[Any, ...]
LARGEST: Final = 64
Insert = sqlite.Insert | postgresql.Insert
RowInsert = Callable[[Table, Iterable[str], Dialect], Insert]
RowStatement = UpdateBase | Select[*tuple[Any, ...]]

POSTGRESQL: Final = "postgresql"


def insert_or_replace(table: Table, given: Iterable[str], dialect: Dialect) -> Insert:
    """Insert a row, or replace the one with its key."""
    inserted = _insert(table, given, dialect)
    rest = {column.name: inserted.excluded[column.name] for column in table.c if not column.primary_key}
    return inserted.on_conflict_do_update(index_elements=list(table.primary_key), set_=rest)


def insert_or_add(table: Table, given: Iterable[str], dialect: Dialect) -> Insert:
    """Insert a row, or add its numbers to those of the one with its key."""
    inserted = _insert(table, given, dialect)
    total = {
        column.name: inserted.excluded[column.name]
        if column.name == CHANGED
        else column + inserted.excluded[column.name]
        for column in table.c
        if not column.primary_key
    }
    return inserted.on_conflict_do_update(index_elements=list(table.primary_key), set_=total)


def insert_or_raise(table: Table, given: Iterable[str], dialect: Dialect, *, name: str) -> Insert:
    """Insert a row, or raise this column of the one with its key to the row's."""
    inserted = _insert(table, given, dialect)
    stored, new = table.c[name], inserted.excluded[name]
    larger = {name: case((new > stored, new), else_=stored)}
    return inserted.on_conflict_do_update(index_elements=list(table.primary_key), set_=larger)


def insert_or_keep(table: Table, given: Iterable[str], dialect: Dialect) -> Insert:
    """Insert a row, or leave the one with its key as it is."""
    return _insert(table, given, dialect).on_conflict_do_nothing(index_elements=list(table.primary_key))


def insert_only(table: Table, given: Iterable[str], dialect: Dialect) -> Insert:
    """Insert a row whose key is new."""
    return _insert(table, given, dialect)


def given_columns(table: Table) -> tuple[str, ...]:
    """Return the columns of a table but the one that the database keeps itself."""
    return tuple(name for name in table.c.keys() if name != CHANGED)  # noqa: SIM118 - columns, not names, else


def insert_rows(connection: Connection, table: Table, statement: RowInsert, rows: Iterable[Values]) -> None:
    """Insert rows that hold a value for each of the `given_columns` of the table, in its order.

    For the busiest tables: as a dictionary that is checked against the types of the columns a row costs several times
    as much. Bring bytearray and int rather than bytes and bool.
    """
    if connection.dialect.name == POSTGRESQL:
        names = given_columns(table)
        if rows := list(rows):
            values = arrays.columns_of(table, names, rows)
            _driver(connection).execute(arrays.text(table, statement, names, connection.dialect), values)
        return
    for absent, group in _alike(table, rows):
        values_of = _present(table, absent)
        start, driver = 0, _driver(connection)
        while start < len(group):
            count = min(LARGEST, 1 << (len(group) - start).bit_length() - 1)
            values = tuple(chain.from_iterable(map(values_of, group[start : start + count])))
            driver.execute(_repeated(table, statement, absent, count, connection.dialect), values)
            start += count


def _alike(table: Table, rows: Iterable[Values]) -> Iterable[tuple[tuple[bool, ...], list[Values]]]:
    """Group rows by which of their values are None.

    What is None is left out of a statement, because SQLite's driver looks up how to adapt each None, which takes longer
    than binding a number; it does for bytes and bool too.
    """
    nullable = _nullable(table)
    alike: defaultdict[tuple[bool, ...], list[Values]] = defaultdict(list)
    for row in rows:
        alike[tuple([row[place] is None for place in nullable])].append(row)
    return alike.items()


def delete_rows(connection: Connection, table: Table, keys: Sequence[Values]) -> None:
    """Delete rows by key: values of its columns in the table's order."""
    _driver(connection).executemany(_text(_delete(table), connection.dialect), keys)


def execute(connection: Connection, statement: RowStatement, values: Values) -> list[Any]:
    """Execute a statement that stays the same from call to call; return its rows, as the driver reads them."""
    driver = _driver(connection)
    driver.execute(_text(statement, connection.dialect), values)
    return list(driver.fetchall())


def _driver(connection: Connection) -> DBAPICursor:
    return connection.connection.cursor()


@lru_cache(maxsize=1024)
def _text(statement: RowStatement, dialect: Dialect) -> str:
    return str(statement.compile(dialect=dialect))


def _insert(table: Table, given: Iterable[str], dialect: Dialect) -> Insert:
    insert = postgresql.insert if dialect.name == POSTGRESQL else sqlite.insert
    return insert(table).values({name: bindparam(name) for name in given})


@lru_cache
def _delete(table: Table) -> Delete:
    return delete(table).where(*(column == bindparam(column.name) for column in table.primary_key))


@lru_cache
def _nullable(table: Table) -> tuple[int, ...]:
    return tuple(place for place, name in enumerate(given_columns(table)) if table.c[name].nullable)


@lru_cache(maxsize=1024)
def _present(table: Table, absent: tuple[bool, ...]) -> Callable[[Values], Values]:
    """Return what takes the values that are there out of a row of this shape."""
    left_out = {place for place, is_absent in zip(_nullable(table), absent, strict=True) if is_absent}
    return itemgetter(*(place for place in range(len(given_columns(table))) if place not in left_out))


@lru_cache(maxsize=1024)
def _repeated(table: Table, statement: RowInsert, absent: tuple[bool, ...], count: int, dialect: Dialect) -> str:
    """Return the text of the statement for so many rows of a shape."""
    names: Values = _present(table, absent)(given_columns(table))
    one = str(statement(table, map(str, names), dialect).compile(dialect=dialect))
    place = f"({', '.join('?' * len(names))})"
    return one.replace(place, ", ".join([place] * count), 1)
