"""A simulated service with a budget keeps it, and shows what it spent."""

import json

import numpy as np
import pytest

from bandit.request import Objective
from simulations.command import SimulateOptions, simulate
from simulations.errors import OptionsError
from simulations.events import PriceChange
from simulations.generator import generate, write_csv
from simulations.results import Referee
from simulations.roles import named
from simulations.scenario import scenario_of
from simulations.service import ServiceSettings, service_choices
from simulations.stream import stream_of
from simulations.summary import summary_table
from simulations.world import world_of

MODELS = ("north-large", "open-8b", "south-pro")
RICH = Objective(10.0, 0.0)


@pytest.fixture(scope="module")
def world():
    return world_of(generate(0, prompts_per_category=20), MODELS)


def played(world, scenario, seed=1):
    stream = stream_of(world, scenario, seed)
    choices = service_choices(world, scenario, stream, ServiceSettings(refresh_s=20.0))
    return Referee.of(world, scenario, [stream]).judge(choices[None])


def test_the_scenario_makes_the_dearest_model_nearly_free_in_the_middle(world):
    scenario = named(world, scenario_of("budget", RICH, 900))
    [event] = scenario.events
    costs = {
        model.id: float(cost)
        for model, cost in zip(world.models, world.means(world.cost_usd).mean(axis=0), strict=True)
    }
    assert event == PriceChange(max(costs, key=costs.__getitem__), 300, 600, 0.01)
    assert scenario.usd_per_request == 0.1
    assert [phase.name for phase in scenario.phases] == ["before", "during", "after"]


def test_a_budget_is_kept_through_a_change_of_prices(world):
    """Three fixed seeds, of which each phase alone spends with a deviation of .05 to .08."""
    scenario = named(world, scenario_of("budget", RICH, 1800)).within(0.0015)
    spent = [[score.mean for score in played(world, scenario, seed).spend_usd.values()] for seed in (1, 2, 3)]
    assert np.mean(spent, axis=0) / 0.0015 == pytest.approx([1.0, 1.0, 1.0], abs=0.05)


def test_what_is_spent_is_what_the_calls_cost_at_the_prices_of_their_phase(world):
    scenario = named(world, scenario_of("budget", RICH, 90))
    stream = stream_of(world, scenario, 3)
    dear = [model.id for model in world.models].index(str(scenario.model_events[0].model))
    result = Referee.of(world, scenario, [stream]).judge(np.full((1, 90), dear))
    costs = world.cost_usd[stream.prompts, dear]
    expected = [np.nanmean(costs[:30]), np.nanmean(costs[30:60]) / 100, np.nanmean(costs[60:])]
    assert [score.mean for score in result.spend_usd.values()] == pytest.approx(expected)
    quality = world.means(world.quality)[stream.categories, dear]
    assert [score.mean for score in result.quality.values()] == pytest.approx(quality.reshape(3, 30).mean(axis=1))


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf")])
def test_a_budget_that_makes_no_sense_is_refused_by_the_name_of_its_option(wrong):
    with pytest.raises(OptionsError, match="--budget is"):
        scenario_of("stationary", RICH, 90).within(wrong)


def test_json_and_table_show_what_was_spent_as_a_share_of_the_budget(tmp_path):
    write_csv(generate(0, prompts_per_category=3), tmp_path / "t.csv")
    options = SimulateOptions(tmp_path / "t.csv", MODELS, "budget", steps=60, seeds=2, workers=1, budget_usd=0.002)
    simulation = simulate(options)
    found = json.loads(json.dumps(simulation.as_json()))
    assert found["settings"]["budget_usd"] == 0.002
    for phase in found["policies"]["routeward"]["phases"]:
        assert phase["budget_share"] == pytest.approx(phase["cost_usd"] / 0.002)
        assert 0.0 <= phase["quality"] <= 1.0
    assert "of budget" in [column.header for column in summary_table(simulation).columns]


def test_without_a_budget_there_is_no_share_of_one(tmp_path):
    write_csv(generate(0, prompts_per_category=3), tmp_path / "t.csv")
    simulation = simulate(SimulateOptions(tmp_path / "t.csv", MODELS, steps=30, seeds=1, workers=1))
    found = json.loads(json.dumps(simulation.as_json()))
    [phase] = found["policies"]["routeward"]["phases"]
    assert phase["budget_share"] is None
    assert phase["cost_usd"] > 0
    assert "of budget" not in [column.header for column in summary_table(simulation).columns]
