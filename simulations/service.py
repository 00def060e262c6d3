"""The service's own core in a world: record, infer, policy and draw, at the service's pace.

What an answer teaches is recorded at once; decisions see it from the next refresh of the snapshot on.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from bandit import Distribution, Event, Sums, draw, events_of, record
from bandit.catalogue import Model
from bandit.priors import InferenceSettings
from bandit.request import Request, quarter_octave
from bandit.signals import SCORE_PREFIX, DecisionFacts, Fact, Kind, Outcome, Score, Status, to_fixed_point
from bandit.snapshot import PolicySettings
from bandit.sums import merge, with_axes
from simulations.core import Core
from simulations.events import FalseJudgements
from simulations.judge import Judge
from simulations.purse import TYPICAL_PROMPT, Purse, budgets_of
from simulations.regimes import Regime, regimes_of
from simulations.reports import QUALITY_SCORE, reports
from simulations.scenario import Scenario
from simulations.stream import Stream
from simulations.world import World

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """How the service learns, and how many seconds lie between two refreshes of its snapshot.

    A `judge` scores every answer, beside those who report quality.
    """

    refresh_s: float = 5.0
    bucket_s: float = 10.0
    inference: InferenceSettings = field(default_factory=InferenceSettings)
    policy: PolicySettings = field(default_factory=PolicySettings)
    judge: Judge | None = None


def service_choices(
    world: World, scenario: Scenario, stream: Stream, settings: ServiceSettings, *, excluding: bool = False
) -> Ints:
    """Return the model that the service chooses for each request; shape (T,). `excluding` as in `service_decisions`."""
    decisions = service_decisions(world, scenario, stream, settings, excluding=excluding)
    return np.array([model for model, _ in decisions])


def service_decisions(
    world: World, scenario: Scenario, stream: Stream, settings: ServiceSettings, *, excluding: bool = False
) -> Iterator[tuple[int, Distribution]]:
    """Yield the model that serves each request, and what it was drawn from.

    With `excluding`, the operator finds the attacker when the first attack ends: the sums are then what they would be
    without that rater's judgements, and further ones are refused.
    """
    regimes = regimes_of(world, scenario)
    purse = Purse(budgets_of(scenario.usd_per_request), scenario.objectives[0])
    service = _Service(world, regimes[0].world.models, settings, purse)
    callers = _Callers(service, world, scenario, stream, settings.judge)
    found_at = min((event.end for event in scenario.model_events if isinstance(event, FalseJudgements)), default=-1)
    for regime in regimes:
        if excluding and regime.start == found_at:
            service.exclude_attacker()
        yield from callers.played(regime)


class _Callers:
    """Ask for a model, and report how it went: the outcome at once, quality when and where the scenario says."""

    def __init__(
        self, service: "_Service", world: World, scenario: Scenario, stream: Stream, judge: Judge | None
    ) -> None:
        self._service = service
        self._scenario = scenario
        self._stream = stream
        self._judge = judge
        self._categories = [world.categories[c] for c in world.category_of.tolist()]
        self._tokens = [None if math.isnan(count) else round(count) for count in world.requested_tokens.tolist()]
        self._uniforms = _Tape(stream.uniforms.tolist())
        self._unreported: deque[tuple[DecisionFacts, Sequence[Fact], bool]] = deque()

    def played(self, regime: Regime) -> Iterator[tuple[int, Distribution]]:
        """Yield the model that serves each request of a regime, and what it was drawn from."""
        self._service.offer(regime.world.models)
        eligible = sum(1 << m for m, available in enumerate(regime.available.tolist()) if available)
        spoilage, failing = regime.spoilage.tolist(), regime.failing.tolist()
        spoiled_world, slandered_world, cost_usd = regime.spoiled_world, regime.slandered_world, regime.world.cost_usd
        stream = self._stream
        fields = (stream.time_us, stream.prompts, stream.objectives, stream.luck, stream.judged, stream.attacks)
        asked = (field[regime.start : regime.end].tolist() for field in fields)
        for now_us, prompt, objective, luck, judged, attack in zip(*asked, strict=True):
            category, tokens = self._categories[prompt], self._tokens[prompt]
            size = quarter_octave(tokens or TYPICAL_PROMPT)
            request = Request(category, eligible, size, self._scenario.objectives[objective])
            distribution = self._service.distribution(request, now_us)
            model = draw(distribution, self._uniforms).position
            has_price = distribution.forecasts.budget_price > 0.0
            self._service.purse.pay(category, now_us, float(cost_usd[prompt, model]), priced=has_price)
            decision = DecisionFacts(category, regime.world.models[model].id, Kind.SAMPLED, now_us, tokens)
            answers = slandered_world if attack else spoiled_world if luck < spoilage[model] else regime.world
            if luck < failing[model]:
                self._report(decision, Outcome(Status.ERROR), (), attack=attack)
            else:
                outcome, *quality = reports(answers, prompt, model)
                judgements = [*(quality if judged or attack else ()), *self._scores(prompt, model)]
                self._report(decision, outcome, judgements, attack=attack)
            yield model, distribution

    def _scores(self, prompt: int, model: int) -> Iterator[Fact]:
        score = math.nan if self._judge is None else float(self._judge.scores[prompt, model])
        if self._judge is not None and not math.isnan(score):
            yield Score(self._judge.name, to_fixed_point(score))

    def _report(self, decision: DecisionFacts, outcome: Fact, quality: Sequence[Fact], *, attack: bool) -> None:
        self._service.learn(decision, [outcome])
        self._unreported.append((decision, quality, attack))
        if len(self._unreported) > self._scenario.quality_delay:
            decision, quality, attack = self._unreported.popleft()
            self._service.learn(decision, quality, by_attacker=attack)


class _Service:
    """The core with the sums of what it was told, published at the service's pace."""

    def __init__(self, world: World, models: tuple[Model, ...], settings: ServiceSettings, purse: Purse) -> None:
        self.purse = purse
        self._core = Core(models, _inference(world, settings.inference), settings.policy, paced=purse.paced)
        self._period_us = max(1, round(settings.refresh_s * 1e6))
        sums = Sums.empty(round(settings.bucket_s * 1e6))
        self._sums = with_axes(sums, world.categories, [model.id for model in world.models])
        self._falsehoods: Sums | None = None
        self._taught: list[Event] = []
        self._taught_falsely: list[Event] = []
        self._excludes_attacker = False
        self._refresh(0)

    def offer(self, models: tuple[Model, ...]) -> None:
        """Change the catalogue: the next decision knows, and nothing is learned by it."""
        self._core.offer(models)

    def distribution(self, request: Request, now_us: int) -> Distribution:
        """Return the choice probabilities of a request, from the snapshot published last."""
        if now_us >= self._due_us:
            self._refresh(now_us - now_us % self._period_us)
        return self._core.distribution(request)

    def learn(self, decision: DecisionFacts, facts: Iterable[Fact], *, by_attacker: bool = False) -> None:
        """Take in what is reported of a decision."""
        taught = self._taught_falsely if by_attacker else self._taught
        for fact in facts:
            taught.extend(events_of(decision, fact))

    def exclude_attacker(self) -> None:
        """Believe nothing that the attacker ever said; the next refresh shows it."""
        self._excludes_attacker = True

    def _refresh(self, now_us: int) -> None:
        self._sums = record(self._sums, self._taught)
        self._taught.clear()
        if self._taught_falsely:
            self._falsehoods = record(self._falsehoods or Sums.empty(self._sums.bucket_us), self._taught_falsely)
            self._taught_falsely.clear()
        believed = self._sums
        if self._falsehoods is not None and not self._excludes_attacker:
            believed = merge(self._sums, self._falsehoods)
        self._core.publish(believed, now_us)
        self._due_us = now_us + self._period_us


class _Tape:
    """Plays back uniform numbers that were drawn before, so that every policy meets the same ones."""

    def __init__(self, numbers: Iterable[float]) -> None:
        self._numbers = iter(numbers)

    def random(self) -> float:
        """Return the next number."""
        return next(self._numbers)


def _inference(world: World, settings: InferenceSettings) -> InferenceSettings:
    if not world.graded:
        return settings
    return replace(settings, quality_sources=dict.fromkeys(world.categories, SCORE_PREFIX + QUALITY_SCORE))
