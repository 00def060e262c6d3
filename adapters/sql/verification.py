"""Proving that the sums are those of the signals."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, select

from adapters.ledger import Discrepancy, add, compare, fold, grid
from adapters.sql.marks import COMPACTED, mark
from adapters.sql.reading import namespaces_in, sums_of
from adapters.sql.rows import signal_record
from adapters.sql.schema import signals, sums, sums_base

CHUNK: Final = 1000
"""Signals in memory at a time."""


def verify(connection: Connection, *, bucket_us: int) -> Mapping[str, Sequence[Discrepancy]]:
    """Compare sums with `sums_base` plus the fold of the signals; only namespaces that differ are returned."""
    starts = grid(mark(connection, COMPACTED), bucket_us)
    found = {}
    for namespace in namespaces_in(connection, signals, sums, sums_base):
        log = select(signals).where(signals.c.namespace == namespace)
        rows = connection.execute(log, execution_options={"yield_per": CHUNK})
        folded = add(sums_of(connection, sums_base, namespace), fold(map(signal_record, rows), bucket_us))
        if differing := compare(sums_of(connection, sums, namespace), folded, starts):
            found[namespace] = differing
    return found
