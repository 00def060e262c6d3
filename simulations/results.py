"""From choices to scores: 0 is random, 100 the best model of each category under the request's objective."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Self

import numpy as np
from numpy.typing import NDArray

from simulations.event_figures import EventFigures, event_figures, median_first
from simulations.regimes import places, regimes_of
from simulations.roles import named
from simulations.scenario import Phase, Scenario
from simulations.stream import Stream
from simulations.values import expected_values
from simulations.world import World

Bools = NDArray[np.bool_]
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
    requests per model; `events` tell what became of the share of each model that something happened to.
    `passes_best_fixed_at` is the first request, counted from 0, from which on to the end the policy is worth more than
    the fixed model that is best over the whole run, of those that can be chosen throughout: the median of the seeds,
    None for never. `spend_usd` is what a request cost in each phase, as billed, and `quality` how good its answer was
    in the mean of its category.
    """

    score: Score
    phases: Mapping[Phase, Score]
    regret: float
    shares: Mapping[str, float]
    passes_best_fixed_at: float | None
    events: tuple[EventFigures, ...]
    spend_usd: Mapping[Phase, Score] = field(default_factory=dict)
    quality: Mapping[Phase, Score] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Referee:
    """Judges choices by what answers are worth in the mean, under what holds at the request.

    Taking means instead of single outcomes leaves the luck of the draw out of the score, not out of the learning.
    `values` has shape (R, O, C, M) for R regimes, `cost_usd` (R, P, M), `quality` (R, C, M), `regimes` (T,), the other
    arrays (N, T) for N streams. What an attacker asked is not `counted`: it costs money, and is worth nothing.
    """

    values: Floats
    cost_usd: Floats
    quality: Floats
    scenario: Scenario
    models: tuple[str, ...]
    regimes: Ints
    objectives: Ints
    categories: Ints
    prompts: Ints
    in_new_category: Bools
    oracle: Floats
    random: Floats
    best_fixed: Floats
    counted: Bools

    @classmethod
    def of(cls, world: World, scenario: Scenario, streams: Sequence[Stream]) -> Self:
        """Return the referee of N streams of T requests each.

        Raises UnknownOutcomesError where the world does not know what the scenario's objectives ask about.
        """
        regimes = regimes_of(world, scenario)
        values = np.stack([expected_values(regime.expected_world, scenario.objectives) for regime in regimes])
        available = np.stack([regime.available for regime in regimes])
        objectives, categories, prompts, in_new_category, attacks = (
            np.stack([getattr(stream, name) for stream in streams])
            for name in ("objectives", "categories", "prompts", "in_new_category", "attacks")
        )
        asked = places(regimes), objectives, categories
        choosable = available[:, None, None, :]
        sums = np.where(choosable, values, 0.0).sum(axis=3)
        counted = ~attacks
        totals = np.stack([values[(*asked, m)].sum(axis=1, where=counted) for m in range(len(world.models))])
        totals[~available.all(axis=0)] = -np.inf
        return cls(
            values=values,
            cost_usd=np.stack([regime.world.cost_usd for regime in regimes]),
            quality=np.stack([world.means(regime.expected_world.quality) for regime in regimes]),
            scenario=named(world, scenario),
            models=tuple(model.id for model in world.models),
            regimes=places(regimes),
            objectives=objectives,
            categories=categories,
            prompts=prompts,
            in_new_category=in_new_category,
            oracle=np.where(counted, np.where(choosable, values, -np.inf).max(axis=3)[asked], 0.0),
            random=np.where(counted, (sums / choosable.sum(axis=3))[asked], 0.0),
            best_fixed=np.where(counted, values[(*asked, totals.argmax(axis=0)[:, None])], 0.0),
            counted=counted,
        )

    def judge(self, choices: Ints) -> PolicyResult:
        """Return what the choices of one policy, shape (N, T), reached."""
        worth = np.where(self.counted, self.values[self.regimes, self.objectives, self.categories, choices], 0.0)
        paid = self.cost_usd[self.regimes, self.prompts, choices]
        quality = np.where(self.counted, self.quality[self.regimes, self.categories, choices], np.nan)
        counts = np.bincount(choices.ravel(), minlength=len(self.models))
        return PolicyResult(
            score=self._score(worth, Phase("all", 0, self.scenario.steps)),
            phases={phase: self._score(worth, phase) for phase in self.scenario.phases},
            regret=float((self.oracle - worth).sum(axis=1).mean()),
            shares={model: float(count / choices.size) for model, count in zip(self.models, counts, strict=True)},
            passes_best_fixed_at=_passes_at(worth - self.best_fixed),
            events=tuple(
                event_figures(event, choices == self.models.index(str(event.model)))
                for event in self.scenario.model_events
            ),
            spend_usd={phase: _mean(paid, phase) for phase in self.scenario.phases},
            quality={phase: _mean(quality, phase) for phase in self.scenario.phases},
        )

    def _score(self, worth: Floats, phase: Phase) -> Score:
        oracle, random, policy = (self._total(table, phase) for table in (self.oracle, self.random, worth))
        scale = oracle - random
        differ = scale > 1e-12 * np.abs(oracle)
        scores = np.where(differ, 100.0 * (policy - random) / np.where(differ, scale, 1.0), np.nan)
        return Score.of(scores.tolist())

    def _total(self, table: Floats, phase: Phase) -> Floats:
        judged = table[:, phase.start : phase.end]
        if phase.first_new is not None:
            new = self.in_new_category[:, phase.start : phase.end]
            judged = np.where(new & (new.cumsum(axis=1) <= phase.first_new), judged, 0.0)
        total: Floats = judged.sum(axis=1)
        return total


def _mean(table: Floats, phase: Phase) -> Score:
    """Mean of each seed over what is known of a phase."""
    judged = table[:, phase.start : phase.end]
    known = np.isfinite(judged)
    counts = known.sum(axis=1)
    means = np.where(known, judged, 0.0).sum(axis=1) / np.where(counts > 0, counts, np.nan)
    return Score.of(means.tolist())


def _passes_at(lead: Floats) -> float | None:
    """First request from which on the lead, shape (N, T), adds up to more than 0 by the end; median of the seeds."""
    to_the_end = lead[:, ::-1].cumsum(axis=1)[:, ::-1]
    ahead = to_the_end > 1e-9
    return median_first(ahead)
