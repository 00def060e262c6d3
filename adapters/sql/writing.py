"""The transaction behind every acknowledged signal."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, Table, bindparam, select

from adapters.ledger import Change, Rows, SignalKey, Written, key_of, settle
from adapters.sql import reading
from adapters.sql.marks import RETAINED, mark
from adapters.sql.rows import signal_record, signal_row
from adapters.sql.schema import revisions, signals, sums, sums_base
from adapters.sql.statements import driver_sql, execute_rows, insert_or_add, insert_or_replace
from bandit.records import SignalRecord

CHUNK: Final = 500
"""Decisions that one statement looks up."""

_KEEP: Final = insert_or_replace(signals)
_ADD: Final = {table.name: insert_or_add(table, "n", "y", "yy") for table in (sums, sums_base)}
_COUNT: Final = insert_or_add(revisions, "revision").returning(revisions.c.revision)
_STORED: Final = select(signals).where(
    signals.c.namespace == bindparam("namespace"), signals.c.nonce.in_(bindparam("nonces", expanding=True))
)


def write(connection: Connection, records: Sequence[SignalRecord], *, bucket_us: int) -> Written:
    """Store signals and add what they change to the sums. Raises SumsOverflowError."""
    retained_us = mark(connection, RETAINED)
    settled = settle(records, dict(_stored(connection, records)), bucket_us, retained_us)
    execute_rows(connection, _KEEP, [signal_row(record) for record in settled.kept.values()])
    add_to_sums(connection, sums, settled.rows)
    count = driver_sql(_COUNT, connection.dialect)
    changes = {}
    for namespace, rows in settled.rows.items():
        counted = connection.exec_driver_sql(count, (namespace, settled.counted[namespace]))
        changes[namespace] = Change(counted.scalar_one(), rows)
    return Written(settled.statuses, changes)


def add_to_sums(connection: Connection, table: Table, added: Mapping[str, Rows]) -> None:
    """Add rows of each namespace to `sums` or `sums_base`."""
    rows = [(namespace, *key, *moments) for namespace, part in added.items() for key, moments in part.items()]
    execute_rows(connection, _ADD[table.name], rows)


def after(connection: Connection, last: SignalRecord | None) -> Sequence[SignalRecord]:
    """Return the next page of signals in the order of their keys; None starts."""
    position = key_of(last) if last else None
    return [signal_record(row) for row in reading.page(connection, signals, tuple(signals.primary_key), position)]


def _stored(connection: Connection, records: Sequence[SignalRecord]) -> Iterator[tuple[SignalKey, SignalRecord]]:
    wanted = {key_of(record) for record in records}
    nonces: defaultdict[str, set[bytes]] = defaultdict(set)
    for namespace, nonce, _ in wanted:
        nonces[namespace].add(nonce)
    for namespace, named in nonces.items():
        ordered = sorted(named)
        for start in range(0, len(ordered), CHUNK):
            chunk = {"namespace": namespace, "nonces": ordered[start : start + CHUNK]}
            for row in connection.execute(_STORED, chunk):
                key = row.namespace, row.nonce, row.signal
                if key in wanted:
                    yield key, signal_record(row)
