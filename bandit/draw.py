"""The last verb: one uniform number decides, and the propensity is read off the distribution it decided by."""

from bisect import bisect_right
from typing import NamedTuple, Protocol

from bandit.policy import Distribution


class UniformSource(Protocol):
    """What draws uniform numbers in [0, 1): a numpy Generator, for one."""

    def random(self) -> float:
        """Return the next number."""


class Draw(NamedTuple):
    """One draw: the model's position in the snapshot, its probability, and the uniform number drawn."""

    position: int
    propensity: float
    uniform: float


def draw(distribution: Distribution, rng: UniformSource) -> Draw:
    """Choose a model by the distribution."""
    uniform = rng.random()
    position = bisect_right(distribution.cumulative, uniform)
    return Draw(position, distribution.probabilities[position], uniform)
