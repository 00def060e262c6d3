"""Floors and caps on choice probabilities."""

from collections.abc import Sequence
from typing import Final

import numpy as np

_NOTHING: Final = 1e-12
"""Probabilities that add up to less give no proportion to share by; the caps do then."""


def with_floor(probabilities: Sequence[float], floor: float) -> list[float]:
    """Return eps + (1 - K eps) p of K probabilities, with eps the floor or 1 / K, whichever is smaller."""
    count = len(probabilities)
    eps = min(floor, 1.0 / count)
    rest = 1.0 - count * eps
    return [eps + rest * probability for probability in probabilities]


def with_floors(probabilities: Sequence[float], floors: Sequence[float]) -> list[float]:
    """Return eps_m + (1 - sum of eps) p_m; floors that sum to more than 1 are scaled to it."""
    scale = 1.0 / max(1.0, sum(floors))
    rest = 1.0 - scale * sum(floors)
    return [scale * eps + rest * probability for eps, probability in zip(floors, probabilities, strict=True)]


def affordable_floors(probabilities: Sequence[float], costs: Sequence[float], floor: float) -> list[float]:
    """Return a floor for each model, lowered where its part of the spending would be more than that of the average.

    eps_m = floor min(1, sum of p c / c_m): what a model costs through its floor is at most `floor` of what the request
    costs on average. Without it, the floor of one dear model alone can spend a tenth of a tight budget.
    """
    average = sum([probability * cost for probability, cost in zip(probabilities, costs, strict=True)])
    return [floor if cost <= average else floor * average / cost for cost in costs]


def with_caps(probabilities: Sequence[float], caps: Sequence[float]) -> list[float]:
    """Return the probabilities, none above its cap, by water-filling.

    What exceeds a cap goes to the uncapped in proportion. Where every cap is reached, the caps are scaled to 1.
    """
    wanted, most = np.array(probabilities), np.array(caps)
    if most.sum() <= 1.0 + _NOTHING:
        full = most / most.sum() if most.any() else np.full(len(most), 1.0 / len(most))
        return list(full.tolist())
    shares, capped = wanted, np.zeros(len(most), dtype=bool)
    while (shares > most).any():
        capped |= shares >= most
        rest = 1.0 - float(most[capped].sum())
        weights = np.where(capped, 0.0, wanted)
        if weights.sum() < _NOTHING:
            weights = np.where(capped, 0.0, most)
        shares = np.where(capped, most, rest * weights / weights.sum())
    return list(shares.tolist())
