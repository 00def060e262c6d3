"""The last verb: one uniform number decides, and the propensity is read off the distribution it decided by."""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Protocol

from bandit.policy import Distribution


class UniformSource(Protocol):
    """What draws uniform numbers in [0, 1): a numpy Generator, for one."""

    def random(self) -> float:
        """Return the next number."""


@dataclass(frozen=True, slots=True)
class Draw:
    """One draw: index of the model, its probability in the distribution, and the uniform number drawn."""

    index: int
    propensity: float
    uniform: float


def draw(distribution: Distribution, rng: UniformSource) -> Draw:
    """Choose a model by the distribution."""
    uniform = rng.random()
    index = bisect_right(distribution.cumulative, uniform)
    return Draw(index, distribution.probabilities[index], uniform)
