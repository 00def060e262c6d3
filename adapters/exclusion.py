"""Taking back what somebody said: poisoned feedback, as if it had never been given.

A signal that is excluded stays as a retraction that nothing outvotes (`bandit.votes.excluded`), and is written as every
other signal is. So the sums, the spend and the revision follow exactly, replicas of this and of earlier versions take
part, and whoever repeats the signal is told that it is superseded. What was said is gone: back up first.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from adapters.ledger import StoredSums, Written
from bandit.evidence import events_of
from bandit.records import SignalRecord
from bandit.votes import excluded

CHUNK: Final = 1000
"""Signals that one transaction takes back, so that feedback never waits long."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Which signals: those of any of these clients or raters, or everyone's where neither is named.

    Of these, those that were received from `since_us` up to before `until_us` (None: always), in one namespace
    (empty: in all). When they were received is the server's own word.
    """

    clients: frozenset[str] = frozenset()
    raters: frozenset[str] = frozenset()
    since_us: int | None = None
    until_us: int | None = None
    namespace: str = ""

    def covers(self, record: SignalRecord) -> bool:
        """Tell whether a signal is one of them, and still says something."""
        named = record.client in self.clients or record.rater in self.raters
        return (
            record.fact is not None
            and (named or not (self.clients or self.raters))
            and (self.since_us is None or record.received_us >= self.since_us)
            and (self.until_us is None or record.received_us < self.until_us)
            and self.namespace in ("", record.namespace)
        )


class Cell(NamedTuple):
    """Whose observations of one signal are counted; `source` is empty but for quality."""

    namespace: str
    category: str
    model: str
    signal: str
    source: str


class Counted(NamedTuple):
    """How many observations a cell has without the exclusion, and with it."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Excluded:
    """How many signals were, or would be, taken back, and what that does to each cell that changes, sorted."""

    signals: int = 0
    cells: Mapping[Cell, Counted] = field(default_factory=dict)


class Votes(Protocol):
    """What excluding needs of a store: part of what `server.ports.Store` has, and the search."""

    def matching(self, exclusion: Exclusion) -> AsyncIterator[SignalRecord]:
        """Read the signals that an exclusion covers, in the order of their keys, page by page."""

    async def count_matching(self, exclusion: Exclusion) -> int:
        """Return how many there are."""

    async def write(self, records: Sequence[SignalRecord]) -> Written:
        """Store signals and what they change."""

    async def load(self, namespace: str, *, billed_since_us: int = 0) -> StoredSums:
        """Return what a namespace has learned."""


async def exclude(
    store: Votes, exclusion: Exclusion, *, dry_run: bool = False, progress: Callable[[int, int], object] | None = None
) -> Excluded:
    """Take signals back, or say what would change; `progress` is told how many are done, of how many.

    Can be interrupted and run again. What arrives meanwhile may be missed: withdraw the client's key first.
    """
    found, done, removed = 0, 0, Counter[Cell]()
    total = await store.count_matching(exclusion) if progress else 0
    async for chunk in _chunks(store.matching(exclusion)):
        taken = chunk if dry_run else await _taken_back(store, chunk)
        removed.update(cell for record in taken for cell in _cells(record))
        found += len(taken)
        done += len(chunk)
        if progress is not None:
            progress(done, total)
    held = await _held(store, removed)
    gone = removed if dry_run else Counter[Cell]()
    back = Counter[Cell]() if dry_run else removed
    cells = {cell: Counted(held[cell] + back[cell], held[cell] - gone[cell]) for cell in sorted(removed)}
    return Excluded(found, cells)


async def _taken_back(store: Votes, chunk: Sequence[SignalRecord]) -> list[SignalRecord]:
    """Take signals back; return those that were. Retention, or another exclusion, may be faster than we are."""
    statuses = (await store.write([excluded(record) for record in chunk])).statuses
    return [record for record, status in zip(chunk, statuses, strict=True) if status.counted]


async def _chunks(records: AsyncIterator[SignalRecord]) -> AsyncIterator[list[SignalRecord]]:
    chunk: list[SignalRecord] = []
    async for record in records:
        chunk.append(record)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _cells(record: SignalRecord) -> Iterable[Cell]:
    for event in events_of(record.decision, record.fact):
        yield Cell(record.namespace, event.category, event.model, event.signal, _source(event.signal, event.source))


def _source(signal: str, source: str) -> str:
    return source if signal == "quality" else ""


async def _held(store: Votes, cells: Iterable[Cell]) -> Counter[Cell]:
    """Count the observations that the sums hold in the namespaces of these cells."""
    held = Counter[Cell]()
    for namespace in sorted({cell.namespace for cell in cells}):
        rows = (await store.load(namespace)).rows
        for (category, model, signal, source, _), moments in rows.items():
            held[Cell(namespace, category, model, signal, _source(signal, source))] += moments.n
    return held
