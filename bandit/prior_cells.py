"""Priors of every cell: the defaults, and what an operator knows on top of them.

Three things an operator may know, from the general to the particular:

1. about a model, in every category: its prior takes the place of the default;
2. that a category is like another: the posterior of the other one takes their place (`inherited`);
3. what earlier logs say of a cell: observations added to the prior (`informed`).

Whatever is combined, no cell's prior is worth more than `cap` observations: a rate has at most the weight `cap`, and
the mean of a normal at least the variance s2 / cap, with s2 the spread of single observations as it is learned.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from bandit.belief import Belief
from bandit.priors import BetaPrior, NormalPrior

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_UNKNOWN: Final = 1e6
_SURE: Final = 0.01
"""A rate that was never seen to fail, or to succeed, is believed up to this distance from 1 and 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Observations made elsewhere: their mean, and how many they are worth (0: none); shapes (C + 1, M)."""

    mean: Floats
    weight: Floats


@dataclass(frozen=True, slots=True, eq=False)
class RatePriors:
    """A Beta prior for every cell; shapes (C + 1, M), the last row an unseen category."""

    mean: Floats
    weight: Floats

    @classmethod
    def of(cls, default: BetaPrior, shape: tuple[int, int]) -> Self:
        """Return the same prior everywhere."""
        return cls(np.full(shape, default.mean), np.full(shape, default.weight))

    def with_model(self, column: int, mean: float, weight: float) -> Self:
        """Return them with another prior for one model."""
        means, weights = self.mean.copy(), self.weight.copy()
        means[:, column], weights[:, column] = mean, weight
        return replace(self, mean=means, weight=weights)

    def inherited(self, belief: Belief, rows: Ints, sources: Ints, cap: float) -> Self:
        """Return them with `rows` starting from what is believed of the rows `sources`."""
        mean, weight = self.mean.copy(), self.weight.copy()
        mean[rows] = np.clip(belief.mean[sources], _SURE, 1.0 - _SURE)
        worth = mean[rows] * (1.0 - mean[rows]) / belief.variance[sources] - 1.0
        weight[rows] = np.clip(worth, 1.0, cap)
        return replace(self, mean=mean, weight=weight)

    def faded(self, defaults: Self, share: Floats) -> Self:
        """Return them where a share (C + 1, 1) of their observations is left, and of the defaults' the rest."""
        ours, theirs = share * self.weight, (1.0 - share) * defaults.weight
        weight = ours + theirs
        mean = (ours * self.mean + theirs * defaults.mean) / weight
        changed = (self.mean != defaults.mean) | (self.weight != defaults.weight)
        return replace(self, mean=np.where(changed, mean, self.mean), weight=np.where(changed, weight, self.weight))

    def informed(self, evidence: Evidence, cap: float) -> Self:
        """Return them with evidence added: m = (w0 m0 + w y) / (w0 + w), its weight cut to `cap`."""
        weight = self.weight + evidence.weight
        mean = (self.mean * self.weight + evidence.mean * evidence.weight) / weight
        known = evidence.weight > 0
        return replace(
            self,
            mean=np.where(known, mean, self.mean),
            weight=np.where(known, np.minimum(weight, np.maximum(cap, self.weight)), self.weight),
        )


