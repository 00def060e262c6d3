"""Merging old rows of the sums along the grid of `bandit.grid`, and of the spend into hours, so that a start reads few.

Boundaries of the grid only ever become fewer, so adding commutes with merging: what arrives late is a row of
its own until the next time.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table

from adapters.bills import without_zeros
from adapters.ledger import NOTHING, add, covering
from adapters.sql import reading
from adapters.sql.marks import advance_layout
from adapters.sql.statements import delete_rows
from adapters.sql.writing import add_to_spend, add_to_sums
from bandit.spend import MINUTE_US, SpendKey, Tally, bucket_of
from bandit.spend import NOTHING as NO_SPEND
from bandit.sums import Moments, RowKey


def merge_page(
    connection: Connection, table: Table, last: tuple[object, ...] | None, *, starts: tuple[int, ...]
) -> tuple[object, ...] | None:
    """Merge the rows of `sums` or `sums_base` that follow the key `last`; return the last key, None at the end."""
    rows = reading.page(connection, table, tuple(table.primary_key), last)
    if not rows:
        return None
    _merge(connection, table, [row for row in rows if _is_needless(row, starts)], starts)
    return tuple(rows[-1])[: len(table.primary_key)]


def _is_needless(row: Row[*tuple[Any, ...]], starts: tuple[int, ...]) -> bool:
    is_spread = row.shard and row.bucket < starts[-1]
    return is_spread or covering(starts, row.bucket) != row.bucket or not (row.n or row.y or row.yy)


def _merge(
    connection: Connection, table: Table, rows: Sequence[Row[*tuple[Any, ...]]], starts: tuple[int, ...]
) -> None:
    merged: defaultdict[str, defaultdict[RowKey, Moments]] = defaultdict(lambda: defaultdict(lambda: NOTHING))
    for namespace, category, model, signal, source, bucket, _, n, y, yy, *_ in rows:
        key = RowKey(category, model, signal, source, covering(starts, bucket))
        merged[namespace][key] += Moments(n, y, yy)
    if rows:
        advance_layout(connection)
    delete_rows(connection, table, [tuple(row)[:7] for row in rows])
    add_to_sums(connection, table, {namespace: add(total, {}) for namespace, total in merged.items()})


def merge_spend_page(
    connection: Connection, table: Table, last: tuple[object, ...] | None, *, now_us: int
) -> tuple[object, ...] | None:
    """Merge the rows of `spend` or `spend_base` that follow the key `last`; return the last key, None at the end."""
    rows = reading.page(connection, table, tuple(table.primary_key), last)
    now = now_us // MINUTE_US
    needless = [row for row in rows if _is_needless_spend(row, now)]
    merged: defaultdict[str, defaultdict[SpendKey, Tally]] = defaultdict(lambda: defaultdict(lambda: NO_SPEND))
    for row in needless:
        namespace, category, profile, priced, minute, _, n, nano_usd, *_ = tuple(row)
        merged[namespace][SpendKey(category, profile, priced, bucket_of(minute, now))] += Tally(n, nano_usd)
    if needless:
        advance_layout(connection)
    delete_rows(connection, table, [tuple(row)[: len(table.primary_key)] for row in needless])
    add_to_spend(connection, table, {namespace: without_zeros(total) for namespace, total in merged.items()})
    return tuple(rows[-1])[: len(table.primary_key)] if rows else None


def _is_needless_spend(row: Row[*tuple[Any, ...]], now: int) -> bool:
    is_spread = row.shard and row.minute < now
    return is_spread or bucket_of(row.minute, now) != row.minute or not (row.n or row.nano_usd)
