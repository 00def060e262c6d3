"""Sums of one signal, without the buckets that hold nothing."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bandit.evidence import Signal
from bandit.priors import ANY_SOURCE
from bandit.sums import Sums
from bandit.tails import believed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def moments_of(sums: Sums, signal: Signal, source: str) -> Ints:
    """Return the sums of one signal with an empty category appended; shape (3, C + 1, M, B)."""
    wanted = [i for i, (name, origin) in enumerate(sums.signals) if name == signal and source in (origin, ANY_SOURCE)]
    _, categories, models, _, buckets = sums.moments.shape
    moments = np.zeros((3, categories + 1, models, buckets), np.int64)
    for i in wanted:
        moments[:, :-1] += sums.moments[:, :, :, i]
    return moments


def outcome_moments(sums: Sums, signal: Signal, prior_mean: Floats) -> Ints:
    """Return the sums of a signal of outcomes without what is absurd; shape (3, C + 1, M, B)."""
    moments = moments_of(sums, signal, "")
    tails = [sums.moments[:, :, :, i] for i, (name, source) in enumerate(sums.signals) if name == signal and source]
    if tails:
        moments[:, :-1] = believed(signal, moments[:, :-1], tails, prior_mean[:-1])
    return moments


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """The buckets that hold something, shape (N,): their cell, their time, what is kept of them, their sums.

    `shape` is (C + 1, M, B). Summing these alone, in their order, makes every cell's bits independent of the shape of
    the arrays.
    """

    shape: tuple[int, int, int]
    cell: Ints
    bucket: Ints
    kept: Floats
    n: Ints
    y: Ints
    yy: Ints

    @classmethod
    def of(cls, moments: Ints, decay: Floats) -> Self:
        """Keep what is not empty of moments of shape (3, C + 1, M, B); `decay` has shape (B,)."""
        _, categories, models, buckets = moments.shape
        flat = moments.reshape(3, -1, buckets)
        cell, bucket = np.nonzero(flat[0] > 0)
        return cls((categories, models, buckets), cell, bucket, decay[bucket], *flat[:, cell, bucket])

    @property
    def model(self) -> Ints:
        """The model of each; shape (N,)."""
        return self.cell % self.shape[1]

    def weighted(self, weights: Floats) -> Self:
        """Keep less: `weights`, of shape (B, M), are in [0, 1]."""
        return replace(self, kept=self.kept * weights[self.bucket, self.model])

    def per_cell(self, values: Floats) -> Floats:
        """Return the sum of `values` per cell; shape (C + 1, M)."""
        categories, models, _ = self.shape
        totals = np.bincount(self.cell, weights=values, minlength=categories * models).astype(np.float64)
        return totals.reshape(categories, models)

    def total(self, values: Floats | Ints) -> Floats:
        """Return the decayed sum of `values` per cell; shape (C + 1, M)."""
        return self.per_cell(self.kept * values)

    def per_bucket(self, values: Floats) -> Floats:
        """Return the sum of `values` over the categories, per bucket and model; shape (B, M)."""
        _, models, buckets = self.shape
        place = self.bucket * models + self.model
        totals = np.bincount(place, weights=values, minlength=buckets * models).astype(np.float64)
        return totals.reshape(buckets, models)

    def at(self, values: Floats) -> Floats:
        """Return the cell's value of each; `values` has shape (C + 1, M)."""
        return values.ravel()[self.cell]
