"""What the service needs of the outside. Adapters satisfy these structurally; main.py picks them.

Arguments and results are immutable values; nothing here is shared with the implementation.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from adapters.ledger import Discrepancy, Followed, Position, StoredSums, Written
from adapters.providers.chat import Answer, AnswerStream, Body, Timeouts
from adapters.registry import Audited, Edit, Registry
from adapters.saved import Saved
from bandit.records import DecisionRecord, SignalRecord


class Store(Protocol):
    """Keeps signals, their sums, the decision log and the registry. Calls are served one after the other.

    Every method raises adapters.ledger.StoreUnavailableError when the store does not answer; nothing, or all,
    of the call then happened, and so when its caller is cancelled.
    """

    async def prepare(self) -> str | None:
        """Make sure that its tables are there. Safe to repeat.

        Returns their version where it is a newer one that this version may use too. Raises StoreSchemaError where it
        may not, StoreError when the store is not usable.
        """

    async def write(self, records: Sequence[SignalRecord]) -> Written:
        """Store signals and add what they change to the sums and to the spend, in one transaction.

        Durable when it returns. Records are resolved in order by `bandit.votes.resolve`; calling again
        with the same records changes nothing. Raises bandit.errors.SumsOverflowError, and stores nothing,
        when a row of the sums would count more than `bandit.sums.MAX_COUNT` observations.
        """

    async def load(self, namespace: str, *, billed_since_us: int = 0) -> StoredSums:
        """Return the sums, revision and known categories of a namespace, and what it was billed from a time on.

        Empty for an unknown one; all of it is of one moment.
        """

    async def namespaces(self) -> Sequence[str]:
        """Return every namespace that has sums or categories, sorted."""

    async def log_decisions(self, records: Sequence[DecisionRecord]) -> None:
        """Append to the decision log; one that is already logged is left as it is. Those of one call are distinct."""

    async def add_categories(self, namespace: str, names: Sequence[str], *, managed_by: str) -> None:
        """Remember categories; a known one keeps its `managed_by` unless the file now names it."""

    async def registry(self) -> Registry:
        """Return the registry; all of it is of one version."""

    async def edit_registry(self, seen: int, edits: Sequence[Edit], *, time_us: int, client: str) -> None:
        """Make edits, and note when and by which client; all of them or none. Its version counts each.

        Raises adapters.registry.RegistryMovedError where the registry is no longer at the version `seen` that the edits
        were thought of.
        """

    async def audit(self, namespace: str, *, before: int, count: int) -> Sequence[Audited]:
        """Return the newest `count` edits that made versions below `before`: of this namespace, and of all."""

    def signals(self) -> AsyncIterator[SignalRecord]:
        """Read the signals that are kept, retractions too, sorted by namespace, nonce and name.

        Pages are read as they are asked for, so what is written meanwhile may or may not appear.
        """

    def decisions(self) -> AsyncIterator[DecisionRecord]:
        """Read the decision log, oldest decision first, page by page as `signals` does."""

    async def decision(self, namespace: str, nonce: bytes, decided_us: int) -> DecisionRecord | None:
        """Return a decision of the log; None where it does not hold it."""

    async def newest_us(self) -> int | None:
        """Return the time of the newest decision that it holds anything about; None where there is none."""

    async def retain(self, before_us: int) -> int:
        """Drop signals and decisions decided before this time, keeping what they taught and cost in the bases.

        After the first time at most a day more is dropped at once: see `adapters.ledger.moved`.

        Returns the number of rows dropped. From then on `write` supersedes whatever is said of decisions before this
        time: nothing could tell a repetition from a first vote. So it should lie further back than tokens are valid.
        """

    async def compact(self, now_us: int) -> None:
        """Merge rows of the sums into the buckets that `bandit.grid` keeps as seen from now, a day more at most.

        Those of the spend go into the buckets of `bandit.spend`.
        What is loaded afterwards has fewer rows and lays out to the same sums for this time and every later one.
        """

    async def verify(self) -> Mapping[str, Sequence[Discrepancy]]:
        """Compare sums and spend with their bases plus the fold of the signals, by namespace; empty where equal."""

    async def free_bytes(self) -> int | None:
        """Return the space left where the store writes; None where that is not known."""

    async def close(self) -> None:
        """Finish what was begun and release everything. Safe to call twice."""


@runtime_checkable
class SharedStore(Store, Protocol):
    """A store that other replicas write to as well, so that what was learned is read from it alone."""

    async def follow(self, seen: Position | None, *, billed_since_us: Mapping[str, int]) -> Followed:
        """Return what changed since `seen`, however late its transactions were committed; None asks for everything.

        It may return more than what changed, and everything where it cannot tell. Spend is read of the namespaces in
        `billed_since_us`, from that time on.
        """


class Archive(Protocol):
    """Takes the log of days that are about to be dropped."""

    async def keep(self, before_us: int) -> int:
        """Export whole days that ended by `before_us`; return the time before which nothing is left to export.

        Raises adapters.traffic.errors.TrafficError where they cannot be written, and
        adapters.ledger.StoreUnavailableError where they cannot be read.
        """


class Spool(Protocol):
    """A local journal of signals that the store did not take. Calls are served one after the other.

    Every method raises adapters.ledger.StoreUnavailableError where its disk fails, another StoreError where what it
    needs is damaged; then nothing happened.
    """

    async def append(self, records: Sequence[SignalRecord]) -> None:
        """Add records; on the disk when it returns. Raises SpoolFullError, and adds none, where they find no room."""

    async def oldest(self, count: int) -> tuple[Sequence[SignalRecord], int]:
        """Return up to so many of the oldest records, and the place after them; none where it is empty."""

    async def forget(self, place: int) -> None:
        """Remove what stands before a place: the store has it."""

    async def step_over(self) -> int:
        """Give up the oldest records, up to one that can be read, or to the end; return how many places that were."""

    async def extent(self) -> tuple[int, int]:
        """Return how many records, and how many bytes, it holds."""

    async def close(self) -> None:
        """Finish what was begun and release everything. Safe to call twice."""


class SavedState(Protocol):
    """What was learned, and the registry, kept on this machine. Its calls wait for the disk, so threads make them.

    Both raise adapters.ledger.StoreError where that is not possible.
    """

    def read(self) -> Saved:
        """Return what was saved last; nothing where nothing was."""

    def write(self, saved: Saved) -> None:
        """Replace what was saved, whole; on the disk when it returns."""


class Provider(Protocol):
    """Calls one model where it is served. Both raise adapters.providers.errors.ProviderError, and nothing else."""

    async def complete(self, body: Body, timeouts: Timeouts) -> Answer:
        """Return the whole answer; being cancelled ends the call."""

    async def stream(self, body: Body, timeouts: Timeouts) -> AnswerStream:
        """Return the answer as soon as the provider accepted the request; the caller closes it."""
