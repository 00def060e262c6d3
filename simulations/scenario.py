"""What happens over a run: what is asked, what changes when, and when quality is reported."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Self

from bandit.request import Objective
from simulations.arrivals import Arrivals
from simulations.errors import OptionsError
from simulations.events import (
    CategoriesAdded,
    Event,
    FalseJudgements,
    LatencyChange,
    ModelAdded,
    ModelEvent,
    Outage,
    PriceChange,
    QualityDrop,
    Role,
)

PROFILES: Final = (
    Objective(answer_value_usd=1 / 100, second_value_usd=0.02 / 100),
    Objective(answer_value_usd=1 / 10, second_value_usd=0.15 / 10),
    Objective(answer_value_usd=1.0, second_value_usd=0.002),
)
"""Thrifty, hurried and demanding: a dollar costs 100, 10 and 1 answers, a second .02, .15 and .002 answers."""


BUDGETS_PER_ANSWER: Final = 100
"""Without another amount, the scenario `budget` allows a hundredth of a good answer's value for each request."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Requests `start` (inclusive, counted from 0) to `end` (exclusive).

    Where `first_new` is a number, only that many of them are meant: the first ones in categories that were added.
    """

    name: str
    start: int
    end: int
    first_new: int | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """Each request has one of `objectives`, drawn uniformly; `phases` cover the run, and `events` change the world.

    The quality of an answer is reported `quality_delay` requests after its decision, and of a share of the requests.
    `usd_per_request` is the budget that the service has; None for none. `arrivals` say when requests come, by default
    one a second.
    """

    name: str
    objectives: tuple[Objective, ...]
    phases: tuple[Phase, ...]
    events: tuple[Event, ...] = ()
    quality_delay: int = 0
    quality_share: float = 1.0
    usd_per_request: float | None = None
    arrivals: Arrivals | None = None

    @property
    def steps(self) -> int:
        """Number of requests."""
        return max(phase.end for phase in self.phases)

    @property
    def model_events(self) -> tuple[ModelEvent, ...]:
        """Those events that happen to a model."""
        return tuple(event for event in self.events if not isinstance(event, CategoriesAdded))

    @property
    def category_events(self) -> tuple[CategoriesAdded, ...]:
        """Those events that bring categories."""
        return tuple(event for event in self.events if isinstance(event, CategoriesAdded))

    def reporting(self, delay: int | None, share: float | None) -> Self:
        """Return the scenario with another delay and share of quality reports; None leaves what it says."""
        return replace(
            self,
            quality_delay=self.quality_delay if delay is None else delay,
            quality_share=self.quality_share if share is None else share,
        )

    def within(self, usd_per_request: float | None) -> Self:
        """Return the scenario with a budget; None leaves what it says. Raises OptionsError unless it is above 0."""
        if usd_per_request is None:
            return self
        if not 0 < usd_per_request < math.inf:
            raise OptionsError(f"--budget is {usd_per_request}; give dollars per request above 0")
        return replace(self, usd_per_request=usd_per_request)


def scenario_of(name: str, objective: Objective, steps: int) -> Scenario:
    """Return the scenario of this name, one of `SCENARIOS`; `profiles` has objectives of its own.

    Raises OptionsError for an unknown name, too few steps, or an answer without value, in which nothing can be counted.
    """
    if steps < 1:
        raise OptionsError(f"steps is {steps}; give at least 1")
    if not 0 < objective.answer_value_usd < math.inf or not 0 <= objective.second_value_usd < math.inf:
        raise OptionsError("the value of an answer must be above 0 dollars, that of a second not below")
    if name not in SCENARIOS:
        raise OptionsError(f"there is no scenario '{name}'; choose one of {', '.join(SCENARIOS)}")
    scenario = SCENARIOS[name](name, objective, steps)
    if scenario.events and steps < 3:
        raise OptionsError(f"--steps is {steps}; {name} has three parts, give at least 3")
    return scenario


def _stationary(name: str, objective: Objective, steps: int) -> Scenario:
    return Scenario(name, (objective,), (Phase("all", 0, steps),))


def _profiles(name: str, objective: Objective, steps: int) -> Scenario:  # noqa: ARG001 -- it has its own
    return Scenario(name, PROFILES, (Phase("all", 0, steps),))


def _in_the_middle(
    event: Callable[[Role, int, int], ModelEvent], role: Role
) -> Callable[[str, Objective, int], Scenario]:
    def scenario(name: str, objective: Objective, steps: int) -> Scenario:
        start, end = steps // 3, 2 * steps // 3
        phases = Phase("before", 0, start), Phase("during", start, end), Phase("after", end, steps)
        return Scenario(name, (objective,), phases, (event(role, start, end),))

    return scenario


def _budget(name: str, objective: Objective, steps: int) -> Scenario:
    """The dearest model is nearly free in the middle: a pacer must let go at once, and take hold again at once."""
    middle = _in_the_middle(partial(PriceChange, factor=0.01), Role.DEAREST)(name, objective, steps)
    return middle.within(objective.answer_value_usd / BUDGETS_PER_ANSWER)


def _with_a_newcomer(role: Role) -> Callable[[str, Objective, int], Scenario]:
    def scenario(name: str, objective: Objective, steps: int) -> Scenario:
        start, end = steps // 3, 2 * steps // 3
        phases = Phase("before", 0, start), Phase("joining", start, end), Phase("settled", end, steps)
        return Scenario(name, (objective,), phases, (ModelAdded(role, start),))

    return scenario


def _category_added(name: str, objective: Objective, steps: int) -> Scenario:
    start = steps // 3
    newest = Phase("first 800 in new categories", start, steps, first_new=800)
    phases = Phase("before", 0, start), Phase("after", start, steps), newest
    return Scenario(name, (objective,), phases, (CategoriesAdded(3, start),))


def _delayed(name: str, objective: Objective, steps: int) -> Scenario:
    return Scenario(name, (objective,), (Phase("all", 0, steps),), quality_delay=1000)


def _sparse(name: str, objective: Objective, steps: int) -> Scenario:
    return Scenario(name, (objective,), (Phase("all", 0, steps),), quality_share=0.1)


SCENARIOS: Final[Mapping[str, Callable[[str, Objective, int], Scenario]]] = {
    "stationary": _stationary,
    "profiles": _profiles,
    "quality-drop": _in_the_middle(QualityDrop, Role.BEST),
    "outage": _in_the_middle(Outage, Role.BEST),
    "latency-spike": _in_the_middle(LatencyChange, Role.BEST),
    "price-change": _in_the_middle(PriceChange, Role.BARGAIN),
    "poisoned": _in_the_middle(FalseJudgements, Role.BEST),
    "model-added": _with_a_newcomer(Role.BEST),
    "bad-model-added": _with_a_newcomer(Role.WORST),
    "category-added": _category_added,
    "delayed": _delayed,
    "sparse": _sparse,
    "budget": _budget,
}