@dataclass(frozen=True, slots=True, eq=False)
class NormalPriors:
    """A normal prior for every cell; arrays of shape (C + 1, M), the last row an unseen category.

    `limit` is the number of observations that the prior of the mean is worth at most, infinite for defaults.
    """

    mean: Floats
    variance: Floats
    spread: Floats
    spread_weight: float
    spread_floor: float
    limit: Floats

    @classmethod
    def of(cls, default: NormalPrior, shape: tuple[int, int]) -> Self:
        """Return the same prior everywhere."""
        mean, variance, spread = (np.full(shape, one) for one in (default.mean, default.variance, default.spread))
        return cls(mean, variance, spread, default.spread_weight, default.spread_floor, np.full(shape, np.inf))

    def with_model(self, column: int, mean: float, weight: float) -> Self:
        """Return them with another prior for one model, worth `weight` observations."""
        means, variances, limits = self.mean.copy(), self.variance.copy(), self.limit.copy()
        means[:, column], limits[:, column] = mean, weight
        variances[:, column] = self.spread[:, column] / weight
        return replace(self, mean=means, variance=variances, limit=limits)

    def inherited(self, belief: Belief, rows: Ints, sources: Ints, cap: float) -> Self:
        """Return them with `rows` starting from what is believed of the rows `sources`."""
        mean, variance, spread, limit = (one.copy() for one in (self.mean, self.variance, self.spread, self.limit))
        for mine, theirs in ((mean, belief.mean), (variance, belief.variance), (spread, belief.spread)):
            mine[rows] = theirs[sources]
        limit[rows] = cap
        return replace(self, mean=mean, variance=variance, spread=spread, limit=limit)

    def informed(self, evidence: Evidence, cap: float) -> Self:
        """Return them with evidence added: P = 1 / v0 + w / s20, m = (m0 / v0 + w y / s20) / P."""
        precision = 1.0 / self.variance + evidence.weight / self.spread
        mean = (self.mean / self.variance + evidence.mean * evidence.weight / self.spread) / precision
        known = evidence.weight > 0
        return replace(
            self,
            mean=np.where(known, mean, self.mean),
            variance=np.where(known, 1.0 / precision, self.variance),
            limit=np.where(known, cap, self.limit),
        )

    def faded(self, defaults: Self, share: Floats) -> Self:
        """Return them where a share (C + 1, 1) of their precision is left, and of the defaults' the rest."""
        ours, theirs = share / self.variance, (1.0 - share) / defaults.variance
        precision = ours + theirs
        mean = (ours * self.mean + theirs * defaults.mean) / precision
        changed = (self.mean != defaults.mean) | (self.variance != defaults.variance)
        return replace(
            self, mean=np.where(changed, mean, self.mean), variance=np.where(changed, 1.0 / precision, self.variance)
        )

    def uninformed(self) -> Self:
        """Return them without a word about the means, for observations that stand alone."""
        return replace(self, variance=np.full_like(self.variance, _UNKNOWN), limit=np.full_like(self.limit, np.inf))

    def capped_variance(self, spread: Floats) -> Floats:
        """Return the prior variance of the mean where single observations have this spread."""
        return np.maximum(self.variance, spread / self.limit)


@dataclass(frozen=True, slots=True, eq=False)
class QualityPriors:
    """Priors of quality by kind of judgement; both mean the same quantity."""

    thumbs: RatePriors
    scores: NormalPriors

    @classmethod
    def of(cls, thumbs: BetaPrior, scores: NormalPrior, shape: tuple[int, int]) -> Self:
        """Return the same priors everywhere."""
        return cls(RatePriors.of(thumbs, shape), NormalPriors.of(scores, shape))

    def faded(self, defaults: Self, share: Floats) -> Self:
        """Return them where only a share (C + 1, 1) of them is left, and defaults take the place of the rest."""
        thumbs, scores = self.thumbs.faded(defaults.thumbs, share), self.scores.faded(defaults.scores, share)
        return replace(self, thumbs=thumbs, scores=scores)

    def with_model(self, column: int, mean: float, weight: float) -> Self:
        """Return them with another prior for one model."""
        return replace(
            self,
            thumbs=self.thumbs.with_model(column, mean, weight),
            scores=self.scores.with_model(column, mean, weight),
        )

    def inherited(self, belief: Belief, rows: Ints, sources: Ints, cap: float) -> Self:
        """Return them with `rows` starting from what is believed of the rows `sources`.

        The spread of scores stays what it is: the other category may be judged by thumbs.
        """
        thumbs = self.thumbs.inherited(belief, rows, sources, cap)
        scores = self.scores.inherited(belief, rows, sources, cap)
        return replace(self, thumbs=thumbs, scores=replace(scores, spread=self.scores.spread))

    def informed(self, evidence: Evidence, cap: float) -> Self:
        """Return them with evidence added."""
        return replace(self, thumbs=self.thumbs.informed(evidence, cap), scores=self.scores.informed(evidence, cap))
