"""Proving that the sums and the spend are those of the signals, and mending them where they are not."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, select

from adapters.bills import add_spend, rebilled, without_zeros
from adapters.ledger import Discrepancy, StoreError, add, compare, compare_spend, fold, grid, lacking
from adapters.sql.marks import COMPACTED, REPAIRS, count, mark
from adapters.sql.reading import namespaces_in, spend_of, sums_of
from adapters.sql.rows import signal_record
from adapters.sql.schema import signals, spend, spend_base, sums, sums_base
from adapters.sql.writing import add_to_revisions, add_to_spend, add_to_sums
from bandit.records import SignalRecord
from bandit.spend import SpendKey, Tally

CHUNK: Final = 1000
"""Signals in memory at a time."""

Progress = Callable[[int, int], object]
"""Told how many signals were read, of how many."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What differs, by namespace, in a store that was repaired so many times before."""

    repairs: int
    differing: Mapping[str, Sequence[Discrepancy]]


def verify(
    connection: Connection, *, bucket_us: int, progress: Progress | None = None
) -> Mapping[str, Sequence[Discrepancy]]:
    """Compare sums and spend with their bases plus the fold of the signals; only what differs is returned.

    Signals are read in one pass, a chunk at a time.
    """
    compacted_us, found = mark(connection, COMPACTED), {}
    starts, watched = grid(compacted_us, bucket_us), _watched(connection, progress)
    for namespace in namespaces_in(connection, signals, sums, sums_base, spend, spend_base):
        bills: dict[SpendKey, Tally] = {}
        taught = fold(_billed(watched(_log(connection, namespace)), bills), bucket_us)
        folded = add(sums_of(connection, sums_base, namespace), taught)
        billed = add_spend(spend_of(connection, spend_base, namespace), without_zeros(bills))
        differing = compare(sums_of(connection, sums, namespace), folded, starts)
        differing += compare_spend(spend_of(connection, spend, namespace), billed, compacted_us)
        if differing:
            found[namespace] = differing
    return found


def examine(connection: Connection, *, bucket_us: int, progress: Progress | None = None) -> Findings:
    """Return what `verify` finds, for `repair`."""
    return Findings(mark(connection, REPAIRS), verify(connection, bucket_us=bucket_us, progress=progress))


def repair(connection: Connection, findings: Findings) -> None:
    """Add to sums and spend what they lack of the log; raises StoreError after another repair.

    What was written since `examine` changed both sides alike, so the difference is still the one to add. Each
    namespace that changes counts one change more, so that nobody takes its new sums for the old ones.
    """
    if mark(connection, REPAIRS) != findings.repairs:
        raise StoreError("another repair was faster: run this one again, to see whether anything is left to mend")
    for namespace, differing in findings.differing.items():
        taught, billed = lacking(differing)
        add_to_sums(connection, sums, {namespace: taught})
        add_to_spend(connection, spend, {namespace: billed})
        add_to_revisions(connection, {namespace: 1})
    count(connection, REPAIRS)


def _log(connection: Connection, namespace: str) -> Iterator[SignalRecord]:
    log = select(signals).where(signals.c.namespace == namespace)
    return map(signal_record, connection.execute(log, execution_options={"yield_per": CHUNK}))


def _billed(records: Iterable[SignalRecord], bills: dict[SpendKey, Tally]) -> Iterator[SignalRecord]:
    """Pass records on and add up their bills."""
    for record in records:
        rebilled(None, record, bills)
        yield record


def _watched(
    connection: Connection, progress: Progress | None
) -> Callable[[Iterator[SignalRecord]], Iterator[SignalRecord]]:
    """Return what passes records on and tells how many there were so far, over all logs."""
    if progress is None:
        return iter
    total: int = connection.execute(select(func.count()).select_from(signals)).scalar_one()
    done = 0

    def watching(records: Iterator[SignalRecord]) -> Iterator[SignalRecord]:
        nonlocal done
        for record in records:
            done += 1
            if not done % CHUNK:
                progress(done, total)
            yield record
        progress(done, total)

    return watching
