from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bandit import Sums, infer, policy, snapshot_of
from bandit.priors import InferenceSettings
from bandit.request import Request, quarter_octave
from bandit.signals import Outcome, Score, Status, Thumb
from bandit.snapshot import PolicySettings
from bandit.sums import with_axes
from simulations.outcomes import outcomes_of
from simulations.reports import reports
from simulations.scenario import Scenario
from simulations.service import ServiceSettings, service_choices
from simulations.stream import Stream, stream_of
from simulations.world import World, world_of

Rows = list[tuple[Any, ...]]


def untaught(world: World, scenario: Scenario, stream: Stream) -> list[int]:
    """What the core chooses before anything was reported, by the numbers of the stream."""
    sums = with_axes(Sums.empty(10_000_000), world.categories, [model.id for model in world.models])
    snapshot = snapshot_of(infer(sums, 0, InferenceSettings()), world.models, PolicySettings())
    tokens = world.requested_tokens
    chosen = []
    for prompt, uniform in zip(stream.prompts.tolist(), stream.uniforms.tolist(), strict=True):
        category = world.categories[world.category_of[prompt]]
        request = Request(category, 0b11, quarter_octave(round(tokens[prompt])), scenario.objectives[0])
        chosen.append(int(np.searchsorted(policy(snapshot, request).cumulative, uniform, side="right")))
    return chosen


@pytest.mark.parametrize(("per_second", "refresh_s", "unseen"), [(1.0, 5.0, 5), (10.0, 2.0, 20), (0.5, 30.0, 15)])
def test_what_was_reported_acts_from_the_next_refresh_on(
    world: World, scenario: Callable[[int], Scenario], per_second: float, refresh_s: float, unseen: int
) -> None:
    asked = scenario(400)
    stream = stream_of(world, asked, 3)
    settings = ServiceSettings(requests_per_second=per_second, refresh_s=refresh_s)
    chosen, prior = service_choices(world, asked, stream, settings).tolist(), untaught(world, asked, stream)
    assert chosen[:unseen] == prior[:unseen]
    assert chosen != prior


def test_without_a_refresh_nothing_is_learned(world: World, scenario: Callable[[int], Scenario]) -> None:
    asked = scenario(50)
    stream = stream_of(world, asked, 4)
    chosen = service_choices(world, asked, stream, ServiceSettings(refresh_s=1e6))
    assert chosen.tolist() == untaught(world, asked, stream)


def test_a_refresh_of_0_seconds_follows_every_request(world: World, scenario: Callable[[int], Scenario]) -> None:
    asked = scenario(100)
    stream = stream_of(world, asked, 5)
    at_once, each_second = (
        service_choices(world, asked, stream, ServiceSettings(refresh_s=refresh_s)).tolist() for refresh_s in (0.0, 1.0)
    )
    assert at_once == each_second


def test_the_service_learns_which_model_is_best_at_what(world: World, scenario: Callable[[int], Scenario]) -> None:
    asked = scenario(600)
    stream = stream_of(world, asked, 6)
    chosen = service_choices(world, asked, stream, ServiceSettings())
    best = 1 - stream.categories  # `cheap`, the second, at chat; `dear` at code
    assert (chosen == best)[300:].mean() > 0.9


def test_settings_of_the_core_are_those_of_the_run(world: World, scenario: Callable[[int], Scenario]) -> None:
    asked = scenario(300)
    stream = stream_of(world, asked, 7)
    capped = ServiceSettings(policy=PolicySettings(floor=0.5))
    chosen = service_choices(world, asked, stream, capped)
    assert chosen.tolist() == (stream.uniforms >= 0.5).astype(int).tolist()


def test_an_answer_is_reported_with_a_thumb(world: World) -> None:
    outcome = Outcome(Status.OK, latency_us=1_500_000, input_tokens=10_000, output_tokens=1_000)
    assert reports(world, 3, 1) == (outcome, Thumb(up=False))
    assert reports(world, 3, 0)[1] == Thumb(up=True)


def test_graded_quality_is_reported_as_a_score_and_learned_from(
    rows: Rows, scenario: Callable[[int], Scenario]
) -> None:
    graded = world_of(outcomes_of([(*row[:3], 0.25 + row[3] / 2, *row[4:]) for row in rows]), ("dear", "cheap"))
    assert reports(graded, 0, 0)[1] == Score("quality", 3 << 18)
    asked = scenario(600)
    stream = stream_of(graded, asked, 8)
    chosen = service_choices(graded, asked, stream, ServiceSettings())
    assert (chosen == 1 - stream.categories)[300:].mean() > 0.9


def test_what_is_unknown_is_not_reported(rows: Rows) -> None:
    rows[0] = (*rows[0][:3], None, None, None, None, None)
    world = world_of(outcomes_of(rows), ("dear", "cheap"))
    assert reports(world, 0, 0) == (Outcome(Status.OK),)


def test_prompts_of_unknown_size_can_be_routed(world: World, scenario: Callable[[int], Scenario]) -> None:
    blind = replace(world, input_tokens=np.full_like(world.input_tokens, np.nan))
    asked = scenario(20)
    assert service_choices(blind, asked, stream_of(blind, asked, 9), ServiceSettings()).shape == (20,)
