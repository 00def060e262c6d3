"""An invented judge, who scores every answer: dense, noisy, and off in ways that thumbs can tell.

    score = q + beta_c + d_cm + e, cut to [0, 1];   beta ~ N(0, leniency), d ~ N(0, error), e ~ N(0, noise)

with q the quality of the answer, c its category and m the model; all three are deviations.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from simulations.world import World

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """What a judge called `name` says of every answer; `scores` of shape (P, M), NaN where nothing."""

    name: str
    scores: Floats

    @classmethod
    def of(cls, world: World, seed: int, *, leniency: float = 0.1, error: float = 0.05, noise: float = 0.3) -> Self:
        """Draw a judge of the answers of a world; equal arguments give equal judges."""
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(4,)))
        bias = rng.normal(0.0, leniency, (len(world.categories), 1))
        own = rng.normal(0.0, error, (len(world.categories), len(world.models)))
        wrong = (bias + own)[world.category_of]
        drawn = world.quality + wrong + rng.normal(0.0, noise, world.quality.shape)
        return cls("judge", np.clip(drawn, 0.0, 1.0))
