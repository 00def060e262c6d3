"""The whole learned state: exact integer sums, per category, model, signal, source and time bucket.

`Sums` form a commutative group: `record` and `merge` only add integers, so neither order nor grouping of
arrivals can change a bit of them, and an event and its negation cancel.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Final, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from bandit.errors import SumsOverflowError
from bandit.evidence import Event, Signal
from bandit.grid import boundaries

MAX_COUNT: Final = 10**10
"""Largest number of observations in a cell: y*y of 2^-20 fixed point stays within int64 up to it."""

SignalSource = tuple[Signal, str]
Name = TypeVar("Name", str, SignalSource)


class RowKey(NamedTuple):
    """Where a row of sums belongs; `bucket` is the index of the fine time bucket."""

    category: str
    model: str
    signal: Signal
    source: str
    bucket: int


class Moments(NamedTuple):
    """Number of observations, sum of y and sum of y*y; fixed point of 2^-20."""

    n: int
    y: int
    yy: int

    def __add__(self, other: tuple[int, ...]) -> "Moments":  # type: ignore[override]
        n, y, yy = other
        return Moments(self.n + n, self.y + y, self.yy + yy)


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Dense sums of one namespace. All axes are sorted, so equal content has equal bytes.

    `moments` has shape (3, C, M, S, B): n, sum of y, sum of y*y per category, model, signal and bucket.
    Buckets are those of `boundaries(oldest, now)`, in units of `bucket_us` microseconds.
    """

    bucket_us: int
    oldest: int
    now: int
    categories: tuple[str, ...]
    models: tuple[str, ...]
    signals: tuple[SignalSource, ...]
    moments: NDArray[np.int64]

    @classmethod
    def empty(cls, bucket_us: int, now_us: int = 0) -> Self:
        """Return sums of nothing, seen from `now_us`."""
        now = now_us // bucket_us
        return cls(bucket_us, now, now, (), (), (), np.zeros((3, 0, 0, 0, 1), np.int64))

    @property
    def starts(self) -> NDArray[np.int64]:
        """First fine bucket of each bucket; shape (B,)."""
        return boundaries(self.oldest, self.now)

    def rows(self) -> dict[RowKey, Moments]:
        """Return what is not zero, keyed by the first fine bucket, in sorted order."""
        starts = self.starts
        rows = {}
        for c, m, s, b in np.argwhere(self.moments.any(axis=0)):
            signal, source = self.signals[s]
            key = RowKey(self.categories[c], self.models[m], signal, source, int(starts[b]))
            rows[key] = Moments(*self.moments[:, c, m, s, b].tolist())
        return rows


