"""What a server reads: the sums when it starts, and the logs page by page."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import BigInteger, Cast, Column, Connection, Row, Select, Table, cast, func, select, tuple_, union

from adapters.bills import SpendRows
from adapters.ledger import Rows, StoredSums
from adapters.sql.schema import CHANGED, categories, revisions, spend, sums
from bandit.spend import MINUTE_US, SpendKey, Tally
from bandit.sums import Moments, RowKey

PAGE: Final = 1000
"""Rows that one transaction reads of a log."""


def load(connection: Connection, namespace: str, *, billed_since_us: int) -> StoredSums:
    """Return the sums, revision and categories of a namespace, and its spend from `billed_since_us` on."""
    revision = connection.scalar(select(_total(revisions.c.revision)).where(revisions.c.namespace == namespace))
    names = connection.scalars(
        select(categories.c.name).where(categories.c.namespace == namespace).order_by(categories.c.name)
    )
    billed = spend_of(connection, spend, namespace, billed_since_us // MINUTE_US)
    return StoredSums(revision or 0, sums_of(connection, sums, namespace), tuple(names), billed)


def namespaces(connection: Connection) -> Sequence[str]:
    """Return every namespace that has sums or categories, sorted."""
    return namespaces_in(connection, revisions, categories)


def namespaces_in(connection: Connection, *tables: Table) -> Sequence[str]:
    """Return every namespace that a row of these tables names, sorted."""
    named = union(*(select(table.c.namespace) for table in tables)).subquery()
    return tuple(connection.scalars(select(named.c.namespace).order_by(named.c.namespace)))


def sums_of(connection: Connection, table: Table, namespace: str) -> Rows:
    """Return the rows of `sums` or `sums_base` that are not zero, in sorted order."""
    found = connection.execute(added_up(table).where(table.c.namespace == namespace))
    return {
        RowKey(category, model, signal, source, bucket): Moments(n, y, yy)
        for _, category, model, signal, source, bucket, n, y, yy in found
        if n or y or yy
    }


def spend_of(connection: Connection, table: Table, namespace: str, first_minute: int = 0) -> SpendRows:
    """Return the rows of `spend` or `spend_base` that are not zero, from a minute on, in sorted order."""
    wanted = added_up(table).where(table.c.namespace == namespace, table.c.minute >= first_minute)
    return {
        SpendKey(category, profile, priced, minute): Tally(n, nano_usd)
        for _, category, profile, priced, minute, n, nano_usd in connection.execute(wanted)
        if n or nano_usd
    }


@cache
def added_up(table: Table) -> Select[*tuple[Any, ...]]:
    """Select the rows of a table by their key without the shard, added up over the shards, in sorted order."""
    key = [column for column in table.primary_key if column.name != "shard"]
    numbers = [_total(column) for column in table.c if not column.primary_key and column.name != CHANGED]
    return select(*key, *numbers).group_by(*key).order_by(*key)


def _total(column: Column[Any]) -> Cast[Any]:
    # PostgreSQL adds int64 up as decimal numbers.
    return cast(func.sum(column), BigInteger)


def page(
    connection: Connection, table: Table, order: Sequence[Column[Any]], last: tuple[object, ...] | None
) -> Sequence[Row[Any]]:
    """Return the rows that follow `last` in the order of unique columns; None starts."""
    rows = select(table).order_by(*order).limit(PAGE)
    return connection.execute(rows if last is None else rows.where(tuple_(*order) > last)).all()
