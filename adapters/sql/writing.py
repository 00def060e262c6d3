"""The transaction behind every acknowledged signal."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Select, Table, bindparam, cast, func, select

from adapters.bills import SpendRows
from adapters.ledger import Change, Rows, SignalKey, Written, key_of, settle
from adapters.sql import reading
from adapters.sql.marks import RETAINED, mark
from adapters.sql.rows import signal_record, signal_row
from adapters.sql.schema import revisions, signals, spend, sums
from adapters.sql.statements import execute, insert_or_add, insert_or_replace, insert_rows
from bandit.records import SignalRecord

CHUNK: Final = 512
"""Decisions that one statement looks up."""

_REVISION: Final = select(cast(func.sum(revisions.c.revision), BigInteger)).where(
    revisions.c.namespace == bindparam("namespace")
)


def write(connection: Connection, records: Sequence[SignalRecord], *, bucket_us: int) -> Written:
    """Store signals and add what they change to the sums. Raises SumsOverflowError."""
    retained_us = mark(connection, RETAINED)
    settled = settle(records, dict(_stored(connection, records)), bucket_us, retained_us)
    insert_rows(connection, signals, insert_or_replace, map(signal_row, settled.kept.values()))
    add_to_sums(connection, sums, settled.rows)
    add_to_spend(connection, spend, settled.spend)
    add_to_revisions(connection, settled.counted)
    changes = {
        namespace: Change(revision_of(connection, namespace), rows, settled.spend[namespace])
        for namespace, rows in settled.rows.items()
    }
    return Written(settled.statuses, changes)


def add_to_revisions(connection: Connection, counted: Mapping[str, int], shard: int = 0) -> None:
    """Add to the revision of each namespace; it is known from then on."""
    insert_rows(connection, revisions, insert_or_add, [(name, shard, count) for name, count in counted.items()])


def revision_of(connection: Connection, namespace: str) -> int:
    """Return the revision of a namespace, 0 for an unknown one."""
    ((revision,),) = execute(connection, _REVISION, (namespace,))
    return int(revision or 0)


def add_to_sums(connection: Connection, table: Table, added: Mapping[str, Rows], shard: int = 0) -> None:
    """Add rows of each namespace to `sums` or `sums_base`."""
    rows = [(namespace, *key, shard, *moments) for namespace, part in added.items() for key, moments in part.items()]
    insert_rows(connection, table, insert_or_add, rows)


def add_to_spend(connection: Connection, table: Table, added: Mapping[str, SpendRows], shard: int = 0) -> None:
    """Add rows of each namespace to `spend` or `spend_base`."""
    rows = [
        (namespace, category, profile, int(priced), minute, shard, *tally)
        for namespace, part in added.items()
        for (category, profile, priced, minute), tally in part.items()
    ]
    insert_rows(connection, table, insert_or_add, rows)


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
            for record in _about(connection, namespace, ordered[start : start + CHUNK]):
                if key_of(record) in wanted:
                    yield key_of(record), record


def _about(connection: Connection, namespace: str, nonces: Sequence[bytes]) -> Iterator[SignalRecord]:
    """Read what is stored about decisions. The number of names is rounded up, so that few statements are prepared."""
    size = 1 << (len(nonces) - 1).bit_length()
    names = map(bytearray, (*nonces, *[nonces[-1]] * (size - len(nonces))))
    return map(signal_record, execute(connection, _lookup(size), (namespace, *names)))


@lru_cache
def _lookup(size: int) -> Select[*tuple[Any, ...]]:
    nonces = signals.c.nonce.in_([bindparam(f"nonce_{place}", type_=signals.c.nonce.type) for place in range(size)])
    return select(signals).where(signals.c.namespace == bindparam("namespace"), nonces)
