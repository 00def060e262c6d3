"""From sums to beliefs, cell by cell: each (category, model) learns from its own observations only.

Rates are Beta-binomial; logarithms and graded quality are normal with a shrunken variance:

    s2 = (nu0 s20 + SS) / (nu0 + (W - 1)+),  P = 1 / v0 + W / s2,  mean = (m0 / v0 + S / s2) / P,  var = 1 / P

with W, S the decayed count and sum, and SS the decayed sum of squares around the mean.
"""

import numpy as np
from numpy.typing import NDArray

from bandit.belief import Belief
from bandit.filled import Filled
from bandit.prior_cells import NormalPriors, RatePriors
from bandit.signals import SCALE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def rate(filled: Filled, prior: RatePriors) -> Belief:
    """Return the belief about a rate in every cell."""
    weight = filled.total(filled.n)
    successes = filled.total(filled.y) / SCALE
    total = prior.weight + weight
    mean = (prior.mean * prior.weight + successes) / total
    mean_failure = ((1.0 - prior.mean) * prior.weight + (weight - successes)) / total
    spread = mean * mean_failure
    return Belief(mean, spread / (total + 1.0), spread, weight, np.zeros(weight.shape))


def normal(filled: Filled, prior: NormalPriors) -> Belief:
    """Return the belief about the mean of a normal quantity in every cell."""
    n, y, yy = filled.n, filled.y, filled.yy
    weight = filled.total(n)
    total = filled.total(y) / SCALE
    mean = total / np.where(weight > 0, weight, 1.0)
    between = n * (y / (n * float(SCALE)) - filled.at(mean)) ** 2
    squares = filled.total(_squared_deviations(n, y, yy) + between)
    spread = (prior.spread_weight * prior.spread + squares) / (prior.spread_weight + np.maximum(weight - 1.0, 0.0))
    spread = np.maximum(spread, prior.spread_floor)
    variance = prior.capped_variance(spread)
    precision = 1.0 / variance + weight / spread
    mean = (prior.mean / variance + total / spread) / precision
    return Belief(mean, 1.0 / precision, spread, weight, np.zeros(weight.shape))


def _squared_deviations(n: Ints, y: Ints, yy: Ints) -> Floats:
    """Sum of (y_i - mean)^2 within each bucket, for n > 0, free of cancellation; shapes (N,).

    `yy 2^20 - y^2 / n` needs 105 bits, so it is taken apart: with y = n m + r and m^2 = a 2^20 + b,
    it is (yy - n a) 2^20 - (n b + 2 m r) - r^2 / n, where every product fits into int64. Any m near y / n will do.
    """
    m = np.rint(y / n).astype(np.int64)
    r = y - n * m
    square = m * m
    low_part = n * (square & (SCALE - 1)) + 2 * m * r
    high = yy - n * (square >> 20) - (low_part >> 20)
    units = high * float(SCALE) - (low_part & (SCALE - 1)) - r * (r / n)
    squares: Floats = np.maximum(units, 0.0) / float(SCALE) ** 2
    return squares
