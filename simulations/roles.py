"""Which model an event happens to."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from bandit.request import Objective
from simulations.changes import repriced
from simulations.errors import OptionsError
from simulations.events import CategoriesAdded, FalseJudgements, ModelEvent, Role
from simulations.scenario import Scenario
from simulations.values import expected_values
from simulations.world import World

_DISCOUNTED: Final = 0.1


def named(world: World, scenario: Scenario) -> Scenario:
    """Return the scenario with ids of models instead of roles. Raises OptionsError for a model that is not there."""
    ids = [model.id for model in world.models]

    def id_of(model: str | Role) -> str:
        if isinstance(model, Role):
            return ids[_place(world, scenario.objectives, model)]
        if model not in ids:
            raise OptionsError(f"{scenario.name} changes the model '{model}', which is not among {', '.join(ids)}")
        return model

    def at(event: ModelEvent) -> ModelEvent:
        if not isinstance(event, FalseJudgements):
            return replace(event, model=id_of(event.model))
        event = replace(event, model=id_of(event.model), favoured=id_of(event.favoured))
        if event.model == event.favoured:
            raise OptionsError(f"{scenario.name} has votes up and down for the model '{event.model}'; name two models")
        return event

    events = (event if isinstance(event, CategoriesAdded) else at(event) for event in scenario.events)
    return replace(scenario, events=tuple(events))


def _place(world: World, objectives: Sequence[Objective], role: Role) -> int:
    """Find the model by what an answer is worth in the mean; each category and objective counts the same.

    The best and the worst model have the highest and the lowest mean. The bargain is the model whose prices, cut to a
    tenth, would raise the oracle's mean the most, among those that are not the best already in more than half of the
    categories: where one is, a cut moves no request. The dearest has the highest mean cost.
    """
    values = expected_values(world, objectives)
    match role:
        case Role.DEAREST:
            return int(world.means(world.cost_usd).mean(axis=0).argmax())
        case Role.BEST:
            return int(values.mean(axis=(0, 1)).argmax())
        case Role.WORST:
            return int(values.mean(axis=(0, 1)).argmin())
        case Role.BARGAIN:
            models = range(len(world.models))
            won = np.array([(values.argmax(axis=2) == m).mean() for m in models])
            reached = [expected_values(repriced(world, m, _DISCOUNTED), objectives).max(axis=2).mean() for m in models]
            return int(np.where(won > 0.5, -np.inf, reached).argmax())
