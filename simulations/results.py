"""From choices to scores: 0 is random, 100 the best model of each category under the request's objective."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median, stdev
from typing import Self

import numpy as np
from numpy.typing import NDArray

from simulations.scenario import Phase
from simulations.stream import Stream

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Score:
    """One score per seed with their mean and its standard error; None where nothing defines them.

    A score needs models that differ, a standard error two seeds.
    """

    by_seed: tuple[float, ...]
    mean: float | None
    standard_error: float | None

    @classmethod
    def of(cls, by_seed: Sequence[float]) -> Self:
        """Summarise the seeds."""
        defined = bool(np.isfinite(by_seed).all())
        return cls(
            by_seed=tuple(by_seed),
            mean=fmean(by_seed) if defined else None,
            standard_error=stdev(by_seed) / len(by_seed) ** 0.5 if defined and len(by_seed) > 1 else None,
        )


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """What a policy reached.

    `regret` is what it lost against the oracle over the run, in fully good answers; `shares` are fractions of the
    requests per model. `passes_best_fixed_at` is the first request, counted from 0, from which on to the end the policy
    is worth more than the fixed model that is best over the whole run: the median of the seeds, None for never.
    """

    score: Score
    phases: Mapping[Phase, Score]
    regret: float
    shares: Mapping[str, float]
    passes_best_fixed_at: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Referee:
    """Judges choices by what answers are worth in the mean: `values` has shape (O, C, M).

    Taking means instead of single outcomes leaves the luck of the draw out of the score, not out of the learning.
    """

    values: Floats
    models: tuple[str, ...]
    phases: tuple[Phase, ...]
    objectives: Ints
    categories: Ints
    oracle: Floats
    random: Floats
    best_fixed: Floats

    @classmethod
    def of(cls, values: Floats, models: Sequence[str], phases: Sequence[Phase], streams: Sequence[Stream]) -> Self:
        """Return the referee of N streams of T requests each."""
        objectives, categories = (
            np.stack([getattr(s, name) for s in streams]) for name in ("objectives", "categories")
        )
        totals = np.stack([values[objectives, categories, m].sum(axis=1) for m in range(len(models))])
        return cls(
            values=values,
            models=tuple(models),
            phases=tuple(phases),
            objectives=objectives,
            categories=categories,
            oracle=values.max(axis=2)[objectives, categories],
            random=values.mean(axis=2)[objectives, categories],
            best_fixed=values[objectives, categories, totals.argmax(axis=0)[:, None]],
        )

    def judge(self, choices: Ints) -> PolicyResult:
        """Return what the choices of one policy, shape (N, T), reached."""
        worth = self.values[self.objectives, self.categories, choices]
        counts = np.bincount(choices.ravel(), minlength=len(self.models))
        return PolicyResult(
            score=self._score(worth, 0, worth.shape[1]),
            phases={phase: self._score(worth, phase.start, phase.end) for phase in self.phases},
            regret=float((self.oracle - worth).sum(axis=1).mean()),
            shares={model: float(count / choices.size) for model, count in zip(self.models, counts, strict=True)},
            passes_best_fixed_at=_passes_at(worth - self.best_fixed),
        )

    def _score(self, worth: Floats, start: int, end: int) -> Score:
        span = slice(start, end)
        oracle, random, policy = (table[:, span].sum(axis=1) for table in (self.oracle, self.random, worth))
        scale = oracle - random
        differ = scale > 1e-12 * np.abs(oracle)
        scores = np.where(differ, 100.0 * (policy - random) / np.where(differ, scale, 1.0), np.nan)
        return Score.of(scores.tolist())


def _passes_at(lead: Floats) -> float | None:
    """First request from which on the lead, shape (N, T), adds up to more than 0 by the end; median of the seeds."""
    to_the_end = lead[:, ::-1].cumsum(axis=1)[:, ::-1]
    ahead = to_the_end > 1e-9
    first = np.where(ahead.any(axis=1), ahead.argmax(axis=1), np.inf)
    middle = float(median(first.tolist()))
    return middle if np.isfinite(middle) else None
