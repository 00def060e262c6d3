"""Statements that take rows: insert them or change what is there, and delete by key.

The dialect decides how such a statement is written; nothing else in this package depends on the dialect. Of an insert,
`given` names the columns it takes; the others become NULL.

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
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.engine.interfaces import DBAPICursor

Values = tuple[object, ...]
LARGEST: Final = 64
RowInsert = Callable[[Table, Iterable[str]], Insert]
RowStatement = UpdateBase | Select[*tuple[Any, ...]]


def insert_or_replace(table: Table, given: Iterable[str]) -> Insert:
    """Insert a row, or replace the one with its key."""
    inserted = _insert(table, given)
    rest = {column.name: inserted.excluded[column.name] for column in table.c if not column.primary_key}
    return inserted.on_conflict_do_update(index_elements=list(table.primary_key), set_=rest)


def insert_or_add(table: Table, given: Iterable[str]) -> Insert:
    """Insert a row, or add its numbers to those of the one with its key."""
    inserted = _insert(table, given)
    total = {column.name: column + inserted.excluded[column.name] for column in table.c if not column.primary_key}
    return inserted.on_conflict_do_update(index_elements=list(table.primary_key), set_=total)


def insert_or_raise(table: Table, given: Iterable[str], *, name: str) -> Insert:
    """Insert a row, or raise this column of the one with its key to the row's."""
    inserted = _insert(table, given)
    stored, new = table.c[name], inserted.excluded[name]
    larger = {name: case((new > stored, new), else_=stored)}
    return inserted.on_conflict_do_update(index_elements=list(table.primary_key), set_=larger)


def insert_or_keep(table: Table, given: Iterable[str]) -> Insert:
    """Insert a row, or leave the one with its key as it is."""
    return _insert(table, given).on_conflict_do_nothing(index_elements=list(table.primary_key))


def insert_rows(connection: Connection, table: Table, statement: RowInsert, rows: Iterable[Values]) -> None:
    """Insert rows that hold a value for each column in the table's order.

    For the busiest tables: as a dictionary that is checked against the types of the columns a row costs several times
    as much. What is None is left out of the statement, because SQLite's driver looks up how to adapt each None, which
    takes longer than binding a number. It does for bytes and bool too: bring bytearray and int.
    """
    nullable = _nullable(table)
    alike: defaultdict[tuple[bool, ...], list[Values]] = defaultdict(list)
    for row in rows:
        alike[tuple([row[place] is None for place in nullable])].append(row)
    for absent, group in alike.items():
        values_of = _present(table, absent)
        start, driver = 0, _driver(connection)
        while start < len(group):
            count = min(LARGEST, 1 << (len(group) - start).bit_length() - 1)
            values = chain.from_iterable(map(values_of, group[start : start + count]))
            driver.execute(_repeated(table, statement, absent, count, connection.dialect), tuple(values))
            start += count


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


def _insert(table: Table, given: Iterable[str]) -> Insert:
    return insert(table).values({name: bindparam(name) for name in given})


@lru_cache
def _delete(table: Table) -> Delete:
    return delete(table).where(*(column == bindparam(column.name) for column in table.primary_key))


@lru_cache
def _nullable(table: Table) -> tuple[int, ...]:
    return tuple(place for place, column in enumerate(table.c) if column.nullable)


@lru_cache(maxsize=1024)
def _present(table: Table, absent: tuple[bool, ...]) -> Callable[[Values], Values]:
    """Return what takes the values that are there out of a row of this shape."""
    left_out = {place for place, is_absent in zip(_nullable(table), absent, strict=True) if is_absent}
    return itemgetter(*(place for place in range(len(table.c)) if place not in left_out))


@lru_cache(maxsize=1024)
def _repeated(table: Table, statement: RowInsert, absent: tuple[bool, ...], count: int, dialect: Dialect) -> str:
    """Return the text of the statement for so many rows of a shape."""
    names: Values = _present(table, absent)(tuple(table.c.keys()))
    one = str(statement(table, map(str, names)).compile(dialect=dialect))
    place = f"({', '.join('?' * len(names))})"
    return one.replace(place, ", ".join([place] * count), 1)
