from dataclasses import replace

import numpy as np
import pytest

from bandit.request import Objective
from simulations.events import Event, LatencyChange, PriceChange, QualityDrop
from simulations.rewards import Rewards
from simulations.scenario import Phase, Scenario
from simulations.stream import stream_of
from simulations.world import World

OBJECTIVE = Objective(1.0, 0.01)
"""Single answers are worth quality - cost - .01 latency."""


def rewards_with(world: World, *events: Event, delay: int = 0, judged: bool = True) -> Rewards:
    """Rewards of two streams whose requests are all of prompt 0, which both models answer well; luck .25 and .75."""
    scenario = Scenario("test", (OBJECTIVE,), (Phase("all", 0, 30),), events, delay)
    streams = [
        replace(
            stream_of(world, scenario, seed),
            prompts=np.zeros(30, np.int64),
            luck=np.full(30, 0.25 + 0.5 * seed),
            judged=np.full(30, judged),
        )
        for seed in (0, 1)
    ]
    return Rewards.of(world, scenario, streams)


def both(rewards: Rewards, step: int) -> list[list[float]]:
    """What the answer of either model is worth at a step, per stream."""
    of_streams = rewards.at(step, np.array([[0, 0], [1, 1]])).T
    return [list(map(float, worth)) for worth in of_streams]


def test_a_reward_is_what_the_single_answer_is_worth(world: World) -> None:
    rewards = rewards_with(world)
    assert both(rewards, 5) == [pytest.approx([1 - 0.03 - 0.01, 1 - 0.006 - 0.005])] * 2
    assert rewards.delay == 0


def test_a_drop_turns_an_answer_bad_where_the_requests_luck_is_below_its_share(world: World) -> None:
    rewards = rewards_with(world, QualityDrop("dear", 10, 20, share=0.6))
    assert both(rewards, 9) == both(rewards, 20) == [pytest.approx([0.96, 0.989])] * 2
    assert both(rewards, 10) == both(rewards, 19) == [pytest.approx([-0.04, 0.989]), pytest.approx([0.96, 0.989])]


def test_prices_and_latencies_are_those_of_the_request(world: World) -> None:
    rewards = rewards_with(world, PriceChange("dear", 10, 20, factor=0.1), LatencyChange("cheap", 15, 25, factor=10.0))
    assert both(rewards, 9) == [pytest.approx([0.96, 0.989])] * 2
    assert both(rewards, 10) == [pytest.approx([0.987, 0.989])] * 2
    assert both(rewards, 15) == [pytest.approx([0.987, 0.944])] * 2
    assert both(rewards, 20) == [pytest.approx([0.96, 0.944])] * 2


def test_where_quality_is_not_reported_the_reward_stays_unknown(world: World) -> None:
    assert np.isnan(both(rewards_with(world, judged=False), 5)).all()


def test_rewards_are_known_as_late_as_quality(world: World) -> None:
    assert rewards_with(world, delay=7).delay == 7
