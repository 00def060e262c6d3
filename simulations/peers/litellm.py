"""LiteLLM's adaptive router, by its published rules (litellm 1.109.1, `router_strategy/adaptive_router`, and README).

Per (request type, model) a Beta posterior of good answers. A draw of each weighs `quality_weight`, cheapness by list
input price the rest; the highest sum is chosen. The prior is worth ten answers and has the mean that the operator's
tier of the model says. Of a cell that holds two hundred answers, the prior included, nothing more is learned.

What differs here is to its advantage: it guesses the request type and whether an answer was good from the wording of a
chat, and of calls without a conversation it learns nothing. Here it is told the category, and the quality of each
judged answer. Objectives, latency, errors and the price of output have no part in its rules.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bandit.catalogue import Model
from simulations.peers.course import Course
from simulations.stream import noise

Floats = NDArray[np.float64]

PRIOR_ANSWERS: Final = 10.0
PRIOR_MEANS: Final = (0.3, 0.5, 0.7)
"""Of tiers 1, 2 and 3."""
MOST_ANSWERS: Final = 200.0


class LiteLlmSettings(NamedTuple):
    """The two things that an operator sets: the weight of quality, and the tiers.

    Tiers are thirds of the models by list input price, the dearest in the highest; or all are of the middle one.
    """

    quality_weight: float = 0.7
    tiers_by_price: bool = True


class LiteLlm:
    """Thompson sampling on quality, with cheapness by list price added to the draw."""

    def __init__(self, course: Course, settings: LiteLlmSettings) -> None:
        self._settings = settings
        self._noise = noise(course.seed)
        prices = _input_prices(course.offers[0])
        thirds = prices.argsort().argsort() * len(PRIOR_MEANS) // len(prices)
        means = np.array(PRIOR_MEANS)[thirds if settings.tiers_by_price else np.ones_like(thirds)]
        self._good = np.tile(PRIOR_ANSWERS * means, (course.sizes[0], 1))
        self._bad = PRIOR_ANSWERS - self._good

    def counts(self, category: int) -> tuple[Floats, Floats]:
        """Return the good and the bad answers of each model that a category holds, the prior included; shape (M,)."""
        return self._good[category], self._bad[category]

    def offer(self, models: Sequence[Model]) -> None:
        """Take in prices, and which models can be chosen."""
        self._enabled = np.array([model.enabled for model in models])
        prices = _input_prices(models)
        low, high = prices[self._enabled].min(), prices[self._enabled].max()
        self._cheapness = (high - prices) / (high - low) if high > low else np.full(len(models), 0.5)

    def choose(self, category: int, objective: int) -> tuple[int, tuple[int, int]]:  # noqa: ARG002
        """Draw a quality for each model, and return the one of the highest weighted sum."""
        weight = self._settings.quality_weight
        quality = self._noise.beta(self._good[category], self._bad[category])
        score = weight * quality + (1.0 - weight) * self._cheapness
        model = int(np.where(self._enabled, score, -np.inf).argmax())
        return model, (category, model)

    def learn(self, ticket: tuple[int, int], reward: float) -> None:
        """Count an answer as that fraction of a good one, unless the cell is full."""
        if self._good[ticket] + self._bad[ticket] + 1.0 <= MOST_ANSWERS:
            self._good[ticket] += reward
            self._bad[ticket] += 1.0 - reward


def _input_prices(models: Sequence[Model]) -> Floats:
    return np.array([model.prices.input_usd_per_mtok for model in models])
