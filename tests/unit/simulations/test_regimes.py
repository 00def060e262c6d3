from typing import Any

import numpy as np
import pytest

from bandit.catalogue import Prices
from bandit.request import Objective
from simulations.errors import OptionsError
from simulations.events import Event, LatencyChange, ModelAdded, PriceChange, QualityDrop, Role
from simulations.outcomes import outcomes_of
from simulations.regimes import places, regimes_of
from simulations.roles import named
from simulations.scenario import Phase, Scenario, scenario_of
from simulations.world import World, world_of

OBJECTIVE = Objective(1.0, 0.01)
"""`dear` is worth .955 at chat and .945 at code, `cheap` .9885 and -.0195."""


def run_of(*events: Event) -> Scenario:
    return Scenario("test", (OBJECTIVE,), (Phase("all", 0, 90),), events)


def model_in(world: World, role: Role) -> str:
    (event,) = named(world, run_of(ModelAdded(role, 30))).model_events
    return str(event.model)


def test_without_events_there_is_one_regime_of_the_very_same_world(world: World) -> None:
    (regime,) = regimes_of(world, run_of())
    assert (regime.start, regime.end) == (0, 90)
    assert regime.world is world
    assert np.array_equal(regime.expected_world.quality, world.quality)


@pytest.mark.parametrize("name", ["quality-drop", "latency-spike", "price-change"])
def test_an_incident_holds_in_the_middle_third_and_leaves_nothing_behind(world: World, name: str) -> None:
    before, during, after = regimes_of(world, scenario_of(name, OBJECTIVE, 100))
    assert [(one.start, one.end) for one in (before, during, after)] == [(0, 33), (33, 66), (66, 100)]
    for calm in (before, after):
        assert calm.world is world
        assert not calm.spoilage.any()
    assert during.world is not world or during.spoilage.any()


def test_a_quality_drop_spoils_answers_of_the_best_model_only(world: World) -> None:
    _, during, _ = regimes_of(world, scenario_of("quality-drop", OBJECTIVE, 90))
    np.testing.assert_allclose(during.spoilage, [0.6, 0.0], rtol=1e-12)
    np.testing.assert_allclose(during.expected_world.quality[:, 0], 0.4 * world.quality[:, 0], rtol=1e-12)
    assert np.array_equal(during.expected_world.quality[:, 1], world.quality[:, 1])
    assert not during.spoiled_world.quality.any()
    assert during.world is world


def test_a_latency_spike_makes_the_best_model_ten_times_as_slow(world: World) -> None:
    _, during, _ = regimes_of(world, scenario_of("latency-spike", OBJECTIVE, 90))
    np.testing.assert_allclose(during.world.latency_s, world.latency_s * [10.0, 1.0], rtol=1e-12)
    assert world.latency_s.max() == 3.0  # the world itself never changes


def test_a_price_change_divides_prices_and_costs_by_ten(world: World) -> None:
    _, during, _ = regimes_of(world, scenario_of("price-change", OBJECTIVE, 90))
    assert during.world.models[0].prices == Prices(0.2, 1.0)
    assert during.world.models[1] == world.models[1]
    np.testing.assert_allclose(during.world.cost_usd, world.cost_usd * [0.1, 1.0], rtol=1e-12)


@pytest.mark.parametrize(("name", "available"), [("model-added", [False, True]), ("bad-model-added", [True, False])])
def test_a_model_is_added_after_a_third(world: World, name: str, available: list[bool]) -> None:
    before, after = regimes_of(world, scenario_of(name, OBJECTIVE, 90))
    assert (before.end, after.start, after.end) == (30, 30, 90)
    assert before.available.tolist() == available
    assert after.available.all()
    assert after.world is world


def test_events_add_up_where_they_meet(world: World) -> None:
    events = (
        QualityDrop("dear", 10, 50, share=0.5),
        QualityDrop("dear", 30, 70, share=0.5),
        LatencyChange("cheap", 30, 50, factor=2.0),
        PriceChange("cheap", 20, 40, factor=3.0),
    )
    regimes = regimes_of(world, run_of(*events))
    assert [one.start for one in regimes] == [0, 10, 20, 30, 40, 50, 70]
    assert [one.spoilage[0] for one in regimes] == [0.0, 0.5, 0.5, 0.75, 0.75, 0.5, 0.0]
    assert [one.world.latency_s[0, 1] / world.latency_s[0, 1] for one in regimes] == [1, 1, 1, 2, 2, 1, 1]
    assert [one.world.models[1].prices.input_usd_per_mtok for one in regimes] == [1, 1, 3, 3, 1, 1, 1]


def test_every_request_has_the_regime_that_holds_there(world: World) -> None:
    regimes = regimes_of(world, run_of(LatencyChange("dear", 20, 50), ModelAdded("cheap", 50)))
    assert places(regimes).tolist() == [0] * 20 + [1] * 30 + [2] * 40


def test_some_model_must_be_there_throughout(world: World) -> None:
    with pytest.raises(OptionsError, match="no model that can be chosen throughout"):
        regimes_of(world, run_of(ModelAdded("dear", 30), ModelAdded("cheap", 60)))


def test_the_best_and_the_worst_model_are_so_in_the_mean_of_the_categories(world: World) -> None:
    assert model_in(world, Role.BEST) == "dear"
    assert model_in(world, Role.WORST) == "cheap"


def test_the_bargain_is_the_model_whose_cut_brings_the_oracle_the_most(world: World, rows: list[Any]) -> None:
    assert model_in(world, Role.BARGAIN) == "dear"  # .0315 more at code; `cheap` would bring .0059 more at chat
    good_at_code = [(*row[:3], 1, *row[4:]) if row[2] == "cheap" else row for row in rows]
    everywhere_best = world_of(outcomes_of(good_at_code), ("dear", "cheap"))
    assert model_in(everywhere_best, Role.BARGAIN) == "dear"
    bad_at_chat = [(*row[:3], 0, *row[4:]) if row[2] == "cheap" else row for row in rows]
    nowhere_best = world_of(outcomes_of(bad_at_chat), ("dear", "cheap"))
    assert model_in(nowhere_best, Role.BARGAIN) == "cheap"  # although it would bring nothing: `dear` is best at all


def test_an_event_may_name_its_model_and_none_that_is_not_there(world: World) -> None:
    (event,) = named(world, run_of(QualityDrop("cheap", 30, 60))).model_events
    assert event.model == "cheap"
    with pytest.raises(OptionsError, match="'deer', which is not among dear, cheap"):
        regimes_of(world, run_of(QualityDrop("deer", 30, 60)))
