"""What answers are worth, in units of a fully good answer, so that requests with different objectives count equally.

u = quality - cost / answer_value - latency x second_value / answer_value
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bandit.request import Objective
from simulations.errors import UnknownOutcomesError
from simulations.world import World

Floats = NDArray[np.float64]


def rewards(world: World, objectives: Sequence[Objective]) -> Floats:
    """Return what each single answer is worth; shape (O, P, M), NaN where anything that counts is unknown."""
    return _worth(objectives, world.quality, world.cost_usd, world.latency_s)


def expected_values(world: World, objectives: Sequence[Objective]) -> Floats:
    """Return what an answer is worth in the mean over its category; shape (O, C, M).

    The means of quality, cost and latency are taken over the prompts where each is known, the same for every policy.
    Raises UnknownOutcomesError where one that counts is known for no prompt.
    """
    quality, cost_usd, latency_s = (world.means(table) for table in (world.quality, world.cost_usd, world.latency_s))
    values = _worth(objectives, quality, cost_usd, latency_s)
    unknown = np.argwhere(np.isnan(values).any(axis=0))
    if len(unknown):
        c, m = unknown[0]
        means = {"quality": quality[c, m], "cost": cost_usd[c, m], "latency": latency_s[c, m]}
        missing = ", ".join(name for name, mean in means.items() if np.isnan(mean))
        raise UnknownOutcomesError(
            f"the table does not know the {missing} of {world.models[m].id} for any prompt of {world.categories[c]}; "
            "leave the model out (or, for latency, value a second at 0 dollars)"
        )
    return values


def _worth(objectives: Sequence[Objective], quality: Floats, cost_usd: Floats, latency_s: Floats) -> Floats:
    return np.stack(
        [
            quality
            - cost_usd / objective.answer_value_usd
            - (
                latency_s * (objective.second_value_usd / objective.answer_value_usd)
                if objective.second_value_usd
                else 0
            )
            for objective in objectives
        ]
    )
