"""What holds at which request: stretches of a run within which nothing changes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from simulations.changes import repriced, slowed, spoiled, withdrawn
from simulations.errors import OptionsError
from simulations.events import FalseJudgements, LatencyChange, ModelAdded, ModelEvent, Outage, PriceChange, QualityDrop
from simulations.roles import named
from simulations.scenario import Scenario
from simulations.world import World

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Regime:
    """Requests `start` (inclusive) to `end` (exclusive), and what holds there.

    `world` has the prices, latencies and enabled models of then, and quality as it is where no good answer turns bad.
    For each model, good answers turn bad with probability `spoilage`, of shape (M,); part of it is `failing`, the
    probability that the call itself fails. An attacker says that a model's answers have the
    quality `slander`, of shape (M,); NaN where nothing is said.
    """

    start: int
    end: int
    world: World
    spoilage: Floats
    failing: Floats
    slander: Floats

    @property
    def spoiled_world(self) -> World:
        """What happens to answers that turn bad."""
        return spoiled(self.world, np.ones_like(self.spoilage))

    @property
    def slandered_world(self) -> World:
        """What an attacker says of answers."""
        return replace(self.world, quality=np.where(np.isnan(self.world.quality), np.nan, self.slander))

    @property
    def expected_world(self) -> World:
        """What happens to answers in the mean."""
        return spoiled(self.world, self.spoilage)

    @property
    def available(self) -> Bools:
        """Whether each model can be chosen; shape (M,)."""
        return np.array([model.enabled for model in self.world.models])


def regimes_of(world: World, scenario: Scenario) -> tuple[Regime, ...]:
    """Return the regimes of a run, in their order. Raises OptionsError unless some model can be chosen throughout."""
    events = named(world, scenario).model_events
    bounds = {0, scenario.steps} | {bound for event in events for bound in _span(event)}
    inside = sorted(bound for bound in bounds if 0 <= bound <= scenario.steps)
    regimes = tuple(_regime(world, events, start, end) for start, end in pairwise(inside))
    if not np.all([regime.available for regime in regimes], axis=0).any():
        raise OptionsError(f"{scenario.name} leaves no model that can be chosen throughout; give it one more")
    return regimes


def places(regimes: Sequence[Regime]) -> Ints:
    """Return the place of each request's regime; shape (T,)."""
    return np.repeat(np.arange(len(regimes)), [regime.end - regime.start for regime in regimes])


def _span(event: ModelEvent) -> tuple[int, int]:
    """When an event makes the world another one."""
    return (0, event.start) if isinstance(event, ModelAdded) else (event.start, event.end)


def _regime(world: World, events: Sequence[ModelEvent], start: int, end: int) -> Regime:
    intact, answering = np.ones(len(world.models)), np.ones(len(world.models))
    slander = np.full(len(world.models), np.nan)
    places = {model.id: m for m, model in enumerate(world.models)}
    for event in events:
        first, last = _span(event)
        if not first <= start < last:
            continue
        m = places[str(event.model)]
        match event:
            case QualityDrop(share=share):
                intact[m] *= 1.0 - share
            case Outage(share=share):
                answering[m] *= 1.0 - share
            case LatencyChange(factor=factor):
                world = slowed(world, m, factor)
            case PriceChange(factor=factor):
                world = repriced(world, m, factor)
            case FalseJudgements(favoured=favoured):
                slander[m], slander[places[str(favoured)]] = 0.0, 1.0
            case ModelAdded():
                world = withdrawn(world, m)
    return Regime(start, end, world, 1.0 - intact * answering, 1.0 - answering, slander)
