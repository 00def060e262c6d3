"""Policies that write invented logs, with exact probabilities: a uniform one, and one that learns by Thompson sampling.

A logger is asked for its probabilities at fixed rows, and told in between what became of its choices. What it learns
is kept in integers, so it does not depend on the portions in which it is told.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from bandit.best import best_probabilities
from bandit.signals import SCALE
from simulations.baselines import normal_posterior

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FLOOR: Final = 0.005
"""Smallest probability of a model when `ThompsonLogger` chooses."""


class Logger(Protocol):
    """Chooses models for the rows of a log."""

    @property
    def refresh_rows(self) -> int | None:
        """Rows after which the probabilities are refreshed; None for never."""

    @property
    def probabilities(self) -> Floats:
        """Probability of each model in each category; shape (C, M), rows sum to 1."""

    def refresh(self) -> None:
        """Compute the probabilities from what was learned so far."""

    def learn(self, category: Ints, model: Ints, worth: Floats) -> None:
        """Take in what answers were worth, in fully good answers; NaN is unknown. Shapes (n,)."""


class UniformLogger:
    """Every model is as likely as any other, for good."""

    refresh_rows: ClassVar[int | None] = None

    def __init__(self, categories: int, models: int, refresh_rows: int = 0) -> None:  # noqa: ARG002 -- as others have
        self.probabilities = np.full((categories, models), 1.0 / models)

    def refresh(self) -> None:
        """Stay as it is."""

    def learn(self, category: Ints, model: Ints, worth: Floats) -> None:
        """Learn nothing."""


class ThompsonLogger:
    """Gaussian Thompson sampling per category: p = floor + (1 - M floor) P(best).

    The posterior is that of `baselines.GaussianThompson`, with P(best) integrated instead of drawn.
    """

    def __init__(self, categories: int, models: int, refresh_rows: int, floor: float = FLOOR) -> None:
        self.refresh_rows: int | None = refresh_rows
        self._floor = floor
        self._sums = np.zeros((3, categories, models), np.int64)
        self.probabilities = np.full((categories, models), 1.0 / models)
        self._has_news = np.zeros(categories, np.bool_)

    def refresh(self) -> None:
        """Compute the probabilities of the categories that something was learned of."""
        means, precisions = normal_posterior(self._sums[0].astype(np.float64), *(self._sums[1:] / SCALE))
        deviations = 1.0 / np.sqrt(precisions)
        table = self.probabilities.copy()
        models = table.shape[1]
        for c in np.flatnonzero(self._has_news).tolist():
            best = np.array(best_probabilities(means[c].tolist(), deviations[c].tolist()))
            table[c] = self._floor + (1.0 - models * self._floor) * best
        self.probabilities = table
        self._has_news[:] = False

    def learn(self, category: Ints, model: Ints, worth: Floats) -> None:
        """Count answers of known worth, which is cut to [-8, 8] so that integers hold it."""
        known = np.isfinite(worth)
        cell = category[known] * self._sums.shape[2] + model[known]
        units = np.rint(np.clip(worth[known], -8.0, 8.0) * SCALE)
        for place, weights in enumerate((np.ones_like(units), units, np.rint(units * units / SCALE))):
            # Exact: floats hold sums of integers below 2^53.
            added = np.bincount(cell, weights, self._sums[place].size).astype(np.int64)
            self._sums[place] += added.reshape(self._sums[place].shape)
        self._has_news[category[known]] = True


LOGGERS: Final[Mapping[str, Callable[[int, int, int], Logger]]] = {
    "uniform": UniformLogger,
    "thompson": ThompsonLogger,
}
"""By name: from the numbers of categories and models, and the rows of a refresh."""
