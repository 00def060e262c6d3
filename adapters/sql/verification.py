"""Proving that the sums and the spend are those of the signals."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, select

from adapters.bills import add_spend, fold_bills
from adapters.ledger import Discrepancy, add, compare, compare_spend, fold, grid
from adapters.sql.marks import COMPACTED, mark
from adapters.sql.reading import namespaces_in, spend_of, sums_of
from adapters.sql.rows import signal_record
from adapters.sql.schema import signals, spend, spend_base, sums, sums_base
from bandit.records import SignalRecord

CHUNK: Final = 1000
"""Signals in memory at a time."""


def verify(connection: Connection, *, bucket_us: int) -> Mapping[str, Sequence[Discrepancy]]:
    """Compare sums and spend with their bases plus the fold of the signals; only what differs is returned."""
    compacted_us, found = mark(connection, COMPACTED), {}
    starts = grid(compacted_us, bucket_us)
    for namespace in namespaces_in(connection, signals, sums, sums_base, spend, spend_base):
        folded = add(sums_of(connection, sums_base, namespace), fold(_log(connection, namespace), bucket_us))
        billed = add_spend(spend_of(connection, spend_base, namespace), fold_bills(_log(connection, namespace)))
        differing = compare(sums_of(connection, sums, namespace), folded, starts)
        differing += compare_spend(spend_of(connection, spend, namespace), billed, compacted_us)
        if differing:
            found[namespace] = differing
    return found


def _log(connection: Connection, namespace: str) -> Iterator[SignalRecord]:
    log = select(signals).where(signals.c.namespace == namespace)
    return map(signal_record, connection.execute(log, execution_options={"yield_per": CHUNK}))
