"""What-ifs are computed from means alone, and what cannot be known stays unknown."""

from typing import Any

import pytest

from simulations.page.documents import result_of
from simulations.page.example import example
from simulations.page.example_replay import example_replay
from simulations.page.whatif import (
    BEST,
    UNSPLIT,
    Wishes,
    best_models,
    means_tell,
    point_means,
    statistics,
    value_of,
    values,
)


@pytest.fixture
def document() -> dict[str, Any]:
    """Two categories, three to one; `large` is better and dearer, and at code `small` is hopeless."""
    cells = [("chat", "small", 0.8, 0.001), ("chat", "large", 0.9, 0.01), ("code", "small", 0.1, 0.001)]
    cells.append(("code", "large", 0.9, 0.01))
    return {
        "kind": "evaluate",
        "verdict": "green",
        "objective": {"answer_value_usd": 0.05, "second_value_usd": 0.0},
        "models": [{"id": "small"}, {"id": "large"}],
        "categories": [{"name": "chat", "rows": 75}, {"name": "code", "rows": 25}],
        "cells": [
            {"category": c, "model": m, "rows": 10, "answer": answer, "cost_usd": cost, "latency_s": None}
            for c, m, answer, cost in cells
        ],
        "policies": {
            "half": {
                "status": "green",
                "components": {"answer": 0.7, "cost_usd": 0.0055, "latency_s": None},
                "shares": {"small": 0.5, "large": 0.5},
            },
            "refused": {"status": "red", "components": {"answer": 1.0, "cost_usd": 0.0, "latency_s": 0.0}},
        },
    }


def test_a_value_is_linear_in_the_means(document: dict[str, Any]) -> None:
    found = values(statistics(result_of(document)), Wishes(0.05, 0.0))
    assert found["half"] == pytest.approx(0.05 * 0.7 - 0.0055)
    assert found[BEST] == pytest.approx(0.75 * (0.05 * 0.8 - 0.001) + 0.25 * (0.05 * 0.9 - 0.01))
    assert "refused" not in found


def test_a_price_counts_by_the_share_of_the_cost_that_its_model_has(document: dict[str, Any]) -> None:
    known = statistics(result_of(document))
    dearer = values(known, Wishes(0.05, 0.0, {"large": 2.0}))["half"]
    assert dearer == pytest.approx(0.05 * 0.7 - 0.0005 - 2 * 0.005)


def test_without_a_model_another_is_best_and_policies_that_used_it_are_unknown(document: dict[str, Any]) -> None:
    known, wishes = statistics(result_of(document)), Wishes(0.05, 0.0, dropped=("small",))
    assert best_models(known, wishes) == {"chat": "large", "code": "large"}
    assert values(known, wishes)["half"] is None


def test_with_every_model_dropped_nothing_is_best(document: dict[str, Any]) -> None:
    known, wishes = statistics(result_of(document)), Wishes(0.05, 0.0, dropped=("small", "large"))
    assert best_models(known, wishes) == {"chat": None, "code": None}
    assert values(known, wishes)[BEST] is None


def test_what_is_unknown_makes_a_value_unknown_where_it_is_worth_anything(document: dict[str, Any]) -> None:
    known = statistics(result_of(document))
    assert values(known, Wishes(0.05, 0.001)) == {"half": None, BEST: None}
    del document["policies"]["half"]["components"]["cost_usd"]
    assert values(statistics(result_of(document)), Wishes(0.05, 0.0))["half"] is None


def test_a_cost_that_nobody_can_split_is_known_until_a_price_changes(document: dict[str, Any]) -> None:
    document["policies"]["half"]["shares"] = {}
    means = statistics(result_of(document)).policies["half"]
    assert means.costs_usd == {UNSPLIT: 0.0055}
    assert value_of(means, Wishes(0.05, 0.0, {"small": 1.0})) == pytest.approx(0.05 * 0.7 - 0.0055)
    assert value_of(means, Wishes(0.05, 0.0, {"small": 2.0})) is None
    assert value_of(means, Wishes(0.05, 0.0, dropped=("small",))) is None


def test_a_cost_that_nobody_can_split_does_not_depend_on_models_that_are_not_in_use(document: dict[str, Any]) -> None:
    document["models"].append({"id": "idle"})
    document["cells"] = [cell | {"cost_usd": None} for cell in document["cells"]]
    document["policies"]["half"]["shares"]["idle"] = 0.0
    known = statistics(result_of(document))
    assert known.policies["half"].costs_usd == {UNSPLIT: 0.0055}
    as_evaluated = pytest.approx(0.05 * 0.7 - 0.0055)
    assert values(known, Wishes(0.05, 0.0, {"idle": 3.0}))["half"] == as_evaluated
    assert values(known, Wishes(0.05, 0.0, dropped=("idle",)))["half"] == as_evaluated
    assert values(known, Wishes(0.05, 0.0, dropped=("small",)))["half"] is None


def test_what_learns_or_is_chosen_in_hindsight_is_unknown_as_soon_as_anything_moves() -> None:
    known = statistics(result_of(example_replay()))
    as_replayed = values(known, Wishes(0.05, 0.001))
    assert None not in as_replayed.values()
    for moved in (Wishes(0.1, 0.001), Wishes(0.05, 0.0), Wishes(0.05, 0.001, {"small": 2.0})):
        found = values(known, moved)
        assert (found["routeward"], found["best in hindsight"]) == (None, None)
        assert found["fixed:small"] is not None
    assert values(known, Wishes(0.1, 0.001))["cheapest"] is not None
    assert values(known, Wishes(0.05, 0.001, {"small": 2.0}))["cheapest"] is None
    assert known.incomparable == ("best in hindsight",)


def test_a_model_less_leaves_those_known_that_never_took_it() -> None:
    found = values(statistics(result_of(example_replay())), Wishes(0.05, 0.001, dropped=("large",)))
    assert {name for name, value in found.items() if value is not None} == {"fixed:small"}


def test_means_tell_nothing_where_requests_have_values_of_their_own() -> None:
    document = example_replay()
    assert means_tell(result_of(document), statistics(result_of(document)))
    document["policies"]["logged"]["value_usd"]["mean"] = 0.09
    assert not means_tell(result_of(document), statistics(result_of(document)))


def test_without_cells_no_best_model_is_told() -> None:
    assert BEST not in values(statistics(result_of(example_replay())), Wishes(0.05, 0.001))


def test_the_point_of_a_model_costs_that_model(document: dict[str, Any]) -> None:
    document["front"] = [{"name": "fixed:large", "answer": 0.9, "cost_usd": 0.01}]
    result = result_of(document)
    assert point_means(result.front[0], result).costs_usd == {"large": 0.01}


def test_categories_without_counts_weigh_as_much_as_their_cells(document: dict[str, Any]) -> None:
    del document["categories"]
    assert statistics(result_of(document)).shares == {"chat": 0.5, "code": 0.5}


def test_as_evaluated_the_values_are_those_of_the_evaluation() -> None:
    document = example(5)
    objective = document["objective"]
    found = values(
        statistics(result_of(document)), Wishes(objective["answer_value_usd"], objective["second_value_usd"])
    )
    for name, policy in document["policies"].items():
        assert found[name] == pytest.approx(policy["headline"]["value"])
