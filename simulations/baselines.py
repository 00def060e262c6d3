"""What the service is measured against: bandits on one scalar.

The scalar is an answer's worth under the request's own objective, known when its last part is; where a part of it
stays unknown, nothing is learned. Each bandit keeps separate statistics per category. Variants (V exploration
multipliers) and seeds (N) run side by side, in arrays of shape (V, N, ...).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from simulations.rewards import Rewards
from simulations.stream import noise

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MULTIPLIERS: Final = (1.0, 0.7, 0.5, 0.4, 0.3, 0.2)
"""Of the deviation of a draw from its mean; the first is the textbook's."""
REWARD_RANGE: Final = (-0.5, 1.0)
"""What bandits on [0, 1] take for 0 and 1; rewards outside of it are cut off."""

_MEAN, _VARIANCE, _SPREAD, _SPREAD_WEIGHT = 0.7, 0.1, 0.1, 8.0


class ScalarBandit(ABC):
    """Chooses the model of the highest index, which it computes from the rewards of each (category, model)."""

    multipliers: ClassVar[tuple[float, ...]] = MULTIPLIERS

    def __init__(self, categories: int, models: int, seeds: Sequence[int]) -> None:
        variants = len(self.multipliers)
        self._scale = np.array(self.multipliers)[:, None, None]
        self._noise = [noise(seed) for seed in seeds]
        self._sums = np.zeros((3, variants, len(seeds), categories, models))
        self._variant, self._seed = np.arange(variants)[:, None], np.arange(len(seeds))

    @abstractmethod
    def index(self, count: Floats, total: Floats, squares: Floats) -> Floats:
        """Return the index of each model from the sums of its rewards; shapes (V, N, M)."""

    def choices(self, rewards: Rewards) -> Ints:
        """Run through the requests; return the models chosen, shape (V, N, T)."""
        chosen: list[Ints] = []
        for step, available in enumerate(rewards.available[rewards.regimes]):
            index = self.index(*self._sums[:, :, self._seed, rewards.categories[step]])
            chosen.append(np.where(available, index, -np.inf).argmax(axis=-1))
            known = step - rewards.delay
            if known >= 0:
                self._learn(rewards.categories[known], chosen[known], rewards.at(known, chosen[known]))
        return np.stack(chosen, axis=-1)

    def _learn(self, category: Ints, models: Ints, rewards: Floats) -> None:
        known = np.isfinite(rewards)
        worth = np.where(known, rewards, 0.0)
        self._sums[:, self._variant, self._seed, category, models] += known, worth, worth * worth


class GaussianThompson(ScalarBandit):
    """Thompson sampling with a normal posterior of each mean, `normal_posterior`."""

    def index(self, count: Floats, total: Floats, squares: Floats) -> Floats:
        """Draw each mean from its posterior."""
        mean, precision = normal_posterior(count, total, squares)
        normals = np.stack([rng.standard_normal(mean.shape[-1]) for rng in self._noise])
        drawn: Floats = mean + self._scale * normals / np.sqrt(precision)
        return drawn


class _UnitBandit(ScalarBandit):
    """Takes rewards scaled from `REWARD_RANGE` to [0, 1]."""

    def _learn(self, category: Ints, models: Ints, rewards: Floats) -> None:
        super()._learn(category, models, scaled_to_unit(rewards))


class BetaThompson(_UnitBandit):
    """Thompson sampling with a Beta posterior from Beta(1, 1), each reward counted as that fraction of a success."""

    def index(self, count: Floats, total: Floats, squares: Floats) -> Floats:  # noqa: ARG002
        """Draw each mean from its posterior, and shrink the draw towards the posterior mean by the multiplier."""
        successes, failures = 1.0 + total, 1.0 + count - total
        mean = successes / (successes + failures)
        draws = [rng.beta(successes[:, n], failures[:, n]) for n, rng in enumerate(self._noise)]
        drawn: Floats = mean + self._scale * (np.stack(draws, axis=1) - mean)
        return drawn


class Ucb1(_UnitBandit):
    """UCB1: the mean plus sqrt(2 ln n / n_m), and first every model until a reward of it is known."""

    multipliers = (1.0,)

    def index(self, count: Floats, total: Floats, squares: Floats) -> Floats:  # noqa: ARG002
        """Return the upper confidence bounds."""
        tried = np.maximum(count, 1.0)
        requests = np.maximum(count.sum(axis=-1, keepdims=True), 1.0)
        bound: Floats = total / tried + np.sqrt(2.0 * np.log(requests) / tried)
        return np.where(count > 0, bound, np.inf)


def normal_posterior(count: Floats, total: Floats, squares: Floats) -> tuple[Floats, Floats]:
    """Return mean and precision of the normal posterior of each mean reward, from sums of rewards and their squares.

    The prior of a mean is that of the service's quality: .7 +- .32. The variance of single rewards is learned, from a
    prior of .1 worth 8 rewards.
    """
    deviations = np.maximum(squares - total * total / np.maximum(count, 1.0), 0.0)
    spread = (_SPREAD_WEIGHT * _SPREAD + deviations) / (_SPREAD_WEIGHT + np.maximum(count - 1.0, 0.0))
    precision = 1.0 / _VARIANCE + count / spread
    return (_MEAN / _VARIANCE + total / spread) / precision, precision


def scaled_to_unit(rewards: Floats) -> Floats:
    """Return rewards scaled from `REWARD_RANGE` to [0, 1]; NaN stays."""
    low, high = REWARD_RANGE
    scaled: Floats = np.clip((rewards - low) / (high - low), 0.0, 1.0)
    return scaled
