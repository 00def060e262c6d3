from collections.abc import Callable

import numpy as np

from bandit.priors import InferenceSettings
from simulations.generator import generate
from simulations.judge import Judge
from simulations.scenario import Scenario
from simulations.service import ServiceSettings, service_choices
from simulations.stream import stream_of
from simulations.world import World, world_of


def test_equal_seeds_give_equal_judges_and_others_other_ones() -> None:
    world = world_of(generate(0, prompts_per_category=5))
    one, same, other = (Judge.of(world, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.scores, same.scores)
    assert not np.array_equal(one.scores, other.scores)


def test_scores_lie_from_0_to_1_and_follow_quality() -> None:
    world = world_of(generate(0, prompts_per_category=30))
    scores = Judge.of(world, 3).scores
    assert ((scores >= 0) & (scores <= 1)).all()
    assert scores[world.quality == 1].mean() > scores[world.quality == 0].mean() + 0.4


def test_without_errors_the_judge_is_right() -> None:
    world = world_of(generate(0, prompts_per_category=5))
    assert np.array_equal(Judge.of(world, 4, leniency=0.0, error=0.0, noise=0.0).scores, world.quality)


def test_a_judge_teaches_where_nobody_gives_thumbs(world: World, scenario: Callable[[int], Scenario]) -> None:
    asked = scenario(400).reporting(None, 0.0)
    stream = stream_of(world, asked, 6)
    judge = Judge.of(world, 0, leniency=0.0, error=0.0, noise=0.1)
    inference = InferenceSettings(quality_sources=dict.fromkeys(world.categories, "thumb+score:judge"))
    chosen, unjudged = (
        service_choices(world, asked, stream, ServiceSettings(inference=inference, judge=one)) for one in (judge, None)
    )
    best = 1 - stream.categories  # `cheap`, the second, at chat; `dear` at code
    assert (chosen == best)[200:].mean() > 0.9
    assert (unjudged == best)[200:].mean() < 0.7
