"""The world that the demo plays in, and why it has the models it has."""

from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from simulations.demo.options import DemoOptions
from simulations.errors import OptionsError
from simulations.generator import generate
from simulations.outcomes import Outcomes, read_outcomes
from simulations.world import World, world_of

MODELS_AT_MOST: Final = 12
"""A table with more is cut down to `MODELS_PICKED`, unless models are named."""
MODELS_PICKED: Final = 10


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """A world, where it comes from, and what of its table was left out; `picked` says that models were picked here."""

    world: World
    outcomes: Outcomes
    source: str
    picked: bool

    @property
    def left_out_models(self) -> int:
        """Number of the table's models that are not in the world."""
        return len(self.outcomes.models) - len(self.world.models)


def stage_of(options: DemoOptions) -> Stage:
    """Read or invent the table. Raises SimulationError where it cannot be used."""
    if options.outcomes is None:
        outcomes, source = generate(options.seed), "an invented sample"
    else:
        outcomes, source = read_outcomes(options.outcomes), options.outcomes.name
    picked = not options.models and len(outcomes.models) > MODELS_AT_MOST
    world = world_of(outcomes, _spread_over_costs(outcomes) if picked else options.models)
    if len(world.models) < 2:
        raise OptionsError("with one model there is nothing to choose; give at least two")
    return Stage(world, outcomes, source, picked)


def _spread_over_costs(outcomes: Outcomes) -> tuple[str, ...]:
    """Pick models evenly from the cheapest to the dearest, which tells nothing about how good they are."""
    costs: defaultdict[str, list[float]] = defaultdict(list)
    for answer in outcomes.answers:
        if answer.cost_usd is not None:
            costs[answer.model].append(answer.cost_usd)
    ranked = sorted(costs, key=lambda model: (fmean(costs[model]), model))
    count = min(MODELS_PICKED, len(ranked))
    return tuple(ranked[round(place * (len(ranked) - 1) / max(count - 1, 1))] for place in range(count))
