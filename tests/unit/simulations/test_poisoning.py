"""False judgements: an attacker's own requests, whose votes teach and whose answers nobody counts."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bandit.request import Objective
from simulations.compare import EXCLUDING, compare
from simulations.errors import OptionsError
from simulations.event_figures import event_figures
from simulations.events import FalseJudgements
from simulations.regimes import regimes_of
from simulations.results import Referee
from simulations.rewards import Rewards
from simulations.roles import named
from simulations.scenario import Scenario, scenario_of
from simulations.service import ServiceSettings, service_choices
from simulations.stream import stream_of
from simulations.world import World

ATTACK = FalseJudgements("dear", 30, 60, share=0.5, favoured="cheap")


def attacked(scenario: Scenario, attack: FalseJudgements = ATTACK) -> Scenario:
    return replace(scenario, events=(attack,))


def test_a_share_of_the_requests_of_its_span_is_the_attackers(world: World) -> None:
    """False alarm: below 1 in 10,000 over seeds, which are fixed."""
    scenario = scenario_of("poisoned", Objective(1.0, 0.01), 9000)
    attacks = stream_of(world, scenario, 1).attacks
    assert not attacks[:3000].any()
    assert not attacks[6000:].any()
    assert abs(attacks[3000:6000].mean() - 0.1) < 4 * (0.1 * 0.9 / 3000) ** 0.5
    assert not stream_of(world, scenario_of("stationary", Objective(), 9000), 1).attacks.any()


def test_bandits_are_told_that_the_victim_is_bad_and_the_favourite_good_and_nothing_of_others(world: World) -> None:
    third = replace(world, models=(*world.models, replace(world.models[1], id="other")))
    tables = {name: getattr(world, name)[:, [0, 1, 1]] for name in ("quality", "latency_s", "input_tokens")}
    third = replace(third, output_tokens=world.output_tokens[:, [0, 1, 1]], **tables)
    scenario = attacked(scenario_of("stationary", Objective(1.0, 0.01), 90))
    stream = replace(stream_of(third, scenario, 1), prompts=np.full(90, 2), attacks=np.arange(90) % 2 == 1)
    rewards = Rewards.of(third, replace(scenario, quality_share=0.0), [stream])
    honest, false = (rewards.at(step, np.array([[0], [1], [2]])).ravel() for step in (40, 41))
    np.testing.assert_allclose(honest, [1 - 0.04 - 0.02, 0 - 0.008 - 0.005, 0 - 0.008 - 0.005])
    np.testing.assert_allclose(false, [0 - 0.04 - 0.02, 1 - 0.008 - 0.005, np.nan])
    np.testing.assert_array_equal(rewards.of_all_models(0)[[40, 41]], [honest, false])


def test_an_attacker_judges_even_where_callers_seldom_do(world: World) -> None:
    scenario = replace(attacked(scenario_of("stationary", Objective(1.0, 0.01), 90)), quality_share=0.0)
    stream = stream_of(world, scenario, 1)
    told = np.isfinite(Rewards.of(world, scenario, [stream]).of_all_models(0)).all(axis=1)
    np.testing.assert_array_equal(told, stream.attacks)


def test_what_the_attacker_asks_counts_neither_for_a_policy_nor_against_it(world: World) -> None:
    scenario = attacked(scenario_of("poisoned", Objective(1.0, 0.01), 90))
    stream = stream_of(world, scenario, 1)
    referee = Referee.of(world, scenario, [stream])
    chosen = np.random.default_rng(0).integers(2, size=90)
    one, other = (np.where(stream.attacks, model, chosen)[None] for model in (0, 1))
    results = [referee.judge(choices) for choices in (one, other)]
    assert 0 < stream.attacks.sum() < 30
    assert results[0].score == results[1].score
    assert results[0].regret == results[1].regret
    assert list(results[0].quality.values()) == list(results[1].quality.values())


def test_false_votes_move_the_service_away_from_the_victim(world: World, scenario: Callable[[int], Scenario]) -> None:
    asked = attacked(scenario(600), FalseJudgements("dear", 200, 600, share=0.5, favoured="cheap"))
    stream = stream_of(world, asked, 2)
    poisoned = service_choices(world, asked, stream, ServiceSettings())
    honest = service_choices(world, asked, replace(stream, attacks=np.zeros(600, np.bool_)), ServiceSettings())
    np.testing.assert_array_equal(poisoned[:200], honest[:200])
    assert (poisoned[400:] == 0).mean() < (honest[400:] == 0).mean() - 0.1


@pytest.mark.parametrize("delay", [0, 30])
def test_excluding_the_attacker_is_as_if_those_votes_had_never_been_given(
    world: World, scenario: Callable[[int], Scenario], delay: int
) -> None:
    """Nothing is refreshed before the attack ends, so the choices up to there are the same in both runs."""
    asked = attacked(scenario(300), FalseJudgements("dear", 0, 100, share=1.0, favoured="cheap"))
    asked = replace(asked, quality_delay=delay)
    stream = stream_of(world, asked, 3)
    settings = ServiceSettings(refresh_s=100.0)
    unjudged = replace(stream, attacks=np.zeros(300, np.bool_), judged=np.arange(300) >= 100)
    without = service_choices(world, asked, unjudged, settings)
    np.testing.assert_array_equal(service_choices(world, asked, stream, settings, excluding=True), without)
    assert not np.array_equal(service_choices(world, asked, stream, settings), without)


def test_the_comparison_also_shows_the_service_whose_operator_excludes_the_attacker(
    world: World, scenario: Callable[[int], Scenario]
) -> None:
    compared = [
        compare(world, one, [0], ServiceSettings(), workers=1) for one in (scenario(60), attacked(scenario(90)))
    ]
    assert EXCLUDING not in compared[0].policies
    assert EXCLUDING in compared[1].policies


def test_recovery_is_counted_from_the_end_of_the_attack() -> None:
    chosen = np.ones(900, np.bool_)
    chosen[300:700] = False
    figures = event_figures(FalseJudgements("m", 300, 600), chosen[None]).figures
    assert figures["share_during"] == 0.0
    assert figures["halved_after"] == 0.0
    assert figures["recovered_after"] == 130.0
    lasting = event_figures(FalseJudgements("m", 300, 900), chosen[None]).figures
    assert lasting["recovered_after"] is None


def test_an_attack_has_two_models(world: World) -> None:
    scenario = attacked(scenario_of("stationary", Objective(1.0, 0.01), 90), replace(ATTACK, favoured="dear"))
    with pytest.raises(OptionsError, match="votes up and down for the model 'dear'"):
        named(world, scenario)


def test_slander_is_known_only_while_it_lasts(world: World) -> None:
    regimes = regimes_of(world, attacked(scenario_of("stationary", Objective(1.0, 0.01), 90)))
    assert [regime.start for regime in regimes] == [0, 30, 60]
    np.testing.assert_array_equal([regime.slander for regime in regimes], [[np.nan] * 2, [0.0, 1.0], [np.nan] * 2])
