"""One vote per (decision, signal): which of two records of the same signal counts.

The record with the largest (observed time, value) wins, a retraction being the largest value. Taking a
maximum is commutative, associative and idempotent, so retries, duplicates and the order of arrival do not
change what is counted.
"""

from dataclasses import dataclass
from enum import IntEnum

from bandit.evidence import Event, events_of
from bandit.records import SignalRecord
from bandit.signals import Fact


class SignalStatus(IntEnum):
    """What became of a signal; the numbers are those of the contract."""

    APPLIED = 1
    AMENDED = 2
    RETRACTED = 3
    DUPLICATE = 4
    SUPERSEDED = 5

    @property
    def counted(self) -> bool:
        """Whether it changed what is counted, and so the revision."""
        return self <= SignalStatus.RETRACTED


@dataclass(frozen=True, slots=True)
class Resolution:
    """What became of an incoming record: which record is kept, and the events to add to the sums."""

    status: SignalStatus
    kept: SignalRecord
    events: tuple[Event, ...]


def resolve(stored: SignalRecord | None, incoming: SignalRecord) -> Resolution:
    """Decide between the stored record of a signal (None: there is none) and an incoming one."""
    if stored is not None and _rank(incoming) <= _rank(stored):
        same = _rank(incoming) == _rank(stored)
        return Resolution(SignalStatus.DUPLICATE if same else SignalStatus.SUPERSEDED, stored, ())
    old = stored.fact if stored is not None else None
    if stored is not None and old == incoming.fact:
        return Resolution(SignalStatus.DUPLICATE, incoming, ())
    added = events_of(incoming.decision, incoming.fact)
    removed = tuple(event.negated() for event in events_of(incoming.decision, old))
    return Resolution(_status(old, incoming.fact), incoming, (*removed, *added))


def _status(old: Fact | None, new: Fact | None) -> SignalStatus:
    if new is None:
        return SignalStatus.RETRACTED
    return SignalStatus.APPLIED if old is None else SignalStatus.AMENDED


def _rank(record: SignalRecord) -> tuple[int, bool, tuple[int | str, ...]]:
    if record.fact is None:
        return record.observed_us, True, ()
    return record.observed_us, False, tuple(-1 if part is None else part for part in record.fact)
