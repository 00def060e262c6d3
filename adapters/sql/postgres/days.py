"""Retention by days: a day of the logs is a partition, made ahead and dropped whole."""

from functools import partial
from typing import Final

from sqlalchemy import Connection, Table, delete, func, inspect, select

from adapters.ledger import key_of
from adapters.sql import reading, retention
from adapters.sql.postgres import tables
from adapters.sql.postgres.database import PostgresDatabase
from adapters.sql.postgres.locks import Lock
from adapters.sql.retention import drop_decisions, keep_what_is_known
from adapters.sql.rows import signal_record
from adapters.sql.schema import distributions, signals

AHEAD: Final = 2
"""Days after today whose partitions are made."""

SPAN_US: Final = 600_000_000
"""Time whose decisions one statement counts; a day is a whole number of them."""


async def make_ahead(database: PostgresDatabase, now_us: int) -> None:
    """Make the partitions of today and the next days. A day that has rows already keeps them where they are."""
    today = now_us // tables.DAY_US
    for log in tables.LOGS:
        for day in range(today, today + AHEAD + 1):
            await database.run_locked(Lock.SCHEMA, tables.make_partition, log, day)


async def drop(database: PostgresDatabase, before_us: int, *, bucket_us: int) -> int:
    """Drop what was decided before this time; return how many rows. A day that is not over stays as a whole."""
    dropped = 0
    for log in tables.LOGS:
        for day, name in (await database.run(tables.days_of, log)).items():
            if (day + 1) * tables.DAY_US <= before_us:
                dropped += await database.run_locked(Lock.UPKEEP, _drop_day, log, name, day, bucket_us)
    rest = [tables.of_partition(log, tables.partition(log, None)) for log in tables.LOGS]
    drops = partial(retention.drop_signals, bucket_us=bucket_us, log=rest[0]), partial(drop_decisions, log=rest[1])
    for drop_chunk in drops:
        while chunk := await database.run_locked(Lock.UPKEEP, drop_chunk, before_us):
            dropped += chunk
    return dropped


def _drop_day(connection: Connection, log: Table, name: str, day: int, bucket_us: int) -> int:
    if not inspect(connection).has_table(name):
        # Another replica was faster.
        return 0
    part = tables.of_partition(log, name)
    if log is signals:
        count = _keep_signals(connection, part, bucket_us)
    else:
        count = _forget_distributions(connection, part, day)
    tables.drop_partition(connection, name)
    return count


def _keep_signals(connection: Connection, part: Table, bucket_us: int) -> int:
    """Keep what the signals of a day taught, page by page; return how many there are."""
    count, last = 0, None
    # Not through a cursor: it would hold on to the table until the end of the transaction.
    while rows := reading.page(connection, part, tuple(part.primary_key), last):
        keep_what_is_known(connection, map(signal_record, rows), bucket_us)
        last = key_of(signal_record(rows[-1]))
        count += len(rows)
    return count


def _forget_distributions(connection: Connection, part: Table, day: int) -> int:
    """Drop what only the decisions of a day were drawn from; return how many decisions there are.

    Span by span: a statement over the whole of a large day would run out of time, every time.
    """
    count, start_us = 0, day * tables.DAY_US
    for end_us in range(start_us + SPAN_US, start_us + tables.DAY_US + 1, SPAN_US):
        connection.execute(delete(distributions).where(distributions.c.used_us < end_us))
        of_span = part.c.decided_us.between(end_us - SPAN_US, end_us - 1)
        count += connection.scalar(select(func.count()).select_from(part).where(of_span)) or 0
    return count
