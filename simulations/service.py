"""The service's own core in a world: record, infer, policy and draw, at the service's pace.

What an answer teaches is recorded at once; decisions see it from the next refresh of the snapshot on.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from bandit import Distribution, Event, Snapshot, Sums, draw, events_of, infer, policy, record, snapshot_of
from bandit.priors import InferenceSettings
from bandit.request import Request, quarter_octave
from bandit.signals import SCORE_PREFIX, DecisionFacts, Fact, Kind
from bandit.snapshot import PolicySettings
from bandit.sums import with_axes
from simulations.reports import QUALITY_SCORE, reports
from simulations.scenario import Scenario
from simulations.stream import Stream
from simulations.world import World

Ints = NDArray[np.int64]

_UNSAID_TOKENS = 1000
"""Prompt tokens that stand in where the caller cannot say."""


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """How the service learns, and its pace: requests per second, seconds between refreshes of the snapshot."""

    requests_per_second: float = 1.0
    refresh_s: float = 5.0
    bucket_s: float = 10.0
    inference: InferenceSettings = field(default_factory=InferenceSettings)
    policy: PolicySettings = field(default_factory=PolicySettings)


def service_choices(world: World, scenario: Scenario, stream: Stream, settings: ServiceSettings) -> Ints:
    """Return the model that the service chooses for each request; shape (T,)."""
    service = _Service(world, settings)
    uniforms = _Tape(stream.uniforms.tolist())
    tokens = [None if math.isnan(count) else round(count) for count in world.requested_tokens.tolist()]
    everyone = (1 << len(world.models)) - 1
    chosen = []
    for step, (prompt, objective) in enumerate(zip(stream.prompts.tolist(), stream.objectives.tolist(), strict=True)):
        now_us = round(step * 1e6 / settings.requests_per_second)
        category = world.categories[world.category_of[prompt]]
        request = Request(
            category, everyone, quarter_octave(tokens[prompt] or _UNSAID_TOKENS), scenario.objectives[objective]
        )
        model = draw(service.distribution(request, now_us), uniforms).position
        decision = DecisionFacts(category, world.models[model].id, Kind.SAMPLED, now_us, tokens[prompt])
        service.learn(decision, reports(world, prompt, model))
        chosen.append(model)
    return np.array(chosen)


class _Service:
    """Sums, the published snapshot, and the distributions that were asked of it."""

    _snapshot: Snapshot
    _distributions: dict[Request, Distribution]
    _due_us: int

    def __init__(self, world: World, settings: ServiceSettings) -> None:
        self._models = world.models
        self._policy = settings.policy
        self._inference = _inference(world, settings.inference)
        self._period_us = max(1, round(settings.refresh_s * 1e6))
        sums = Sums.empty(round(settings.bucket_s * 1e6))
        self._sums = with_axes(sums, world.categories, [model.id for model in world.models])
        self._taught: list[Event] = []
        self._refresh(0)

    def distribution(self, request: Request, now_us: int) -> Distribution:
        """Return the choice probabilities of a request, from the snapshot published last."""
        if now_us >= self._due_us:
            self._refresh(now_us - now_us % self._period_us)
        found = self._distributions.get(request)
        if found is None:
            found = self._distributions[request] = policy(self._snapshot, request)
        return found

    def learn(self, decision: DecisionFacts, facts: Iterable[Fact]) -> None:
        """Take in what is reported of a decision."""
        for fact in facts:
            self._taught.extend(events_of(decision, fact))

    def _refresh(self, now_us: int) -> None:
        self._sums = record(self._sums, self._taught)
        self._taught.clear()
        self._snapshot = snapshot_of(infer(self._sums, now_us, self._inference), self._models, self._policy)
        self._distributions = {}
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
