"""Everything that is there before the server starts: the world, what is true in it, and the traffic."""

from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean
from typing import Final

import numpy as np

from simulations.demo.accounts import Truth, truth_of
from simulations.demo.options import DemoOptions
from simulations.demo.traffic import Traffic, traffic_of
from simulations.errors import OptionsError
from simulations.generator import generate
from simulations.outcomes import Outcomes, read_outcomes
from simulations.world import World, world_of

SAMPLE: Final = 26
"""Seed of the invented sample. How far one model suffices for all categories differs much from table to table, so this
is a typical one: of the first 200 it is in the middle by the score of its best single model, with equally frequent
categories (of the two in the middle, 26 and 108, the first). How well routeward does on it plays no part."""
MODELS_AT_MOST: Final = 12
"""A table with more is cut down to `MODELS_PICKED`, unless models are named."""
MODELS_PICKED: Final = 10


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """A world, what is true in it, the traffic that is played, and the table that all of it comes from."""

    world: World
    truth: Truth
    traffic: Traffic
    outcomes: Outcomes
    source: str

    @property
    def left_out_models(self) -> int:
        """Number of the table's models that are not in the world."""
        return len(self.outcomes.models) - len(self.world.models)


def stage_of(options: DemoOptions) -> Stage:
    """Read or invent the table, and set the stage. Raises SimulationError where that cannot be done."""
    if options.outcomes is None:
        outcomes, source = generate(SAMPLE), "an invented sample"
    else:
        outcomes, source = read_outcomes(options.outcomes), options.outcomes.name
    world = world_of(outcomes, options.models or models_of(outcomes))
    if len(world.models) < 2:
        raise OptionsError("with one model there is nothing to choose; give at least two")
    truth = truth_of(world, options.objective)
    return Stage(world, truth, traffic_of(world, options), outcomes, source)


def models_of(outcomes: Outcomes) -> tuple[str, ...]:
    """Return the models of a table; of many those that lie evenly between the cheapest and the dearest.

    What models cost tells nothing about how good they are, so this leaves everything to be learned.
    """
    models = outcomes.models
    if len(models) <= MODELS_AT_MOST:
        return models
    costs: defaultdict[str, list[float]] = defaultdict(list)
    for answer in outcomes.answers:
        if answer.cost_usd is not None:
            costs[answer.model].append(answer.cost_usd)
    ranked = sorted(costs, key=lambda model: (fmean(costs[model]), model))
    places = np.linspace(0, len(ranked) - 1, min(MODELS_PICKED, len(ranked))).round().astype(int)
    return tuple(ranked[place] for place in places)
