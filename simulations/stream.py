"""The requests of one run: what every policy of a seed is faced with (common random numbers)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulations.scenario import Scenario
from simulations.world import World

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """T requests; arrays of shape (T,). `uniforms` are in [0, 1): the number that a draw of the request uses."""

    seed: int
    categories: Ints
    prompts: Ints
    objectives: Ints
    uniforms: Floats


def stream_of(world: World, scenario: Scenario, seed: int, *, by_share: bool = False) -> Stream:
    """Draw the requests of a seed: prompts with replacement, within categories drawn uniformly.

    With `by_share` a category comes as often as the table has prompts of it.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    sizes = np.array([len(prompts) for prompts in world.prompts_by_category])
    shares = sizes / sizes.sum() if by_share else None
    categories = rng.choice(len(sizes), size=scenario.steps, p=shares)
    places = (rng.random(scenario.steps) * sizes[categories]).astype(np.int64)
    return Stream(
        seed=seed,
        categories=categories,
        prompts=_prompts(world.prompts_by_category, categories, places),
        objectives=rng.integers(len(scenario.objectives), size=scenario.steps),
        uniforms=rng.random(scenario.steps),
    )


def _prompts(by_category: Sequence[Ints], categories: Ints, places: Ints) -> Ints:
    prompts = np.empty_like(places)
    for category, members in enumerate(by_category):
        here = categories == category
        prompts[here] = members[places[here]]
    return prompts


def noise(stream: Stream) -> np.random.Generator:
    """Return the generator of a policy's own random numbers: of this seed, and independent of the requests."""
    return np.random.default_rng(np.random.SeedSequence(stream.seed, spawn_key=(1,)))
