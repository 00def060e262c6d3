from collections.abc import Callable

import numpy as np

from bandit.request import Objective
from simulations.scenario import Scenario, scenario_of
from simulations.stream import Stream, noise, stream_of
from simulations.world import World


def same(a: Stream, b: Stream) -> bool:
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in ("categories", "prompts", "objectives", "uniforms")
    )


def test_equal_seeds_ask_the_same_and_others_do_not(world: World, scenario: Callable[[int], Scenario]) -> None:
    first, again, other = (stream_of(world, scenario(200), seed) for seed in (7, 7, 8))
    assert same(first, again)
    assert not same(first, other)


def test_prompts_belong_to_the_category_drawn(world: World, scenario: Callable[[int], Scenario]) -> None:
    stream = stream_of(world, scenario(200), 1)
    assert np.array_equal(world.category_of[stream.prompts], stream.categories)
    assert set(stream.prompts.tolist()) == {0, 1, 2, 3}


def test_categories_come_equally_often_or_by_their_share(world: World, scenario: Callable[[int], Scenario]) -> None:
    lopsided = type(world)(
        world.categories,
        world.models,
        world.prompts,
        np.array([0, 0, 0, 1]),
        world.quality,
        world.latency_s,
        world.input_tokens,
        world.output_tokens,
    )
    equal = stream_of(lopsided, scenario(4000), 2).categories.mean()
    by_share = stream_of(lopsided, scenario(4000), 2, by_share=True).categories.mean()
    assert abs(equal - 0.5) < 0.04  # five standard deviations
    assert abs(by_share - 0.25) < 0.035


def test_profiles_ask_by_every_objective(world: World) -> None:
    stream = stream_of(world, scenario_of("profiles", Objective(), 3000), 3)
    assert np.abs(np.bincount(stream.objectives) - 1000).max() < 130  # five standard deviations


def test_a_policys_own_numbers_are_of_the_seed_and_apart_from_the_requests(
    world: World, scenario: Callable[[int], Scenario]
) -> None:
    stream = stream_of(world, scenario(5), 4)
    own = noise(stream).random(5)
    assert np.array_equal(own, noise(stream).random(5))
    assert not np.isin(own, stream.uniforms).any()
