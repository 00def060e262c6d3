"""The probability of being the best model, as it is said: from draws of the posterior itself.

What decisions draw from takes utilities for normal (`best_probabilities`), which is fast and explores well but is no
fair statement: Beta and log-normal beliefs are skewed, the normal one is unsure of what is known (measured by
`python -m benchmarks.calibration`). Rates are drawn from the Beta distribution of their mean and variance, logarithms
from their normal one, and a draw's utility is computed as `bandit.utility` computes that of the means.
"""

import numpy as np
from numpy.typing import NDArray

from bandit.belief import Belief
from bandit.request import Request
from bandit.snapshot import Snapshot

Floats = NDArray[np.float64]

_SURE = 1e-9


def stated_best(snapshot: Snapshot, request: Request, rng: np.random.Generator, draws: int = 4096) -> list[float]:
    """Return P(m is worth the most of the eligible) for every model of the snapshot, from so many draws of each.

    The standard error is at most 1 / (2 sqrt(draws)): .008 by default. A warm prompt cache is not counted. Raises
    ValueError where no model is eligible.
    """
    eligible = [m for m in range(len(snapshot.models)) if request.eligible >> m & 1]
    if not eligible:
        raise ValueError("no model is eligible")
    posterior, row = snapshot.posterior, snapshot.row(request.category)
    columns = [posterior.models.index(snapshot.models[m].id) for m in eligible]
    shape = draws, len(eligible)

    def logs(belief: Belief) -> Floats:
        deviation = np.sqrt(belief.variance[row, columns])
        means: Floats = np.exp(
            rng.normal(belief.mean[row, columns], deviation, shape) + belief.spread[row, columns] / 2.0
        )
        return means

    def rates(belief: Belief) -> Floats:
        mean = np.clip(belief.mean[row, columns], _SURE, 1.0 - _SURE)
        weight = np.maximum(mean * (1.0 - mean) / np.maximum(belief.variance[row, columns], _SURE**2) - 1.0, _SURE)
        return rng.beta(mean * weight, (1.0 - mean) * weight, shape)

    value, second = request.objective
    input_price, _, output_price = snapshot.prices[:, eligible]
    longest = [
        min(snapshot.models[m].max_output_tokens or np.inf, request.max_output_tokens or np.inf) for m in eligible
    ]
    worth = value * rates(posterior.quality) * (1.0 - rates(posterior.error)) - second * logs(posterior.latency)
    times = 1.0 + snapshot.budget_price(request.category, request.profile)
    worth -= times * output_price * np.minimum(logs(posterior.output_tokens), longest)
    worth -= times * input_price * request.input_tokens * logs(posterior.input_ratio)
    shares = np.bincount(worth.argmax(axis=1), minlength=len(eligible)) / draws
    stated = [0.0] * len(snapshot.models)
    for m, share in zip(eligible, shares.tolist(), strict=True):
        stated[m] = share
    return stated
