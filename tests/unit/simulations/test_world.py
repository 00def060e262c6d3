from typing import Any

import numpy as np
import pytest

from bandit.catalogue import Prices
from simulations.errors import OptionsError, OutcomesError, UnknownOutcomesError
from simulations.outcomes import outcomes_of
from simulations.world import World, world_of

Rows = list[tuple[Any, ...]]


def test_prices_are_recovered_from_costs_and_tokens(world: World) -> None:
    assert [model.prices for model in world.models] == [Prices(2.0, 10.0), Prices(1.0, 1.0)]


def test_prices_are_recovered_from_single_precision_costs(rows: Rows) -> None:
    single = [(*row[:4], float(np.float32(row[4])), *row[5:]) for row in rows]
    assert [m.prices for m in world_of(outcomes_of(single), ("dear", "cheap")).models] == [
        Prices(2.0, 10.0),
        Prices(1.0, 1.0),
    ]


def test_costs_are_tokens_times_prices(world: World) -> None:
    np.testing.assert_allclose(world.cost_usd[:, 0], [0.03, 0.02, 0.04, 0.03], rtol=1e-12)
    np.testing.assert_allclose(world.cost_usd[:, 1], [0.006, 0.007, 0.008, 0.011], rtol=1e-12)


def test_categories_and_prompts_are_sorted_and_models_as_asked(world: World) -> None:
    assert world.categories == ("chat", "code")
    assert world.prompts == ("chat_1", "chat_2", "code_1", "code_2")
    assert [model.id for model in world.models] == ["dear", "cheap"]
    assert world.category_of.tolist() == [0, 0, 1, 1]


def test_all_models_are_taken_when_none_is_named(rows: Rows) -> None:
    assert [model.id for model in world_of(outcomes_of(rows)).models] == ["cheap", "dear"]


def test_a_prompt_that_not_every_model_answered_is_dropped_and_counted(rows: Rows) -> None:
    world = world_of(outcomes_of(rows[:-1]), ("dear", "cheap"))
    assert world.prompts == ("chat_1", "chat_2", "code_1")
    assert world.dropped_prompts == 1


def test_models_without_a_common_prompt_are_refused(rows: Rows) -> None:
    with pytest.raises(OutcomesError, match="no prompt was answered by all of dear, cheap"):
        world_of(outcomes_of([rows[0], rows[3]]), ("dear", "cheap"))


def test_means_are_taken_over_what_is_known(rows: Rows) -> None:
    rows[0] = (*rows[0][:3], None, None, None, None, None)
    world = world_of(outcomes_of(rows), ("dear", "cheap"))
    assert world.means(world.latency_s)[0].tolist() == [3.0, 0.5]
    assert world.means(world.quality)[0].tolist() == [1.0, 1.0]


def test_a_caller_counts_the_median_of_the_models_tokens(world: World) -> None:
    assert world.requested_tokens.tolist() == [4500.0, 5500.0, 5000.0, 10000.0]


def test_a_model_of_unknown_tokens_is_billed_by_the_call(rows: Rows) -> None:
    bare = [(*row[:6], None, None) if row[2] == "dear" else row for row in rows]
    world = world_of(outcomes_of(bare), ("dear", "cheap"))
    assert world.models[0].prices == Prices(0.0, 150.0)
    assert world.output_tokens[:, 0].mean() == pytest.approx(200.0)
    np.testing.assert_allclose(world.cost_usd[:, 0], [0.03, 0.02, 0.04, 0.03], rtol=1e-12)


def test_a_model_of_unknown_cost_is_refused(rows: Rows) -> None:
    free = [(*row[:4], None, *row[5:]) if row[2] == "dear" else row for row in rows]
    with pytest.raises(UnknownOutcomesError, match="what a call to dear costs"):
        world_of(outcomes_of(free))


def test_an_unknown_model_is_answered_with_those_near_it(rows: Rows) -> None:
    with pytest.raises(OptionsError, match="no model 'deer'; it has dear"):
        world_of(outcomes_of(rows), ("deer",))


def test_a_model_named_twice_is_refused(rows: Rows) -> None:
    with pytest.raises(OptionsError, match="named twice"):
        world_of(outcomes_of(rows), ("dear", "dear"))


def test_quality_between_0_and_1_makes_a_world_graded(rows: Rows, world: World) -> None:
    rows[0] = (*rows[0][:3], 0.5, *rows[0][4:])
    assert not world.graded
    assert world_of(outcomes_of(rows)).graded
