from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from routeward import Status
from routeward.errors import UnavailableError
from routeward.testing import FakeRouter
from routeward.v1 import routing_service_pb2 as pb
from simulations.demo.errors import ServerFailedError
from simulations.demo.options import DemoOptions
from simulations.demo.traffic import Player, Tally, Traffic, traffic_of
from simulations.outcomes import outcomes_of
from simulations.scenario import Scenario
from simulations.stream import stream_of
from simulations.world import World, world_of

OPTIONS = DemoOptions(requests=40, thumbs=0.5, seed=3)
FAST = 100_000.0


@pytest.fixture
def router() -> FakeRouter:
    return FakeRouter({"chat": "cheap", "code": "dear"})


async def played(world: World, traffic: Traffic, router: FakeRouter, watch: Callable[[Tally], None]) -> Tally:
    ticks = iter(range(1_000_000))
    player = Player(world, traffic, requests_per_second=FAST, clock=lambda: float(next(ticks)), watch=watch)
    with router:
        return await player.play(router.target)


def told(request: pb.FeedbackRequest, fact: str) -> list[Any]:
    return [getattr(signal, fact) for signal in request.signals if signal.WhichOneof("fact") == fact]


def unwatched(tally: Tally) -> None:
    pass


def test_equal_seeds_play_what_simulate_plays(world: World, scenario: Callable[[int], Scenario]) -> None:
    first, again = traffic_of(world, OPTIONS), traffic_of(world, OPTIONS)
    assert np.array_equal(first.prompts, stream_of(world, scenario(40), seed=3).prompts)
    assert np.array_equal(first.prompts, again.prompts)
    assert np.array_equal(first.judged, again.judged)
    assert np.array_equal(first.luck, again.luck)


def test_the_share_of_answers_that_are_judged_is_the_one_asked_for(world: World) -> None:
    assert not traffic_of(world, replace(OPTIONS, thumbs=0.0)).judged.any()
    assert traffic_of(world, replace(OPTIONS, thumbs=1.0)).judged.all()
    assert traffic_of(world, replace(OPTIONS, requests=2000, thumbs=0.25)).judged.mean() == pytest.approx(
        0.25, abs=0.04
    )


async def test_every_request_is_routed_and_reported_as_the_world_says(world: World, router: FakeRouter) -> None:
    traffic = traffic_of(world, OPTIONS)
    tally = await played(world, traffic, router, unwatched)
    models = {"chat": 1, "code": 0}
    expected = Counter(
        (
            round(world.latency_s[prompt, model], 6),
            int(world.input_tokens[prompt, model]),
            int(world.output_tokens[prompt, model]),
        )
        for prompt in traffic.prompts
        for model in [models[world.categories[world.category_of[prompt]]]]
    )
    outcomes = [told(report, "outcome")[0] for report in router.feedback_requests]
    assert expected == Counter(
        (one.latency.ToTimedelta().total_seconds(), one.input_tokens, one.output_tokens) for one in outcomes
    )
    assert {one.status for one in outcomes} == {Status.OK}
    assert Counter((asked.category, asked.input_tokens) for asked in router.route_requests) == Counter(
        (world.categories[world.category_of[prompt]], int(world.requested_tokens[prompt])) for prompt in traffic.prompts
    )
    assert [world.models[model].id for model in tally.models] == [
        {"chat": "cheap", "code": "dear"}[world.categories[category]] for category in traffic.categories
    ]
    assert sorted(tally.ended) == list(range(40))


async def test_a_thumb_goes_up_as_often_as_the_answer_is_good(rows: list[Any], router: FakeRouter) -> None:
    graded = [(*row[:3], 0.6, *row[4:]) for row in rows]
    traffic = Traffic(
        categories=np.zeros(3, dtype=np.int64),
        prompts=np.zeros(3, dtype=np.int64),
        judged=np.array([True, True, False]),
        luck=np.array([0.59, 0.61, 0.0]),
    )
    await played(world_of(outcomes_of(graded), ("dear", "cheap")), traffic, router, unwatched)
    thumbs = Counter(tuple(told(report, "thumb")) for report in router.feedback_requests)
    assert thumbs == {(pb.THUMB_UP,): 1, (pb.THUMB_DOWN,): 1, (): 1}


async def test_what_the_world_does_not_know_is_not_reported(rows: list[Any]) -> None:
    prompt_id, category, model, _, cost_usd, _, input_tokens, _ = rows[0]
    rows[0] = (prompt_id, category, model, None, cost_usd, None, input_tokens, None)
    ignorant, router = world_of(outcomes_of(rows), ("dear", "cheap")), FakeRouter("dear")
    traffic = traffic_of(ignorant, replace(OPTIONS, thumbs=1.0))
    await played(ignorant, traffic, router, unwatched)
    unknown = [report for report in router.feedback_requests if not told(report, "thumb")]
    assert len(unknown) == (traffic.prompts == ignorant.prompts.index(prompt_id)).sum() > 0
    for report in unknown:
        [outcome] = told(report, "outcome")
        assert not outcome.HasField("latency")
        assert not outcome.HasField("output_tokens")
        assert outcome.input_tokens == input_tokens


async def test_progress_is_shown_up_to_the_end(world: World, router: FakeRouter) -> None:
    shown: list[int] = []
    await played(world, traffic_of(world, OPTIONS), router, lambda tally: shown.append(len(tally.ended)))
    assert shown == sorted(shown)
    assert shown[-1] == 40


async def test_a_call_that_fails_ends_the_play(world: World, router: FakeRouter) -> None:
    with router.failing(UnavailableError), pytest.raises(ServerFailedError, match="a call to the server failed"):
        await played(world, traffic_of(world, OPTIONS), router, unwatched)
