"""The requests of one run: what every policy of a seed is faced with (common random numbers)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulations.arrivals import evenly
from simulations.errors import OptionsError
from simulations.events import CategoriesAdded, FalseJudgements
from simulations.scenario import Scenario
from simulations.world import World

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """T requests; arrays of shape (T,).

    `uniforms` are in [0, 1): the number that a draw of the request uses. So are `luck`: where a good answer turns bad
    with probability p, it does so where luck is below p. `judged` says whether the answer's quality is ever reported,
    `in_new_category` whether the category is one that was added during the run, `attacks` whether the request is an
    attacker's. `time_us` is when it comes, in microseconds from the start.
    """

    seed: int
    categories: Ints
    prompts: Ints
    objectives: Ints
    uniforms: Floats
    luck: Floats
    judged: Bools
    in_new_category: Bools
    attacks: Bools
    time_us: Ints


def stream_of(world: World, scenario: Scenario, seed: int, *, by_share: bool = False) -> Stream:
    """Draw the requests of a seed: prompts with replacement, within categories drawn uniformly.

    With `by_share` a category comes as often as the table has prompts of it. Where arrivals rank requests by size, a
    request has the prompt of that rank in its category, not one that is drawn. What events and reports draw leaves the
    other numbers as they are. Raises OptionsError where a scenario adds all categories there are.
    """
    rng, chances = (np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key)) for key in ((), (3,)))
    sizes = np.array([len(prompts) for prompts in world.prompts_by_category])
    shares = sizes / sizes.sum() if by_share else None
    categories = rng.choice(len(sizes), size=scenario.steps, p=shares)
    luck, judged = chances.random(scenario.steps), chances.random(scenario.steps) < scenario.quality_share
    weights = np.ones(len(sizes)) if shares is None else shares
    new = [_held_back(categories, event, weights, chances) for event in scenario.category_events]
    places, members = rng.random(scenario.steps), world.prompts_by_category
    arrivals = scenario.arrivals or evenly(scenario.steps, 1.0)
    if arrivals.size_ranks is not None:
        places, members = arrivals.size_ranks, _by_size(world)
    return Stream(
        seed=seed,
        categories=categories,
        prompts=_prompts(members, categories, (places * sizes[categories]).astype(np.int64)),
        objectives=rng.integers(len(scenario.objectives), size=scenario.steps),
        uniforms=rng.random(scenario.steps),
        luck=luck,
        judged=judged,
        in_new_category=np.isin(categories, [category for added in new for category in added.tolist()]),
        attacks=_attacks(scenario, chances),
        time_us=arrivals.time_us,
    )


def _attacks(scenario: Scenario, rng: np.random.Generator) -> Bools:
    """Draw which requests are an attacker's: in each of its spans a share of them."""
    attacks = np.zeros(scenario.steps, np.bool_)
    for event in scenario.model_events:
        if isinstance(event, FalseJudgements):
            attacks[event.start : event.end] |= rng.random(event.end - event.start) < event.share
    return attacks


def _held_back(categories: Ints, event: CategoriesAdded, weights: Floats, rng: np.random.Generator) -> Ints:
    """Draw which categories are added, and put others in their place until they are; return them."""
    if event.count >= len(weights):
        raise OptionsError(f"{event.count} categories are to be added, and the table has {len(weights)} in all")
    added = rng.choice(len(weights), size=event.count, replace=False)
    others = np.setdiff1d(np.arange(len(weights)), added)
    early = np.flatnonzero(np.isin(categories[: event.start], added))
    categories[early] = rng.choice(others, size=len(early), p=weights[others] / weights[others].sum())
    return added


def _by_size(world: World) -> tuple[Ints, ...]:
    """Return the places of each category's prompts, the shortest first."""
    tokens = world.requested_tokens
    return tuple(members[np.argsort(tokens[members], kind="stable")] for members in world.prompts_by_category)


def _prompts(by_category: Sequence[Ints], categories: Ints, places: Ints) -> Ints:
    prompts = np.empty_like(places)
    for category, members in enumerate(by_category):
        here = categories == category
        prompts[here] = members[places[here]]
    return prompts


def noise(seed: int) -> np.random.Generator:
    """Return the generator of a policy's own random numbers: of this seed, and independent of its requests."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
