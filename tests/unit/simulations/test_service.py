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
from simulations.arrivals import evenly
from simulations.changes import repriced, spoiled
from simulations.events import LatencyChange, ModelAdded, ModelEvent, PriceChange, QualityDrop
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
    asked = replace(scenario(400), arrivals=evenly(400, per_second))
    stream = stream_of(world, asked, 3)
    settings = ServiceSettings(refresh_s=refresh_s)
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


def eventful(scenario: Scenario, *events: ModelEvent, delay: int = 0, share: float = 1.0) -> Scenario:
    return replace(scenario, events=events, quality_delay=delay, quality_share=share)


def served(world: World, scenario: Scenario, settings: ServiceSettings | None = None) -> tuple[Stream, np.ndarray]:
    stream = stream_of(world, scenario, 10)
    return stream, service_choices(world, scenario, stream, settings or ServiceSettings())


def test_events_that_change_nothing_change_no_choice(world: World, scenario: Callable[[int], Scenario]) -> None:
    void = (
        QualityDrop("dear", 50, 150, share=0.0),
        LatencyChange("dear", 60, 140, factor=1.0),
        PriceChange("cheap", 70, 130, factor=1.0),
    )
    _, plain = served(world, scenario(200))
    _, chosen = served(world, eventful(scenario(200), *void))
    assert np.array_equal(plain, chosen)


def test_a_price_acts_on_the_next_decision_with_no_refresh_and_no_report(
    world: World, scenario: Callable[[int], Scenario]
) -> None:
    never = ServiceSettings(refresh_s=1e6)
    _, plain = served(world, scenario(300), never)
    _, chosen = served(world, eventful(scenario(300), PriceChange("dear", 101, 200, factor=1000.0)), never)
    assert np.array_equal(chosen[:101], plain[:101])
    assert (plain[101:200] == 0).mean() > 0.2
    assert not (chosen[101:200] == 0).any()
    assert np.array_equal(chosen[200:], plain[200:])


def test_prices_are_no_part_of_what_is_reported(world: World) -> None:
    for prompt, model in np.ndindex(world.quality.shape):
        assert reports(repriced(world, 0, 0.1), prompt, model) == reports(world, prompt, model)


def test_an_answer_that_turned_bad_is_reported_with_a_thumb_down_or_a_score_of_0(rows: Rows, world: World) -> None:
    graded = world_of(outcomes_of([(*row[:3], 0.25 + row[3] / 2, *row[4:]) for row in rows]), ("dear", "cheap"))
    bad, bad_score = (reports(spoiled(one, np.ones(2)), 0, 0) for one in (world, graded))
    assert bad == (reports(world, 0, 0)[0], Thumb(up=False))
    assert bad_score == (reports(graded, 0, 0)[0], Score("quality", 0))


@pytest.mark.parametrize(
    "event", [QualityDrop("cheap", 300, 1200, share=1.0), LatencyChange("cheap", 300, 1200, factor=1000.0)]
)
def test_the_service_leaves_a_model_whose_answers_turn_bad_or_slow(
    world: World, scenario: Callable[[int], Scenario], event: ModelEvent
) -> None:
    stream, chosen = served(world, eventful(scenario(1200), event))
    at_chat = chosen[stream.categories == 0], np.flatnonzero(stream.categories == 0)
    before, late = (at_chat[0][(at_chat[1] >= start) & (at_chat[1] < start + 150)] for start in (150, 1050))
    assert (before == 1).mean() > 0.8
    assert (late == 1).mean() < 0.3


def test_the_requests_own_luck_decides_which_answers_turn_bad(
    world: World, scenario: Callable[[int], Scenario]
) -> None:
    """As it does for the other policies: see the rewards of bandits."""
    dropped = eventful(scenario(300), QualityDrop("dear", 100, 250, share=0.6))
    stream = stream_of(world, dropped, 10)
    lucky, unlucky = (replace(stream, luck=np.full(300, luck)) for luck in (0.61, 0.59))
    settings = ServiceSettings()
    never = service_choices(world, scenario(300), stream, settings)
    always = service_choices(world, eventful(scenario(300), QualityDrop("dear", 100, 250, share=1.0)), stream, settings)
    assert np.array_equal(service_choices(world, dropped, lucky, settings), never)
    assert np.array_equal(service_choices(world, dropped, unlucky, settings), always)
    assert not np.array_equal(always, never)


def test_a_model_is_chosen_only_when_it_is_there(world: World, scenario: Callable[[int], Scenario]) -> None:
    stream, chosen = served(world, eventful(scenario(600), ModelAdded("dear", 203)))
    assert (chosen[:203] == 1).all()
    assert (chosen[400:][stream.categories[400:] == 1] == 0).mean() > 0.9


def test_outcomes_act_at_once_where_no_quality_is_reported(world: World, scenario: Callable[[int], Scenario]) -> None:
    stream, unjudged = served(world, eventful(scenario(400), share=0.0))
    assert unjudged.tolist() != untaught(world, scenario(400), stream)


@pytest.mark.parametrize("delay", range(6))
def test_quality_acts_on_the_first_decision_after_it_is_reported(
    world: World, scenario: Callable[[int], Scenario], delay: int
) -> None:
    """Hardly exploring, the service leaves `cheap` at code, the second category, for good after one thumb down."""
    keen = ServiceSettings(refresh_s=0.0, policy=PolicySettings(exploration=0.001, floor=0.0, spreads_unjudged=False))
    stream, unjudged = served(world, eventful(scenario(40), share=0.0), keen)
    _, chosen = served(world, eventful(scenario(40), delay=delay), keen)
    at_code = np.flatnonzero(stream.categories == 1)
    assert (unjudged[at_code] == 1).all()
    assert (chosen[at_code] == 1).tolist() == (at_code <= at_code[0] + delay).tolist()


def test_a_delay_longer_than_the_run_is_no_report(world: World, scenario: Callable[[int], Scenario]) -> None:
    _, unjudged = served(world, eventful(scenario(200), share=0.0))
    _, late = served(world, eventful(scenario(200), delay=200))
    assert np.array_equal(late, unjudged)


def test_less_quality_reported_teaches_less(world: World, scenario: Callable[[int], Scenario]) -> None:
    stream, rarely = served(world, eventful(scenario(300), share=0.05))
    _, always = served(world, scenario(300))
    best = 1 - stream.categories
    assert (always == best).mean() > (rarely == best).mean() + 0.05
