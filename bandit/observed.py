"""Sums of one signal, laid out so that every bit of a cell is that cell's own.

Buckets come first: numpy adds up along an axis that is not the last in its order, and adding 0 changes nothing, so no
sum depends on what else is on the axes.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bandit.evidence import Signal
from bandit.priors import ANY_SOURCE
from bandit.signals import SCALE
from bandit.sums import Sums
from bandit.tails import believed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def moments_of(sums: Sums, signal: Signal, source: str) -> Ints:
    """Return the sums of one signal with an empty category appended; shape (3, B, C + 1, M)."""
    wanted = [i for i, (name, origin) in enumerate(sums.signals) if name == signal and source in (origin, ANY_SOURCE)]
    _, categories, models, _, buckets = sums.moments.shape
    moments = np.zeros((3, buckets, categories + 1, models), np.int64)
    for i in wanted:
        moments[:, :, :-1] += sums.moments[:, :, :, i].transpose(0, 3, 1, 2)
    return moments


def counts_of(sums: Sums, signal: Signal) -> Ints:
    """Return how many observations of a signal there are, whatever their source, with an empty category appended."""
    wanted = [i for i, (name, _) in enumerate(sums.signals) if name == signal]
    counts = sums.moments[0][:, :, wanted].sum(axis=(2, 3))
    return np.pad(counts, ((0, 1), (0, 0)))


def outcome_moments(sums: Sums, signal: Signal, prior_mean: Floats) -> Ints:
    """Return the sums of a signal of outcomes without what is absurd; shape (3, B, C + 1, M)."""
    moments = moments_of(sums, signal, "")
    tails = [sums.moments[:, :, :, i] for i, (name, source) in enumerate(sums.signals) if name == signal and source]
    if tails:
        ordinary = moments[:, :, :-1].transpose(0, 2, 3, 1)
        moments[:, :, :-1] = believed(signal, ordinary, tails, prior_mean[:-1]).transpose(0, 3, 1, 2)
    return moments


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """Observations of one signal by bucket and cell; arrays of shape (B, C + 1, M).

    `count` and `total` are their number and sum, `mean` their mean (0 where there are none), `squares` the sum of their
    squared deviations from it. `kept`, which broadcasts to that shape, is what is left of them.
    """

    count: Floats
    total: Floats
    mean: Floats
    squares: Floats
    kept: Floats

    @classmethod
    def of(cls, moments: Ints, decay: Floats) -> Self:
        """Take in moments of shape (3, B, C + 1, M); `decay` has shape (B,)."""
        n, y, yy = moments
        return cls._of(n, y, _squared_deviations(n, y, yy), decay)

    @classmethod
    def of_rate(cls, moments: Ints, decay: Floats) -> Self:
        """Take in moments of what is 0 or 1, for `bandit.fits.rate`: `squares`, which it does not ask for, are 0."""
        n, y, _ = moments
        return cls._of(n, y, np.broadcast_to(0.0, n.shape), decay)

    @classmethod
    def _of(cls, count: Ints, total: Ints, squares: Floats, decay: Floats) -> Self:
        sums = total / SCALE
        return cls(count.astype(np.float64), sums, sums / np.maximum(count, 1), squares, decay[:, None, None])

    def weighted(self, weights: Floats) -> Self:
        """Keep less: `weights`, of shape (B, M), are in [0, 1]."""
        return replace(self, kept=self.kept * weights[:, None, :])

    def per_cell(self, values: Floats) -> Floats:
        """Return the sum over the buckets of what is kept of values of shape (B, C + 1, M); shape (C + 1, M)."""
        kept: Floats = np.add.reduce(self.kept * values, axis=0)
        return kept


def _squared_deviations(n: Ints, y: Ints, yy: Ints) -> Floats:
    """Sum of (y_i - mean)^2 of each bucket and cell, free of cancellation; 0 where n is 0.

    `yy 2^20 - y^2 / n` needs 105 bits, so it is taken apart: with y = n m + r and m^2 = a 2^20 + b,
    it is (yy - n a) 2^20 - (n b + 2 m r) - r^2 / n, where every product fits into int64. Any m near y / n will do.
    """
    divisor = np.maximum(n, 1)
    m = np.rint(y / divisor).astype(np.int64)
    r = y - n * m
    square = m * m
    low_part = n * (square & (SCALE - 1)) + 2 * m * r
    high = yy - n * (square >> 20) - (low_part >> 20)
    units = high * float(SCALE) - (low_part & (SCALE - 1)) - r * (r / divisor)
    squares: Floats = np.maximum(units, 0.0) / float(SCALE) ** 2
    return squares
