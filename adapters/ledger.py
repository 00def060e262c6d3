"""The values that every store returns, and the errors it raises."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bandit.sums import Moments, RowKey
from bandit.votes import SignalStatus


class StoreError(Exception):
    """The store cannot do what it was asked."""


class StoreUnavailableError(StoreError):
    """The store does not answer just now; the call may be repeated."""


class StoreLockedError(StoreError):
    """Another server already uses this store."""


class StoreSchemaError(StoreError):
    """The store was written by a newer version; upgrade routeward before starting it here."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a write changed in one namespace: rows to add to its sums, and the revision after it."""

    revision: int
    rows: Mapping[RowKey, Moments]


@dataclass(frozen=True, slots=True)
class Written:
    """What became of each record of a write, in order, and the change in each namespace it touched."""

    statuses: tuple[SignalStatus, ...]
    changes: Mapping[str, Change]


@dataclass(frozen=True, slots=True)
class StoredSums:
    """Everything a namespace has learned."""

    revision: int = 0
    rows: Mapping[RowKey, Moments] = field(default_factory=dict)
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A row whose stored sums differ from the fold of the log."""

    key: RowKey
    stored: Moments
    folded: Moments
