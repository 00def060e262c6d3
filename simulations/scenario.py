"""What is asked of the models over a run: objectives and phases."""

import math
from dataclasses import dataclass
from typing import Final

from bandit.request import Objective
from simulations.errors import OptionsError

PROFILES: Final = (
    Objective(answer_value_usd=1 / 100, second_value_usd=0.02 / 100),
    Objective(answer_value_usd=1 / 10, second_value_usd=0.15 / 10),
    Objective(answer_value_usd=1.0, second_value_usd=0.002),
)
"""Thrifty, hurried and demanding: a dollar costs 100, 10 and 1 answers, a second .02, .15 and .002 answers."""

SCENARIOS: Final = ("stationary", "profiles")


@dataclass(frozen=True, slots=True)
class Phase:
    """Requests `start` (inclusive, counted from 0) to `end` (exclusive)."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """Each request has one of `objectives`, drawn uniformly; `phases` cover the run."""

    name: str
    objectives: tuple[Objective, ...]
    phases: tuple[Phase, ...]

    @property
    def steps(self) -> int:
        """Number of requests."""
        return self.phases[-1].end


def scenario_of(name: str, objective: Objective, steps: int) -> Scenario:
    """Return the scenario of this name: `stationary` asks by `objective`, `profiles` mixes three of its own.

    Raises OptionsError for an unknown name, no steps, or an answer without value, in which nothing can be counted.
    """
    if steps < 1:
        raise OptionsError(f"steps is {steps}; give at least 1")
    if not 0 < objective.answer_value_usd < math.inf or not 0 <= objective.second_value_usd < math.inf:
        raise OptionsError("the value of an answer must be above 0 dollars, that of a second not below")
    phases = (Phase("all", 0, steps),)
    match name:
        case "stationary":
            return Scenario(name, (objective,), phases)
        case "profiles":
            return Scenario(name, PROFILES, phases)
        case _:
            raise OptionsError(f"there is no scenario '{name}'; choose one of {', '.join(SCENARIOS)}")
