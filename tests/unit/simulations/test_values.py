from collections.abc import Callable

import numpy as np
import pytest

from bandit.request import Objective
from simulations.errors import UnknownOutcomesError
from simulations.outcomes import outcomes_of
from simulations.scenario import Scenario
from simulations.values import expected_values, rewards
from simulations.world import World, world_of


def test_an_answer_is_worth_its_quality_less_cost_and_waiting_in_answers(world: World) -> None:
    values = rewards(world, [Objective(1.0, 0.01), Objective(0.1, 0.01)])
    assert values.shape == (2, 4, 2)
    assert values[0, 0, 0] == pytest.approx(1 - 0.030 - 0.01)
    assert values[0, 3, 1] == pytest.approx(0 - 0.011 - 0.015)
    assert values[1, 0, 0] == pytest.approx(1 - 0.30 - 0.1)


def test_expected_values_are_means_over_the_category(world: World, scenario: Callable[[int], Scenario]) -> None:
    values = expected_values(world, scenario(1).objectives)
    np.testing.assert_allclose(values, [[[0.955, 0.9885], [0.945, -0.0195]]], rtol=1e-12)


def test_an_unknown_part_makes_an_answers_worth_unknown_but_not_the_mean() -> None:
    world = world_of(
        outcomes_of([("p1", "c", "m", 1, 0.01, 1000, 100, 100), ("p2", "c", "m", 0, 0.01, None, 100, 100)])
    )
    assert np.isnan(rewards(world, [Objective(1.0, 0.1)])[0, 1, 0])
    assert expected_values(world, [Objective(1.0, 0.1)])[0, 0, 0] == pytest.approx(0.5 - 0.01 - 0.1)


def test_latency_may_be_unknown_where_a_second_costs_nothing() -> None:
    world = world_of(outcomes_of([("p1", "c", "m", 1, 0.01, None, 100, 100)]))
    assert expected_values(world, [Objective(1.0, 0.0)])[0, 0, 0] == pytest.approx(0.99)
    with pytest.raises(UnknownOutcomesError, match="the latency of m for any prompt of c"):
        expected_values(world, [Objective(1.0, 0.01)])
