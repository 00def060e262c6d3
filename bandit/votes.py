"""One vote per (decision, signal): which of two records of the same signal counts.

The record with the largest (observed time, value) wins, a retraction being the largest value. Taking a
maximum is commutative, associative and idempotent, so retries, duplicates and the order of arrival do not
change what is counted.
"""

from enum import IntEnum
from typing import Final, NamedTuple

from bandit.evidence import Event, events_of
from bandit.records import SignalRecord

EXCLUDED_US: Final = 2**63 - 1
"""Observed time of a retraction that nothing outvotes."""


class SignalStatus(IntEnum):
    """What became of a signal; the numbers are those of the contract."""

    APPLIED = 1
    AMENDED = 2
    RETRACTED = 3
    DUPLICATE = 4
    SUPERSEDED = 5
    SPOOLED = 6
    """Durable, but not compared with what is stored yet."""

    @property
    def counted(self) -> bool:
        """Whether it changed what is counted, and so the revision."""
        return self <= SignalStatus.RETRACTED


class Resolution(NamedTuple):
    """What became of an incoming record: which record is kept, and the events to add to the sums."""

    status: SignalStatus
    kept: SignalRecord
    events: tuple[Event, ...]


def resolve(stored: SignalRecord | None, incoming: SignalRecord) -> Resolution:
    """Decide between the stored record of a signal (None: there is none) and an incoming one."""
    added = events_of(incoming.decision, incoming.fact)
    if stored is None:
        return Resolution(SignalStatus.RETRACTED if incoming.fact is None else SignalStatus.APPLIED, incoming, added)
    rank, stored_rank = _rank(incoming), _rank(stored)
    if rank <= stored_rank:
        return Resolution(SignalStatus.DUPLICATE if rank == stored_rank else SignalStatus.SUPERSEDED, stored, ())
    if stored.fact == incoming.fact:
        return Resolution(SignalStatus.DUPLICATE, incoming, ())
    removed = tuple([event.negated() for event in events_of(incoming.decision, stored.fact)])
    if incoming.fact is None:
        return Resolution(SignalStatus.RETRACTED, incoming, removed)
    status = SignalStatus.APPLIED if stored.fact is None else SignalStatus.AMENDED
    return Resolution(status, incoming, removed + added)


def excluded(record: SignalRecord) -> SignalRecord:
    """Return what takes a signal back for good: whatever is said of it later is superseded."""
    return record._replace(fact=None, observed_us=EXCLUDED_US, bill=None)


def _rank(record: SignalRecord) -> tuple[int, bool, tuple[int | str, ...]]:
    if record.fact is None:
        return record.observed_us, True, ()
    return record.observed_us, False, tuple(-1 if part is None else part for part in record.fact)
