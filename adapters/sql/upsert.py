"""Statements that insert rows or, where their key exists, change what is there.

The dialect decides how such a statement is written; nothing else in this package depends on the dialect.
"""

from functools import lru_cache

from sqlalchemy import Dialect, Table
from sqlalchemy.dialects.sqlite import Insert, insert


@lru_cache
def driver_sql(statement: Insert, dialect: Dialect) -> str:
    """Return the text of a statement for `exec_driver_sql`, which takes rows as tuples in column order.

    For the busiest tables only: a row then costs a third of what it costs as a dictionary.
    """
    return str(statement.compile(dialect=dialect))


def insert_or_replace(table: Table) -> Insert:
    """Insert a row, or replace the one with its key."""
    statement = insert(table)
    rest = {column.name: statement.excluded[column.name] for column in table.c if not column.primary_key}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=rest)


def insert_or_add(table: Table, *names: str) -> Insert:
    """Insert a row, or add these columns to those of the one with its key."""
    statement = insert(table)
    total = {name: table.c[name] + statement.excluded[name] for name in names}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=total)


def insert_or_keep(table: Table) -> Insert:
    """Insert a row, or leave the one with its key as it is."""
    return insert(table).on_conflict_do_nothing(index_elements=list(table.primary_key))
