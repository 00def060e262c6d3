"""The values that every store returns, the errors it raises, and the arithmetic that all stores share."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapters.bills import SpendRows, coarsen_spend, rebilled, without_zeros
from bandit.evidence import Event, events_of
from bandit.grid import boundaries
from bandit.records import SignalRecord
from bandit.spend import NOTHING as NO_SPEND
from bandit.spend import SpendKey, Tally
from bandit.sums import Moments, RowKey, aggregate
from bandit.votes import SignalStatus, resolve

MANAGED_BY_FILE: Final = "file"
"""Value of `managed_by` for what the configuration file names."""

Rows = Mapping[RowKey, Moments]
SignalKey = tuple[str, bytes, str]
"""Namespace, nonce and name: a store keeps one record per key."""

NOTHING: Final = Moments(0, 0, 0)

LONGEST_STEP_US: Final = 86_400_000_000
"""How far a mark of what was dropped or merged moves at once, after it was first set."""


class StoreError(Exception):
    """The store cannot do what it was asked."""


class StoreUnavailableError(StoreError):
    """The store does not answer just now; the call may be repeated."""


class StoreMissingError(StoreError):
    """There is no store yet: nobody has made its tables."""


class StoreForbiddenError(StoreUnavailableError):
    """The store answers, but does not let us in, or not do what it takes: whoever runs it has to change that."""


class SpoolFullError(StoreError):
    """The spool holds as many bytes as it may."""


class StoreLockedError(StoreError):
    """Another server already uses this store."""


class StoreSchemaError(StoreError):
    """The store was written by a newer version; upgrade routeward before starting it here."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a write changed in one namespace: rows to add to its sums and its spend, and the revision after it."""

    revision: int
    rows: Rows
    spend: SpendRows = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """What became of each record of a write, in order, and the change in each namespace it named."""

    statuses: tuple[SignalStatus, ...]
    changes: Mapping[str, Change]


@dataclass(frozen=True, slots=True)
class StoredSums:
    """Everything a namespace has learned, and what it was billed."""

    revision: int = 0
    rows: Rows = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    spend: SpendRows = field(default_factory=dict)


Position = tuple[int, ...]
"""How much of a shared store was seen: names a moment of it, and changes whenever rows were merged or taken away."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What changed in a shared store since a position, and the position after it; all of it is of one moment.

    `namespaces` holds absolute rows: those that may have changed, or all of them where `whole`. `registry` counts
    the changes of the registry.
    """

    position: Position
    whole: bool
    namespaces: Mapping[str, StoredSums]
    registry: int = 0


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A row whose stored sums, or whose stored spend, differ from the fold of the log."""

    key: RowKey | SpendKey
    stored: Moments | Tally
    folded: Moments | Tally


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a batch does to a store.

    `kept` holds the records to store, by key in sorted order; `rows`, `spend` and `counted` hold, for every namespace
    of the batch in sorted order, what to add to its sums, its spend and its revision.
    """

    statuses: tuple[SignalStatus, ...]
    kept: Mapping[SignalKey, SignalRecord]
    rows: Mapping[str, Rows]
    spend: Mapping[str, SpendRows]
    counted: Mapping[str, int]


def moved(mark_us: int, wanted_us: int) -> int:
    """Return where a mark stands that should move to `wanted_us`: never back, and by at most a day.

    Marks cannot be taken back, and a clock that is wrong by a year should not cost a year of feedback. After a long
    rest they catch up day by day.
    """
    if not mark_us:
        return wanted_us
    return max(mark_us, min(wanted_us, mark_us + LONGEST_STEP_US))


def key_of(record: SignalRecord) -> SignalKey:
    """Return the key under which a store keeps the record."""
    return record.namespace, record.nonce, record.signal