def aggregate(events: Iterable[Event], bucket_us: int) -> dict[RowKey, Moments]:
    """Add events up per row, in sorted key order; rows that cancel to zero are left out."""
    totals: dict[tuple[str, str, Signal, str, int], list[int]] = {}
    for category, model, signal, source, time_us, n, y, yy in events:
        key = (category, model, signal, source, time_us // bucket_us)
        if total := totals.get(key):
            total[0] += n
            total[1] += y
            total[2] += yy
        else:
            totals[key] = [n, y, yy]
    return {RowKey._make(key): Moments._make(totals[key]) for key in sorted(totals) if any(totals[key])}


def record(sums: Sums, events: Iterable[Event]) -> Sums:
    """Return `sums` with `events` added. Raises SumsOverflowError beyond `MAX_COUNT` per cell."""
    width = sums.bucket_us
    return _added(sums, [(c, m, s, src, t // width, n, y, yy) for c, m, s, src, t, n, y, yy in events])


def add_rows(sums: Sums, rows: Mapping[RowKey, Moments]) -> Sums:
    """Return `sums` with aggregated rows added. Raises SumsOverflowError beyond `MAX_COUNT` per cell."""
    return _added(sums, [(*key, *moments) for key, moments in rows.items()])


_Row = tuple[str, str, Signal, str, int, int, int, int]


def _added(sums: Sums, rows: list[_Row]) -> Sums:
    if not rows:
        return sums
    categories, models, signals, sources, buckets, *_ = zip(*rows, strict=True)
    wide = _laid_out(
        sums,
        oldest=min(sums.oldest, *buckets),
        now=max(sums.now, *buckets),
        categories=categories,
        models=models,
        signals=zip(signals, sources, strict=True),
    )
    category = {name: i for i, name in enumerate(wide.categories)}
    model = {name: i for i, name in enumerate(wide.models)}
    signal = {name: i for i, name in enumerate(wide.signals)}
    numbers = [(category[c], model[m], signal[s, src], bucket, n, y, yy) for c, m, s, src, bucket, n, y, yy in rows]
    c, m, s, bucket, *values = np.array(numbers, dtype=np.int64).T
    places = c, m, s, np.searchsorted(wide.starts, bucket, side="right") - 1
    for axis, value in enumerate(values):
        np.add.at(wide.moments[axis], places, value)
    return _checked(wide)


def merge(a: Sums, b: Sums) -> Sums:
    """Return the sum of both. Raises SumsOverflowError beyond `MAX_COUNT` per cell."""
    if a.bucket_us != b.bucket_us:
        raise ValueError(f"bucket widths differ: {a.bucket_us} and {b.bucket_us} us")
    left, right = (
        _laid_out(
            one,
            oldest=min(a.oldest, b.oldest),
            now=max(a.now, b.now),
            categories=other.categories,
            models=other.models,
            signals=other.signals,
        )
        for one, other in ((a, b), (b, a))
    )
    left.moments[...] += right.moments
    return _checked(left)


def at(sums: Sums, now_us: int) -> Sums:
    """Return `sums` seen from `now_us`: old buckets coarsened. Never looks back behind `sums.now`.

    Raises SumsOverflowError when a coarser bucket would hold more than `MAX_COUNT` observations.
    """
    now = max(sums.now, now_us // sums.bucket_us)
    return sums if now == sums.now else _checked(_laid_out(sums, oldest=sums.oldest, now=now))


def digest_of(sums: Sums) -> int:
    """Return a number of 48 bits for what was counted of each (category, model, signal, source) over all time.

    Equal sums have equal digests, whatever the time they are seen from and whatever is on their axes besides.
    """
    totals = sums.moments.sum(axis=-1)
    digest = blake2b(digest_size=6)
    for c, m, s in np.argwhere(totals.any(axis=0)):
        digest.update("\0".join((sums.categories[c], sums.models[m], *sums.signals[s])).encode())
        digest.update(totals[:, c, m, s].astype("<i8").tobytes())
    return int.from_bytes(digest.digest(), "big")


def filled(sums: Sums) -> Sums:
    """Return `sums` from the first bucket that holds anything: when they were made is no part of what is known."""
    held = np.flatnonzero(sums.moments[0].any(axis=(0, 1, 2)))
    first = int(held[0]) if len(held) else sums.moments.shape[-1] - 1
    return replace(sums, oldest=int(sums.starts[first]), moments=sums.moments[..., first:])


def with_axes(sums: Sums, categories: Iterable[str], models: Iterable[str]) -> Sums:
    """Return `sums` with at least these categories and models on its axes."""
    if set(categories) <= set(sums.categories) and set(models) <= set(sums.models):
        return sums
    return _laid_out(sums, oldest=sums.oldest, now=sums.now, categories=categories, models=models)


def _laid_out(
    sums: Sums,
    *,
    oldest: int,
    now: int,
    categories: Iterable[str] = (),
    models: Iterable[str] = (),
    signals: Iterable[SignalSource] = (),
) -> Sums:
    """Copy onto wider axes and a later grid."""
    wide_categories = tuple(sorted({*sums.categories, *categories}))
    wide_models = tuple(sorted({*sums.models, *models}))
    wide_signals = tuple(sorted({*sums.signals, *signals}))
    moments = _coarsened(sums.moments, sums.starts, boundaries(oldest, now))
    moments = _spread(moments, 1, sums.categories, wide_categories)
    moments = _spread(moments, 2, sums.models, wide_models)
    moments = _spread(moments, 3, sums.signals, wide_signals)
    return Sums(sums.bucket_us, oldest, now, wide_categories, wide_models, wide_signals, moments)


def _coarsened(moments: NDArray[np.int64], starts: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    if np.array_equal(starts, wanted):
        return moments.copy()
    position = np.searchsorted(wanted, starts, side="right") - 1
    coarse = np.zeros((*moments.shape[:-1], len(wanted)), np.int64)
    first = np.diff(position, prepend=-1) > 0
    coarse[..., position[first]] = moments[..., first]
    for merged in np.flatnonzero(~first):
        coarse[..., position[merged]] += moments[..., merged]
    return coarse


def _spread(moments: NDArray[np.int64], axis: int, have: tuple[Name, ...], want: tuple[Name, ...]) -> NDArray[np.int64]:
    if have == want:
        return moments
    shape = [*moments.shape]
    shape[axis] = len(want)
    wide = np.zeros(shape, np.int64)
    np.moveaxis(wide, axis, 0)[[want.index(name) for name in have]] = np.moveaxis(moments, axis, 0)
    return wide


def _checked(sums: Sums) -> Sums:
    if sums.moments[0].max(initial=0) > MAX_COUNT:
        raise SumsOverflowError(f"a cell would hold more than {MAX_COUNT} observations; shorten the retention")
    sums.moments.setflags(write=False)
    return sums
