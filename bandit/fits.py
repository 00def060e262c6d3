"""From sums to beliefs, cell by cell: each (category, model) learns from its own observations only.

Rates are Beta-binomial; logarithms and graded quality are normal with a shrunken variance:

    s2 = (nu0 s20 + SS) / (nu0 + (W - 1)+),  P = 1 / v0 + W / s2,  mean = (m0 / v0 + S / s2) / P,  var = 1 / P

with W, S the decayed count and sum, and SS the decayed sum of squares around the mean.
"""

import numpy as np

from bandit.belief import Belief
from bandit.observed import Observed
from bandit.prior_cells import NormalPriors, RatePriors


def rate(observed: Observed, prior: RatePriors) -> Belief:
    """Return the belief about a rate in every cell."""
    weight, successes = observed.per_cell(observed.count), observed.per_cell(observed.total)
    total = prior.weight + weight
    mean = (prior.mean * prior.weight + successes) / total
    mean_failure = ((1.0 - prior.mean) * prior.weight + (weight - successes)) / total
    spread = mean * mean_failure
    return Belief(mean, spread / (total + 1.0), spread, weight, np.zeros(weight.shape))


def normal(observed: Observed, prior: NormalPriors) -> Belief:
    """Return the belief about the mean of a normal quantity in every cell."""
    weight, total = observed.per_cell(observed.count), observed.per_cell(observed.total)
    mean = total / np.where(weight > 0, weight, 1.0)
    between = observed.mean - mean
    between *= between
    between *= observed.count
    between += observed.squares
    squares = observed.per_cell(between)
    spread = (prior.spread_weight * prior.spread + squares) / (prior.spread_weight + np.maximum(weight - 1.0, 0.0))
    spread = np.maximum(spread, prior.spread_floor)
    variance = prior.capped_variance(spread)
    precision = 1.0 / variance + weight / spread
    mean = (prior.mean / variance + total / spread) / precision
    return Belief(mean, 1.0 / precision, spread, weight, np.zeros(weight.shape))
