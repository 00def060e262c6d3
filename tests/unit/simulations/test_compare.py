"""What scenarios do to scores: the referee of an invented table, and policies that know more or less."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bandit.request import Objective
from simulations.baselines import GaussianThompson
from simulations.command import SimulateOptions, simulate
from simulations.generator import generate, write_csv
from simulations.regimes import places, regimes_of
from simulations.results import Referee
from simulations.rewards import Rewards
from simulations.scenario import Scenario, scenario_of
from simulations.stream import Stream, stream_of
from simulations.values import expected_values
from simulations.world import World, world_of

RECORDED = json.loads((Path(__file__).parent / "recorded.json").read_text())
STEPS = 900
SEEDS = (1, 2, 3)


@pytest.fixture(scope="module")
def invented() -> World:
    return world_of(generate(1, prompts_per_category=10))


@pytest.fixture(scope="module", params=RECORDED)
def rerun(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Any]:
    """What is reached now, and what was recorded before there were events."""
    path = tmp_path_factory.mktemp("tables") / "table.csv"
    write_csv(generate(1, prompts_per_category=10), path)
    told = simulate(SimulateOptions(path, scenario=request.param, steps=300, seeds=2, workers=1)).as_json()
    return told, RECORDED[request.param]


def test_without_events_every_baseline_chooses_and_scores_as_recorded(rerun: tuple[dict[str, Any], Any]) -> None:
    """Choices are compared exactly, sums of floats as closely as other processors add them up."""
    told, recorded = rerun
    assert told["policies"].keys() == recorded["policies"].keys() | {"routeward"}
    assert told["multipliers"] == recorded["multipliers"]
    for name, expected in recorded["policies"].items():
        figures = told["policies"][name]
        assert [round(share * 600) for share in figures["shares"].values()] == expected["requests"]
        assert told["seed_scores"][name] == pytest.approx(expected["seed_scores"], rel=1e-9)
        assert figures["regret"] == pytest.approx(expected["regret"], rel=1e-9)
        assert figures["passes_best_fixed_at"] == expected["passes_best_fixed_at"]


def streams_of(world: World, scenario: Scenario) -> list[Stream]:
    return [stream_of(world, scenario, seed) for seed in SEEDS]


def fixed_by_regime(world: World, scenario: Scenario, *, informed: bool) -> np.ndarray:
    """In each regime the fixed model that is best in it; or, not informed, the one that is best in the first."""
    regimes = regimes_of(world, scenario)
    values = [expected_values(one.expected_world, scenario.objectives).mean(axis=(0, 1)) for one in regimes]
    best = [int(np.where(one.available, value, -np.inf).argmax()) for one, value in zip(regimes, values, strict=True)]
    models = np.array(best if informed else [best[0]] * len(best))[places(regimes)]
    return np.stack([models] * len(SEEDS))


@pytest.mark.parametrize("name", ["quality-drop", "latency-spike", "price-change", "model-added"])
def test_who_knows_what_happens_to_models_scores_better_where_it_does(invented: World, name: str) -> None:
    scenario = scenario_of(name, Objective(0.02, 0.001), STEPS)
    referee = Referee.of(invented, scenario, streams_of(invented, scenario))
    knows, does_not = (
        [score.mean or 0.0 for score in referee.judge(choices).phases.values()]
        for choices in (fixed_by_regime(invented, scenario, informed=informed) for informed in (True, False))
    )
    assert knows[0] == does_not[0]
    assert knows[1] > does_not[1] + 1
    if name != "model-added":
        assert knows[2] == does_not[2]


def test_who_leaves_a_bad_new_model_alone_scores_better(invented: World) -> None:
    scenario = scenario_of("bad-model-added", Objective(), STEPS)
    referee = Referee.of(invented, scenario, streams_of(invented, scenario))
    (event,) = referee.scenario.model_events
    bad = referee.models.index(str(event.model))
    curious = fixed_by_regime(invented, scenario, informed=True)
    wise = curious.copy()
    curious[:, STEPS // 3 :: 20] = bad
    before, joining, settled = (
        (referee.judge(wise).phases[phase].mean or 0.0) - (referee.judge(curious).phases[phase].mean or 0.0)
        for phase in scenario.phases
    )
    assert before == 0.0
    assert min(joining, settled) > 1.0


def test_who_knows_new_categories_scores_better_in_them(invented: World) -> None:
    scenario = scenario_of("category-added", Objective(), STEPS)
    streams = streams_of(invented, scenario)
    referee = Referee.of(invented, scenario, streams)
    best = expected_values(invented, scenario.objectives)[0].argmax(axis=1)
    knows = np.stack([best[stream.categories] for stream in streams])
    does_not = np.stack([np.where(stream.in_new_category, 0, best[stream.categories]) for stream in streams])
    before, after, newest = scenario.phases
    informed, uninformed = referee.judge(knows).phases, referee.judge(does_not).phases
    assert informed[newest].mean == informed[before].mean == uninformed[before].mean == pytest.approx(100.0)
    assert (uninformed[newest].mean or 0.0) < (uninformed[after].mean or 0.0) < 99


@pytest.mark.parametrize("name", ["delayed", "sparse"])
def test_a_bandit_that_knows_quality_at_once_and_always_scores_better(invented: World, name: str) -> None:
    worse = scenario_of(name, Objective(), STEPS).reporting(400 if name == "delayed" else None, None)
    better = worse.reporting(0, 1.0)
    scores = []
    for scenario in (better, worse):
        streams = streams_of(invented, scenario)
        rewards = Rewards.of(invented, scenario, streams)
        bandit = GaussianThompson(len(invented.categories), len(invented.models), SEEDS)
        scores.append(Referee.of(invented, scenario, streams).judge(bandit.choices(rewards)[3]).score.mean or 0.0)
    assert scores[0] > scores[1] + 5
