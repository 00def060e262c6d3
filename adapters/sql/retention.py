"""Dropping what is old without forgetting what it taught."""

from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter
from typing import Final

from sqlalchemy import Connection, Table, delete, func, select

from adapters.bills import fold_bills
from adapters.ledger import fold, key_of
from adapters.sql import decisions as decision_log
from adapters.sql.rows import signal_record
from adapters.sql.schema import decisions, signals, spend_base, sums_base
from adapters.sql.writing import add_to_spend, add_to_sums
from bandit.records import SignalRecord

CHUNK: Final = 2000
"""Rows that one transaction drops, so that feedback never waits long."""


def newest_us(connection: Connection) -> int | None:
    """Return the time of the newest decision of any row."""
    times = (connection.scalar(select(func.max(table.c.decided_us))) for table in (signals, decisions))
    return max((time for time in times if time is not None), default=None)


def drop_signals(connection: Connection, before_us: int, *, bucket_us: int, log: Table = signals) -> int:
    """Move what a chunk of old signals taught, and cost, into the bases; return how many there were.

    `log` is where they are looked for: the signals, or a part of them.
    """
    old = log.c.decided_us < _end_of_chunk(connection, log, before_us)
    keep_what_is_known(connection, map(signal_record, connection.execute(select(log).where(old))), bucket_us)
    return connection.execute(delete(log).where(old)).rowcount


def keep_what_is_known(connection: Connection, dropped: Iterable[SignalRecord], bucket_us: int) -> None:
    """Add what signals taught, and cost, to the bases: they will be dropped."""
    records = sorted(dropped, key=key_of)
    taught = {namespace: fold(group, bucket_us) for namespace, group in groupby(records, attrgetter("namespace"))}
    billed = {namespace: fold_bills(group) for namespace, group in groupby(records, attrgetter("namespace"))}
    add_to_sums(connection, sums_base, taught)
    add_to_spend(connection, spend_base, billed)


def drop_decisions(connection: Connection, before_us: int, *, log: Table = decisions) -> int:
    """Drop a chunk of old decisions; return how many there were. `log` is where they are looked for."""
    end = _end_of_chunk(connection, log, before_us)
    return decision_log.drop(connection, end, log)


def _end_of_chunk(connection: Connection, table: Table, before_us: int) -> int:
    """Return the time that splits a chunk off; decisions of one microsecond stay together."""
    times = select(table.c.decided_us).where(table.c.decided_us < before_us).order_by(table.c.decided_us)
    last: int | None = connection.scalar(times.offset(CHUNK - 1).limit(1))
    return before_us if last is None else last + 1
