from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from bandit.request import Objective
from simulations.errors import OptionsError
from simulations.generator import MODELS, generate
from simulations.scenario import SCENARIOS, Scenario, scenario_of
from simulations.stream import Stream, noise, stream_of
from simulations.world import World, world_of

FIELDS = ("categories", "prompts", "objectives", "uniforms", "luck", "judged")


def same(a: Stream, b: Stream, *, start: int = 0, fields: Sequence[str] = FIELDS) -> bool:
    return all(np.array_equal(getattr(a, name)[start:], getattr(b, name)[start:]) for name in fields)


@pytest.fixture(scope="module")
def six() -> World:
    """A world of six categories, of 3, 6, ... prompts."""
    world = world_of(generate(4, prompts_per_category=18, models=MODELS[:2]))
    kept = [place for c, prompts in enumerate(world.prompts_by_category) for place in prompts[: 3 * c + 3].tolist()]
    return replace(
        world,
        prompts=tuple(world.prompts[place] for place in kept),
        **{
            name: getattr(world, name)[kept]
            for name in ("category_of", "quality", "latency_s", "input_tokens", "output_tokens")
        },
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
    own = noise(4).random(5)
    assert np.array_equal(own, noise(4).random(5))
    assert not np.isin(own, stream.uniforms).any()


@pytest.mark.parametrize("name", sorted(SCENARIOS.keys() - {"profiles", "category-added"}))
def test_events_and_reports_leave_the_requests_as_they_are(six: World, name: str) -> None:
    plain, eventful = (stream_of(six, scenario_of(one, Objective(), 300), 5) for one in ("stationary", name))
    assert same(plain, eventful, fields=FIELDS[:5])


def test_added_categories_do_not_occur_before_and_do_afterwards(six: World) -> None:
    stream = stream_of(six, scenario_of("category-added", Objective(), 900), 5)
    early, late = stream.categories[:300], stream.categories[300:]
    assert len(set(early.tolist())) == 3
    assert set(late.tolist()) == set(range(6))
    assert np.array_equal(stream.in_new_category, ~np.isin(stream.categories, early))
    assert np.array_equal(six.category_of[stream.prompts], stream.categories)


def test_added_categories_are_drawn_by_the_seed_and_change_nothing_else(six: World) -> None:
    scenario = scenario_of("category-added", Objective(), 900)
    known = {tuple(set(stream_of(six, scenario, seed).categories[:300].tolist())) for seed in range(10)}
    assert len(known) > 3
    plain, eventful = stream_of(six, scenario_of("stationary", Objective(), 900), 5), stream_of(six, scenario, 5)
    assert same(plain, eventful, start=300)
    assert same(plain, eventful, fields=FIELDS[2:])


def test_what_stands_in_for_added_categories_keeps_the_shares_of_the_others(six: World) -> None:
    scenario = scenario_of("category-added", Objective(), 9000)
    stream = stream_of(six, scenario, 6, by_share=True)
    counts = np.bincount(stream.categories[:3000], minlength=6)
    sizes = np.where(counts > 0, np.arange(1, 7), 0)
    np.testing.assert_allclose(counts / 3000, sizes / sizes.sum(), atol=0.05)  # five standard deviations


def test_a_world_must_have_more_categories_than_are_added(world: World) -> None:
    with pytest.raises(OptionsError, match="3 categories are to be added, and the table has 2 in all"):
        stream_of(world, scenario_of("category-added", Objective(), 90), 1)


def test_quality_is_reported_for_the_share_of_requests_asked_for(six: World) -> None:
    tenth, all_of_them = (stream_of(six, scenario_of(name, Objective(), 4000), 7) for name in ("sparse", "stationary"))
    assert abs(tenth.judged.mean() - 0.1) < 0.025  # five standard deviations
    assert all_of_them.judged.all()
