"""Storing signals: those that are new are copied; where something is said again of what is stored, with more care.

Nearly always all signals of a batch are new, so they are copied into the table, which costs half as much as anything
that asks row by row what is there, and what they teach is added, computed beforehand. Copying fails as a whole where
one is stored already. Then a statement inserts the others, and the batch is settled against what was stored, which the
transaction locks; it writes the difference. A flush begins as the last one ended, so that repeats that keep coming are
not tried as news each time.

Either way signals are locked before sums, and each in the order of their keys, signals by their time first: so flushes
which meet wait for each other and never in a circle.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain, groupby
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

from asyncpg import Connection, UniqueViolationError
from sqlalchemy import Table

from adapters.ledger import Change, Settlement, SignalKey, StoreError, Written, key_of, settle
from adapters.sql.arrays import Columns, columns_of, order_of, selected, unnested
from adapters.sql.marks import RETAINED
from adapters.sql.postgres.locks import Lock
from adapters.sql.postgres.tables import DAY_US
from adapters.sql.rows import signal_record, signal_row
from adapters.sql.schema import CHANGED, revisions, signals, spend, sums
from adapters.sql.statements import given_columns
from bandit.records import SignalRecord

_BEGIN: Final = f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock_shared({int(Lock.WRITES)})"

_REVISIONS: Final = (
    "SELECT namespace, sum(revision)::int8 AS revision FROM revisions WHERE namespace = ANY($1) GROUP BY namespace"
)

_KEY: Final = ("namespace", "nonce", "signal", "decided_us")

MANY: Final = 64
"""Signals that are made ready in another thread: so many would hold up the calls that this one answers."""

_DECIDED: Final = given_columns(signals).index("decided_us")

Row = tuple[Any, ...]

P = ParamSpec("P")
T = TypeVar("T")


class Batch(NamedTuple):
    """What one flush writes, and how."""

    records: Sequence[SignalRecord]
    bucket_us: int
    shard: int


class Expected(NamedTuple):
    """What a flush goes by until it finds otherwise: the mark of what was dropped, and whether signals are new."""

    retained_us: int = 0
    are_new: bool = True


async def flush(connection: Connection, batch: Batch, expected: Expected) -> tuple[Written, Expected]:
    """Store a batch; return what became of it, and what the next one may expect.

    The connection is outside a transaction before and after; if this raises, it has to be rolled back. Raises
    StoreError for a value that PostgreSQL cannot hold.
    """
    while True:
        # Feedback that is settled with an older mark might count what was dropped once more.
        settled = await _aside(batch, settle, batch.records, {}, batch.bucket_us, expected.retained_us)
        added = _additions(settled, batch.shard)
        if expected.are_new:
            found = await _copy(connection, await _aside(batch, _rows, settled), added, expected)
        else:
            found = await _insert(connection, await _aside(batch, _columns, settled), added, expected, settled)
        if found == expected or (found.retained_us == expected.retained_us and not expected.are_new):
            break
        await connection.execute("ROLLBACK")
        expected = found
    if not found.are_new:
        settled = await _settled_again(connection, batch, settled, found.retained_us)
        columns = await _aside(batch, _columns, settled)
        await connection.execute(_replace_and_add(), *columns, *_additions(settled, batch.shard))
    await connection.execute("COMMIT")
    # Read before the commit, it would not count what others have committed meanwhile; and they, not ours.
    revisions_after = {row["namespace"]: row["revision"] for row in await connection.fetch(_REVISIONS, [*settled.rows])}
    changes = {
        name: Change(revisions_after.get(name, 0), rows, settled.spend[name]) for name, rows in settled.rows.items()
    }
    return Written(settled.statuses, changes), found


async def _aside(batch: Batch, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `work` returns, done in another thread where the batch is large."""
    if len(batch.records) > MANY:
        return await asyncio.to_thread(work, *args, **kwargs)
    return work(*args, **kwargs)