def settle(
    records: Sequence[SignalRecord], stored: Mapping[SignalKey, SignalRecord], bucket_us: int, retained_us: int
) -> Settlement:
    """Resolve `records` in order against what is `stored` under their keys.

    What is said of decisions before `retained_us` is superseded: what was stored of them has been dropped, so that
    nobody could tell a repetition from a first vote.
    """
    statuses: list[SignalStatus] = []
    kept: dict[SignalKey, SignalRecord] = {}
    events: dict[str, list[Event]] = {record.namespace: [] for record in records}
    spend: dict[str, dict[SpendKey, Tally]] = {namespace: {} for namespace in events}
    counted = dict.fromkeys(events, 0)
    for record in records:
        if record.decision.decided_us < retained_us:
            statuses.append(SignalStatus.SUPERSEDED)
            continue
        key = key_of(record)
        before = kept.get(key) or stored.get(key)
        resolution = resolve(before, record)
        statuses.append(resolution.status)
        if resolution.kept is not before:
            kept[key] = rebilled(before, resolution.kept, spend[record.namespace])
        if resolution.status.counted:
            events[record.namespace] += resolution.events
            counted[record.namespace] += 1
    return Settlement(
        tuple(statuses),
        dict(sorted(kept.items())),
        {namespace: aggregate(events[namespace], bucket_us) for namespace in sorted(events)},
        {namespace: without_zeros(spend[namespace]) for namespace in sorted(events)},
        counted,
    )


def fold(records: Iterable[SignalRecord], bucket_us: int) -> dict[RowKey, Moments]:
    """Add up what records of one namespace teach, holding one at a time."""
    return aggregate((e for record in records for e in events_of(record.decision, record.fact)), bucket_us)


def add(left: Rows, right: Rows) -> dict[RowKey, Moments]:
    """Return the sum of both, without rows that are zero, in sorted order."""
    total = defaultdict(lambda: NOTHING, left)
    for key, moments in right.items():
        total[key] += moments
    return {key: moments for key, moments in sorted(total.items()) if any(moments)}


def grid(now_us: int, bucket_us: int) -> tuple[int, ...]:
    """Return the first fine buckets of the grid that `bandit.grid` lays from the beginning to now."""
    return tuple(boundaries(0, now_us // bucket_us).tolist())


def covering(starts: tuple[int, ...], bucket: int) -> int:
    """Return the first fine bucket of what covers `bucket`; what lies behind the grid covers itself."""
    return bucket if bucket > starts[-1] else starts[bisect_right(starts, bucket) - 1]


def coarsen(rows: Rows, starts: tuple[int, ...]) -> dict[RowKey, Moments]:
    """Return `rows` merged into the buckets of a grid, without rows that are zero, in sorted order."""
    total: defaultdict[RowKey, Moments] = defaultdict(lambda: NOTHING)
    for key, moments in rows.items():
        total[key._replace(bucket=covering(starts, key.bucket))] += moments
    return add(total, {})


def compare(stored: Rows, folded: Rows, starts: tuple[int, ...]) -> tuple[Discrepancy, ...]:
    """Return the rows in which both differ on a grid, in sorted order; a missing row is zero."""
    stored, folded = coarsen(stored, starts), coarsen(folded, starts)
    pairs = ((key, stored.get(key, NOTHING), folded.get(key, NOTHING)) for key in sorted({*stored, *folded}))
    return tuple(Discrepancy(*pair) for pair in pairs if pair[1] != pair[2])


def compare_spend(stored: SpendRows, folded: SpendRows, compacted_us: int) -> tuple[Discrepancy, ...]:
    """Return the rows in which both differ as seen from `compacted_us`, in sorted order; a missing row is zero."""
    stored, folded = coarsen_spend(stored, compacted_us), coarsen_spend(folded, compacted_us)
    pairs = ((key, stored.get(key, NO_SPEND), folded.get(key, NO_SPEND)) for key in sorted({*stored, *folded}))
    return tuple(Discrepancy(*pair) for pair in pairs if pair[1] != pair[2])


def lacking(differing: Iterable[Discrepancy]) -> tuple[dict[RowKey, Moments], dict[SpendKey, Tally]]:
    """Return what to add to the sums, and to the spend, so that they become what the log says."""
    taught: dict[RowKey, Moments] = {}
    billed: dict[SpendKey, Tally] = {}
    for key, stored, folded in ((one.key, one.stored, one.folded) for one in differing):
        difference = (new - old for old, new in zip(stored, folded, strict=True))
        if isinstance(key, RowKey):
            taught[key] = Moments(*difference)
        else:
            billed[key] = Tally(*difference)
    return taught, billed
