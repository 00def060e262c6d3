import numpy as np
import pytest

from bandit.request import Objective
from simulations.errors import OptionsError
from simulations.events import CategoriesAdded
from simulations.scenario import SCENARIOS, Phase, scenario_of

INCIDENTS = ("quality-drop", "outage", "latency-spike", "price-change")


def test_profiles_mixes_the_three_objectives_that_the_reference_measured() -> None:
    per_dollar_and_second = [
        (1 / objective.answer_value_usd, objective.second_value_usd / objective.answer_value_usd)
        for objective in scenario_of("profiles", Objective(), 1).objectives
    ]
    np.testing.assert_allclose(per_dollar_and_second, [(100, 0.02), (10, 0.15), (1, 0.002)], rtol=1e-12)


def test_stationary_has_one_phase_and_the_callers_objective() -> None:
    scenario = scenario_of("stationary", Objective(0.2, 0.3), 70)
    assert scenario.objectives == (Objective(0.2, 0.3),)
    assert scenario.phases == (Phase("all", 0, 70),)
    assert scenario.steps == 70


@pytest.mark.parametrize(
    ("name", "objective", "steps", "message"),
    [
        ("drift", Objective(), 1, "choose one of stationary, profiles, quality-drop"),
        ("stationary", Objective(), 0, "give at least 1"),
        ("quality-drop", Objective(), 2, "--steps is 2; quality-drop has three parts, give at least 3"),
        ("category-added", Objective(), 1, "--steps is 1; category-added has three parts"),
        ("stationary", Objective(0.0, 0.0), 1, "above 0 dollars"),
        ("stationary", Objective(float("nan"), 0.0), 1, "above 0 dollars"),
        ("stationary", Objective(1.0, -0.1), 1, "above 0 dollars"),
        ("stationary", Objective(float("inf"), 0.1), 1, "above 0 dollars"),
    ],
)
def test_a_scenario_that_means_nothing_is_refused(name: str, objective: Objective, steps: int, message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        scenario_of(name, objective, steps)


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("steps", [3, 100, 4500])
def test_phases_cover_the_run_without_a_gap(name: str, steps: int) -> None:
    scenario = scenario_of(name, Objective(), steps)
    phases = [phase for phase in scenario.phases if phase.first_new is None]
    assert [phase.start for phase in phases] == [0, *(phase.end for phase in phases[:-1])]
    assert phases[-1].end == scenario.steps == steps
    assert scenario.name == name


@pytest.mark.parametrize("name", INCIDENTS)
def test_an_incident_has_phases_before_during_and_after(name: str) -> None:
    scenario = scenario_of(name, Objective(), 4500)
    assert scenario.phases == (Phase("before", 0, 1500), Phase("during", 1500, 3000), Phase("after", 3000, 4500))
    (event,) = scenario.model_events
    assert (event.start, getattr(event, "end", None)) == (1500, 3000)


@pytest.mark.parametrize("name", ["model-added", "bad-model-added"])
def test_an_added_model_has_phases_before_joining_and_settled(name: str) -> None:
    scenario = scenario_of(name, Objective(), 4500)
    assert scenario.phases == (Phase("before", 0, 1500), Phase("joining", 1500, 3000), Phase("settled", 3000, 4500))


def test_added_categories_have_a_phase_of_their_first_800_requests() -> None:
    scenario = scenario_of("category-added", Objective(), 4500)
    assert scenario.phases[2] == Phase("first 800 in new categories", 1500, 4500, first_new=800)
    assert scenario.category_events == (CategoriesAdded(3, 1500),)
    assert scenario.model_events == ()


def test_quality_is_reported_at_once_and_always_except_where_that_is_the_scenario() -> None:
    reports = {
        name: (scenario.quality_delay, scenario.quality_share)
        for name in SCENARIOS
        for scenario in [scenario_of(name, Objective(), 3)]
    }
    assert reports.pop("delayed") == (1000, 1.0)
    assert reports.pop("sparse") == (0, 0.1)
    assert set(reports.values()) == {(0, 1.0)}


def test_delay_and_share_of_reports_go_with_every_scenario() -> None:
    scenario = scenario_of("sparse", Objective(), 90)
    assert scenario.reporting(None, None) == scenario
    assert scenario.reporting(0, None) == scenario
    other = scenario.reporting(20, 0.5)
    assert (other.quality_delay, other.quality_share) == (20, 0.5)
