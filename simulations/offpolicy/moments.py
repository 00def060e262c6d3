"""Moments of weights and of weighted values, which likelihood and Bernstein intervals start from."""

import numpy as np
from numpy.typing import NDArray

from bandit.request import Objective
from simulations.offpolicy.arms import summed
from simulations.offpolicy.cells import INVERSE, INVERSE_ALL
from simulations.offpolicy.components import VALUED, weights_of
from simulations.offpolicy.estimators import Evaluator
from simulations.offpolicy.intervals import WeightedMoments
from simulations.offpolicy.sums import PAIRS

Floats = NDArray[np.float64]


def moments_of(evaluator: Evaluator, policy: Floats, objective: Objective) -> WeightedMoments:
    """Return the moments of weights and of weighted values in dollars, over all calls."""
    sums, arms = evaluator.sums, evaluator.arms
    factors = weights_of(objective)[:VALUED] / arms.known[arms.category][..., :VALUED]
    cell = arms.context, arms.model
    weights = summed(cell, sums.cells.values[:, [INVERSE_ALL]], policy.shape)[..., 0]
    values = summed(cell, sums.cells.values[:, INVERSE][:, :VALUED], policy.shape)
    squares = sums.squares
    products = sum(
        (1.0 if j == k else 2.0) * factors[..., j] * factors[..., k] * squares[..., 1 + VALUED + place]
        for place, (j, k) in enumerate(PAIRS)
    )
    n = float(sums.rows)
    largest = policy * sums.largest
    low, high = _range(evaluator, objective)
    return WeightedMoments(
        n=n,
        w=float((policy * weights).sum()) / n,
        ww=float((policy**2 * squares[..., 0]).sum()) / n,
        wr=float((policy[..., None] * values * factors).sum()) / n,
        wwr=float((policy[..., None] ** 2 * squares[..., 1 : 1 + VALUED] * factors).sum()) / n,
        wwrr=float((policy**2 * products).sum()) / n,
        largest_w=float(largest.max(initial=0.0)),
        least_r=low,
        largest_r=high,
    )


def _range(evaluator: Evaluator, objective: Objective) -> tuple[float, float]:
    """Return between what a call's value lies: quality is bounded, cost and latency by the largest ones seen."""
    factors, extremes = weights_of(objective), evaluator.sums.extremes
    high = np.where(np.isfinite(extremes[1]), extremes[1], 0.0)
    low = factors[1] * high[1] + factors[2] * high[2]
    return float(low), float(factors[0])
