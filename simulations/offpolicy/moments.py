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
    """Return the moments of weights and of weighted values in dollars, over all calls.

    Values of known calls are scaled up to stand for unknown ones, and so is what they can be: quality is bounded, cost
    and latency are by the largest ones seen.
    """
    sums, arms = evaluator.sums, evaluator.arms
    # What no call tells of weighs nothing here; the gate refuses policies that need it.
    scale = np.nan_to_num(1.0 / arms.known[arms.category][..., :VALUED])
    factors = weights_of(objective)[:VALUED] * scale
    cell = arms.context, arms.model
    weights = summed(cell, sums.cells.values[:, [INVERSE_ALL]], policy.shape)[..., 0]
    values = summed(cell, sums.cells.values[:, INVERSE][:, :VALUED], policy.shape)
    squares = sums.squares
    products = sum(
        (1.0 if j == k else 2.0) * factors[..., j] * factors[..., k] * squares[..., 1 + VALUED + place]
        for place, (j, k) in enumerate(PAIRS)
    )
    n = float(sums.rows)
    highest = np.where(np.isfinite(sums.extremes[1]), sums.extremes[1], 0.0)[:VALUED]
    highest[0] = 1.0
    bounds = (
        weights_of(objective)[:VALUED] * highest * (scale * (policy > 0.0)[..., None]).max(axis=(0, 1), initial=0.0)
    )
    return WeightedMoments(
        n=n,
        w=float((policy * weights).sum()) / n,
        ww=float((policy**2 * squares[..., 0]).sum()) / n,
        wr=float((policy[..., None] * values * factors).sum()) / n,
        wwr=float((policy[..., None] ** 2 * squares[..., 1 : 1 + VALUED] * factors).sum()) / n,
        wwrr=float((policy**2 * products).sum()) / n,
        largest_w=float((policy * sums.largest).max(initial=0.0)),
        least_r=float(bounds[1:].sum()),
        largest_r=float(bounds[0]),
    )
