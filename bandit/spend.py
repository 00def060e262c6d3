"""What was billed: exact integers per category, profile and time bucket, additive as the sums are.

A bucket is a minute in the present hour and the one before, and an hour further back, up to a number of hours. Which
buckets there are depends on the time alone, so the same rows lay out to the same bits on every replica. Bills count
at the time of their decision; those of a clock that is ahead wait until it comes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from bandit.catalogue import Prices
from bandit.signals import Outcome

Ints = NDArray[np.int64]

MINUTE_US: Final = 60_000_000
HOUR: Final = 60
"""In minutes."""
NANO: Final = 1e9
LARGEST_BILL: Final = 10**12
"""A thousand dollars, in nano-dollars."""


class SpendKey(NamedTuple):
    """Where a bill belongs.

    `profile` is the one that the request named, empty for none. `priced` says that the decision was made while a
    budget had its price. `minute` is the first minute of the time bucket, counted from 1970-01-01 UTC.
    """

    category: str
    profile: str
    priced: bool
    minute: int


class Tally(NamedTuple):
    """Number of billed calls, and what they cost together in nano-dollars."""

    n: int
    nano_usd: int

    def __add__(self, other: tuple[int, ...]) -> "Tally":  # type: ignore[override]
        n, nano_usd = other
        return Tally(self.n + n, self.nano_usd + nano_usd)


NOTHING: Final = Tally(0, 0)
Rows = Mapping[SpendKey, Tally]


class Bill(NamedTuple):
    """What a call cost, as it is recorded with its outcome: once, at the prices of that time.

    `profile` and `priced` are those of its decision, as in `SpendKey`.
    """

    profile: str
    priced: bool
    nano_usd: int


@dataclass(frozen=True, slots=True, eq=False)
class Spend:
    """What was billed in one namespace, as seen from the minute `now`.

    `tallies` has shape (2, 2, G, B): number and nano-dollars; without and with a price; group, bucket. Groups are
    sorted pairs of category and profile that were billed. What is older than `hours` is left out, and what is dated
    after `now` is kept in `ahead` until its time comes.
    """

    hours: int
    now: int
    groups: tuple[tuple[str, str], ...]
    tallies: Ints
    ahead: Rows = field(default_factory=dict)

    @classmethod
    def empty(cls, hours: int, now_us: int = 0) -> Self:
        """Return the spend of nobody, seen from `now_us`."""
        now = now_us // MINUTE_US
        return cls(hours, now, (), np.zeros((2, 2, 0, len(starts(now, hours))), np.int64))

    @property
    def starts(self) -> Ints:
        """First minute of each bucket, ascending; shape (B,)."""
        return starts(self.now, self.hours)

    def rows(self) -> dict[SpendKey, Tally]:
        """Return what is not zero, keyed by the first minute of its bucket, in sorted order; `ahead` too."""
        grid, rows = self.starts, dict(self.ahead)
        for priced, g, b in np.argwhere(self.tallies.any(axis=0)):
            category, profile = self.groups[g]
            key = SpendKey(category, profile, bool(priced), int(grid[b]))
            rows[key] = Tally(*self.tallies[:, priced, g, b].tolist())
        return dict(sorted(rows.items()))


def starts(now: int, hours: int) -> Ints:
    """Return the first minutes of the buckets seen from a minute."""
    fine = now // HOUR * HOUR - HOUR
    return np.concatenate([np.arange(fine - HOUR * (hours - 1), fine, HOUR), np.arange(fine, now + 1)]).astype(np.int64)


def bucket_of(minute: int, now: int) -> int:
    """Return the first minute of the bucket that covers a minute, seen from `now`."""
    return minute if minute >= now // HOUR * HOUR - HOUR else minute // HOUR * HOUR


def billed(spend: Spend, rows: Rows, now_us: int) -> Spend:
    """Return `spend` seen from `now_us`, never from before `spend.now`, with `rows` added.

    A function of all rows and the time alone: it does not matter when, or in what pieces, they were told.
    """
    now = max(spend.now, now_us // MINUTE_US)
    if not rows and now == spend.now:
        return spend
    due, ahead = _due(spend.ahead, rows, now)
    groups = tuple(sorted({*spend.groups, *((key.category, key.profile) for key in due)}))
    place = {group: g for g, group in enumerate(groups)}
    grid = starts(now, spend.hours)
    tallies = np.zeros((2, 2, len(groups), len(grid)), np.int64)
    buckets, columns = _places(grid, spend.starts), np.array([place[group] for group in spend.groups], dtype=np.int64)
    kept = buckets >= 0
    first = np.flatnonzero(np.diff(buckets[kept], prepend=-1) > 0)
    merged = np.add.reduceat(spend.tallies[..., kept], first, axis=-1)
    tallies[:, :, columns[:, None], buckets[kept][first]] = merged
    for key, tally in due.items():
        (bucket,) = _places(grid, np.array([key.minute]))
        if bucket >= 0:
            tallies[:, int(key.priced), place[key.category, key.profile], bucket] += tally
    return _filled(Spend(spend.hours, now, groups, tallies, ahead))


def _due(waiting: Rows, rows: Rows, now: int) -> tuple[Rows, Rows]:
    """Return what counts at the minute `now`, and what has to wait, without what was taken back meanwhile."""
    due = {key: tally for key, tally in waiting.items() if key.minute <= now}
    ahead = {key: tally for key, tally in waiting.items() if key.minute > now}
    for key, tally in rows.items():
        told = due if key.minute <= now else ahead
        told[key] = told.get(key, NOTHING) + tally
    return due, {key: tally for key, tally in sorted(ahead.items()) if any(tally)}


def _filled(spend: Spend) -> Spend:
    """Return `spend` without groups of which nothing is left, as if they had never been told."""
    filled = np.flatnonzero(spend.tallies.any(axis=(0, 1, 3)))
    groups = tuple(spend.groups[g] for g in filled)
    tallies = spend.tallies.take(filled, axis=2)
    tallies.setflags(write=False)
    return replace(spend, groups=groups, tallies=tallies)


def _places(grid: Ints, minutes: Ints) -> Ints:
    """Return the bucket of each minute; -1 for what is too old."""
    return np.searchsorted(grid, minutes, side="right") - 1


def billed_nano_usd(outcome: Outcome, prices: Prices | None) -> int | None:
    """Return what a call cost in nano-dollars: its bill, else price times tokens; None where neither is known.

    What is more than `LARGEST_BILL` counts as that: nobody pays it, and sums must stay within int64.
    """
    if outcome.cost_nano_usd is not None:
        return min(outcome.cost_nano_usd, LARGEST_BILL)
    if prices is None or outcome.input_tokens is None or outcome.output_tokens is None:
        return None
    cached = min(outcome.cached_input_tokens or 0, outcome.input_tokens)
    usd_per_million = (
        (outcome.input_tokens - cached) * prices.input_usd_per_mtok
        + cached * prices.cached_or_input_usd_per_mtok
        + outcome.output_tokens * prices.output_usd_per_mtok
    )
    return min(round(usd_per_million * 1e3), LARGEST_BILL)
