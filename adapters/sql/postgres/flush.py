"""Storing signals: one statement, unless something is said again of what is stored.

The statement inserts the signals and, if all of them were new, adds what they teach, which was computed as if they
were. If not, the transaction goes on: it locks what was stored before, settles the batch against that, and writes the
difference. Either way signals are locked before sums, and both in the order of their keys, so that flushes which meet
wait for each other and never in a circle.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from asyncpg import Connection
from sqlalchemy import Table

from adapters.ledger import Change, Settlement, SignalKey, Written, key_of, settle
from adapters.sql.arrays import columns_of, order_of, selected, unnested
from adapters.sql.marks import RETAINED
from adapters.sql.postgres.locks import Lock
from adapters.sql.rows import signal_record, signal_row
from adapters.sql.schema import CHANGED, revisions, signals, spend, sums
from adapters.sql.statements import given_columns
from bandit.records import SignalRecord

_BEGIN: Final = f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock_shared({int(Lock.WRITES)})"

_REVISIONS: Final = (
    "SELECT namespace, sum(revision)::int8 AS revision FROM revisions WHERE namespace = ANY($1) GROUP BY namespace"
)

_KEY: Final = ("namespace", "nonce", "signal", "decided_us")


class Batch(NamedTuple):
    """What one flush writes, and how."""

    records: Sequence[SignalRecord]
    bucket_us: int
    shard: int


async def flush(connection: Connection, batch: Batch, retained_us: int) -> tuple[Written, int]:
    """Store a batch, and return what became of it and the mark of what was dropped; `retained_us` is the last known.

    The connection is outside a transaction before and after; if this raises, it has to be rolled back.
    """
    while True:
        settled = settle(batch.records, {}, batch.bucket_us, retained_us)
        await connection.execute(_BEGIN)
        found = await connection.fetchrow(_insert_and_add(), *_arguments(settled, batch.shard, retained_us))
        known_us, inserted = found["retained_us"], found["inserted"]
        if known_us == retained_us:
            break
        # Feedback that was settled with an older mark might count what was dropped once more.
        await connection.execute("ROLLBACK")
        retained_us = known_us
    if inserted < len(settled.kept):
        settled = await _settled_again(connection, batch, settled.kept, retained_us)
        await connection.execute(_replace_and_add(), *_arguments(settled, batch.shard, retained_us))
    await connection.execute("COMMIT")
    # Read before the commit, it would not count what others have committed meanwhile; and they, not ours.
    revisions_after = {row["namespace"]: row["revision"] for row in await connection.fetch(_REVISIONS, [*settled.rows])}
    changes = {
        name: Change(revisions_after.get(name, 0), rows, settled.spend[name]) for name, rows in settled.rows.items()
    }
    return Written(settled.statuses, changes), retained_us


async def _settled_again(
    connection: Connection, batch: Batch, kept: Mapping[SignalKey, SignalRecord], retained_us: int
) -> Settlement:
    """Settle a batch against what was stored before this transaction, which nobody else can change until it ends."""
    keys = columns_of(signals, _KEY, [(*key, record.decision.decided_us) for key, record in kept.items()])
    stored = [signal_record(tuple(row)) for row in await connection.fetch(_lock_stored(), *keys)]
    return settle(batch.records, {key_of(record): record for record in stored}, batch.bucket_us, retained_us)


def _arguments(settled: Settlement, shard: int, retained_us: int) -> list[Any]:
    """Return the parameters of both statements, table by table, in the order of their keys."""
    kept = [signal_row(record) for record in settled.kept.values()]
    added = [(name, *key, shard, *moments) for name, rows in settled.rows.items() for key, moments in rows.items()]
    billed = [(name, *key, shard, *tally) for name, rows in settled.spend.items() for key, tally in rows.items()]
    counted = [(name, shard, count) for name, count in settled.counted.items()]
    arrays = (
        *columns_of(signals, given_columns(signals), kept),
        *columns_of(sums, given_columns(sums), added),
        *columns_of(spend, given_columns(spend), billed),
        *columns_of(revisions, given_columns(revisions), counted),
    )
    return [retained_us, len(kept), *arrays]


@cache
def _insert_and_add() -> str:
    """Insert signals; if all were new and the mark is the one that is known, add to sums, spend and revisions."""
    sound = "SELECT 1 FROM state WHERE retained_us = $1 AND inserted = $2"
    return _statement("ON CONFLICT DO NOTHING", sound)


@cache
def _replace_and_add() -> str:
    """Insert signals or replace what is stored of them, and add to sums, spend and revisions."""
    key = ", ".join(_KEY)
    rest = ", ".join(f"{name} = excluded.{name}" for name in given_columns(signals) if name not in _KEY)
    # The first two parameters must be somewhere; whatever they are, there is one row.
    return _statement(f"ON CONFLICT ({key}) DO UPDATE SET {rest}", "SELECT $1::int8, $2::int8")


def _statement(on_conflict: str, sound: str) -> str:
    first, parts = 3, []
    for name, table in (("stored", signals), ("summed", sums), ("billed", spend), ("counted", revisions)):
        names = given_columns(table)
        source = f"{unnested(table, names, first)}{'' if table is signals else ', sound'}"
        rows = f"SELECT {selected(table, names)} FROM {source} ORDER BY {order_of(table)}"
        conflict = f"{on_conflict} RETURNING 1" if table is signals else _adding(table)
        parts.append(f"{name} AS (INSERT INTO {table.name} ({', '.join(names)}) {rows} {conflict})")
        first += len(names)
    mark = f"SELECT value FROM meta WHERE name = '{RETAINED}'"
    state = f"state AS (SELECT coalesce(({mark}), 0) AS retained_us, (SELECT count(*) FROM stored) AS inserted)"
    return f"WITH {parts[0]}, {state}, sound AS ({sound}), {', '.join(parts[1:])} SELECT * FROM state"


def _adding(table: Table) -> str:
    key = ", ".join(column.name for column in table.primary_key)
    numbers = [name for name in given_columns(table) if not table.c[name].primary_key]
    sums_up = ", ".join(f"{name} = {table.name}.{name} + excluded.{name}" for name in numbers)
    return f"ON CONFLICT ({key}) DO UPDATE SET {sums_up}, {CHANGED} = excluded.{CHANGED}"


@cache
def _lock_stored() -> str:
    names = ", ".join(f"stored.{name}" for name in given_columns(signals))
    same = " AND ".join(f"stored.{name} = given.{name}" for name in _KEY)
    return (
        f"SELECT {names} FROM signals AS stored JOIN {unnested(signals, _KEY)} ON {same} "
        # What this transaction has inserted itself was not stored before.
        "WHERE stored.xmin <> pg_current_xact_id()::xid "
        'ORDER BY stored.namespace COLLATE "C", stored.nonce, stored.signal COLLATE "C" FOR UPDATE OF stored'
    )