async def _copy(connection: Connection, rows: Sequence[Row], added: Columns, expected: Expected) -> Expected:
    """Begin, store signals as new ones, and what they teach unless the mark has moved."""
    await connection.execute(_BEGIN)
    try:
        # Rows are copied partition by partition: of several days those of the default one would come all at once.
        for _, of_day in groupby(rows, lambda row: row[_DECIDED] // DAY_US):
            await connection.copy_records_to_table(signals.name, columns=given_columns(signals), records=of_day)
    except UniqueViolationError:
        return expected._replace(are_new=False)
    except (OverflowError, UnicodeError) as error:
        raise StoreError(f"a signal has a value that PostgreSQL cannot hold: {error}") from error
    found = await connection.fetchrow(_add(), expected.retained_us, *added)
    return expected._replace(retained_us=found["retained_us"])


async def _insert(
    connection: Connection, columns: Columns, added: Columns, expected: Expected, settled: Settlement
) -> Expected:
    """Begin, store those signals that are new; what they teach only if all of them are, and the mark has not moved."""
    await connection.execute(_BEGIN)
    count = len(settled.kept)
    found = await connection.fetchrow(_insert_and_add(), expected.retained_us, count, *columns, *added)
    return Expected(found["retained_us"], are_new=found["inserted"] == count)


async def _settled_again(connection: Connection, batch: Batch, settled: Settlement, retained_us: int) -> Settlement:
    """Settle a batch against what was stored before this transaction, which nobody else can change until it ends."""
    rows = await connection.fetch(_lock_stored(), *await _aside(batch, _keys, settled))
    stored = await _aside(batch, _records, rows)
    return await _aside(batch, settle, batch.records, stored, batch.bucket_us, retained_us)


def _keys(settled: Settlement) -> Columns:
    """Return the parameters of the statement that locks what is stored."""
    return columns_of(signals, _KEY, [(*key_of(one), one.decision.decided_us) for one in _by_time(settled)])


def _records(rows: Sequence[Any]) -> dict[SignalKey, SignalRecord]:
    """Return what rows of signals keep, by key. Raises StoreError for what a newer version may have stored."""
    try:
        return {key_of(record): record for record in (signal_record(tuple(row)) for row in rows)}
    except ValueError as error:
        raise StoreError(f"what is stored of a signal cannot be read by this version: {error}") from error


def _by_time(settled: Settlement) -> list[SignalRecord]:
    """Return the signals to store in the order of their keys, by time first: rows are copied partition by partition."""
    return sorted(settled.kept.values(), key=lambda record: record.decision.decided_us)


def _rows(settled: Settlement) -> list[Row]:
    """Return the rows of new signals."""
    return [signal_row(record, bool) for record in _by_time(settled)]


def _columns(settled: Settlement) -> Columns:
    """Return the parameters of a statement that stores signals."""
    return columns_of(signals, given_columns(signals), map(signal_row, _by_time(settled)))


def _additions(settled: Settlement, shard: int) -> Columns:
    """Return the parameters of what adds, table by table, in the order of their keys."""
    added = [(name, *key, shard, *moments) for name, rows in settled.rows.items() for key, moments in rows.items()]
    billed = [(name, *key, shard, *tally) for name, rows in settled.spend.items() for key, tally in rows.items()]
    counted = [(name, shard, count) for name, count in settled.counted.items()]
    tables = (sums, added), (spend, billed), (revisions, counted)
    return tuple(chain.from_iterable(columns_of(table, given_columns(table), rows) for table, rows in tables))


@cache
def _add() -> str:
    """Add to sums, spend and revisions, if the mark is the one that is known."""
    parts = [_state(), "sound AS (SELECT 1 FROM state WHERE retained_us = $1)", *_adding(first=2)]
    return f"WITH {', '.join(parts)} SELECT * FROM state"


@cache
def _insert_and_add() -> str:
    """Insert signals; if all were new and the mark is the one that is known, add to sums, spend and revisions."""
    state = _state(", (SELECT count(*) FROM stored) AS inserted")
    sound = "sound AS (SELECT 1 FROM state WHERE retained_us = $1 AND inserted = $2)"
    parts = [_storing("ON CONFLICT DO NOTHING", first=3), state, sound, *_adding(first=3 + len(given_columns(signals)))]
    return f"WITH {', '.join(parts)} SELECT * FROM state"


@cache
def _replace_and_add() -> str:
    """Insert signals or replace what is stored of them, and add to sums, spend and revisions."""
    names = given_columns(signals)
    rest = ", ".join(f"{name} = excluded.{name}" for name in names if name not in _KEY)
    storing = _storing(f"ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET {rest}", first=1)
    return f"WITH {', '.join([storing, 'sound AS (SELECT 1)', *_adding(first=1 + len(names))])} SELECT 1"


def _state(more: str = "") -> str:
    mark = f"SELECT value FROM meta WHERE name = '{RETAINED}'"
    return f"state AS (SELECT coalesce(({mark}), 0) AS retained_us{more})"


def _storing(on_conflict: str, first: int) -> str:
    return f"stored AS ({_inserting(signals, on_conflict, first)} RETURNING 1)"


def _adding(first: int) -> list[str]:
    """Return the parts that add to each table, if `sound` has a row; parameters from `first` on."""
    parts = []
    for name, table in (("summed", sums), ("billed", spend), ("counted", revisions)):
        key = ", ".join(column.name for column in table.primary_key)
        numbers = [name for name in given_columns(table) if not table.c[name].primary_key]
        sums_up = ", ".join(f"{name} = {table.name}.{name} + excluded.{name}" for name in numbers)
        on_conflict = f"ON CONFLICT ({key}) DO UPDATE SET {sums_up}, {CHANGED} = excluded.{CHANGED}"
        parts.append(f"{name} AS ({_inserting(table, on_conflict, first, ', sound')})")
        first += len(given_columns(table))
    return parts


def _inserting(table: Table, on_conflict: str, first: int, more: str = "") -> str:
    names = given_columns(table)
    rows = f"SELECT {selected(table, names)} FROM {unnested(table, names, first)}{more} ORDER BY {order_of(table)}"
    return f"INSERT INTO {table.name} ({', '.join(names)}) {rows} {on_conflict}"


@cache
def _lock_stored() -> str:
    names = ", ".join(given_columns(signals))
    same = " AND ".join(f"signals.{name} = given.{name}" for name in _KEY)
    # What this transaction has inserted itself was not stored before.
    before = f"SELECT {names} FROM signals WHERE {same} AND xmin <> pg_current_xact_id()::xid FOR UPDATE"
    # Each is looked up by its key, in the order in which keys are given, however large the table is.
    return f"SELECT stored.* FROM {unnested(signals, _KEY)} CROSS JOIN LATERAL ({before}) AS stored"
