"""Documents become results: with their types, with the unknown kept unknown, with refused numbers left out."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from simulations.page.documents import read_document, result_of
from simulations.page.errors import DocumentError
from simulations.page.example import example
from simulations.page.example_replay import example_replay
from simulations.page.figures import specs
from simulations.page.numbers import as_csv, numbers
from simulations.page.result import EVERYWHERE, LOGGED


def test_what_ran_is_a_policy_with_sums_over_time_and_the_shares_of_its_calls() -> None:
    document = example(2)
    document["logged"] = {"value": 0.03, "low": 0.02, "high": 0.04, "components": {"answer": 0.8, "latency_s": None}}
    result = result_of(document)
    logged = result.policies[LOGGED]
    assert (logged.status, logged.headline, logged.lift) == ("green", (0.03, 0.02, 0.04), None)
    assert logged.components == {"answer": 0.8, "latency_s": None}
    assert sum(share or 0 for share in logged.shares.values()) == pytest.approx(1)
    assert result.timeline is not None
    slices = document["time"]["logged_value"]
    assert result.timeline.courses[LOGGED].value[-1] == pytest.approx(sum(slices))


def test_what_is_told_of_weights_by_component_is_no_number_of_theirs() -> None:
    document = example(2)
    document["policies"]["routeward"]["weights"]["unknown"] = [0.0, 0.5]
    assert "unknown" not in result_of(document).policies["routeward"].weights


def test_sums_are_unknown_from_the_first_unknown_slice_on() -> None:
    document = example(2)
    document["time"]["logged_spend"][2] = None
    timeline = result_of(document).timeline
    assert timeline is not None
    spend = timeline.courses[LOGGED].spend
    assert None not in spend[:2]
    assert set(spend[2:]) == {None}


def test_a_refused_policy_has_no_headline_and_no_lift_even_where_the_document_has_them() -> None:
    document = example(2)
    document["policies"]["routeward"]["status"] = "red"
    refused = result_of(document).policies["routeward"]
    assert document["policies"]["routeward"]["headline"] is not None
    assert (refused.headline, refused.lift, refused.simultaneous) == (None, None, None)


def test_counts_below_the_first_and_above_the_last_edge_of_latency_have_places() -> None:
    document = example(2)
    document["latency"] = {"edges_s": [1.0, 2.0], "models": {"north-large": [1, 2, 3]}}
    found = result_of(document).latencies
    assert found is not None
    assert found.edges_s == (0.0, 1.0, 2.0, None)


def test_a_log_without_times_is_told_by_its_rows() -> None:
    document = example(2)
    time = document["time"]
    time.update(first_rows=list(range(len(time["starts_us"]))), starts_us=None)
    document["change_points"] = [{"time_us": None, "first_row": 3, "category": "", "model": "m", "what": "joined"}]
    result = result_of(document)
    assert result.timeline is not None
    assert not result.timeline.timed
    assert result.changes[0].at == 3


def test_a_replay_is_about_its_learner_and_its_bands_are_of_90_percent() -> None:
    result = result_of(example_replay("amber"))
    assert result.subjects == ("routeward",)
    assert (result.confidence, result.answer_value_usd) == (0.9, 0.05)
    assert result.policies["routeward"].lift == (0.04, 0.03, 0.05)
    assert result.policies["routeward"].components["answer"] == pytest.approx(0.864)
    assert result.policies[LOGGED].lift is None
    assert result.rejected == {"no model": 2}
    assert result.policies["best in hindsight"].hindsight
    assert result.prices == {"small": (0.5, 2.0), "large": (5.0, 20.0)}
    assert result.timeline is not None
    assert list(result.timeline.shares) == ["routeward", LOGGED]
    assert list(result.timeline.shares["routeward"]) == [EVERYWHERE, "chat"]
    assert result.timeline.shares["routeward"]["chat"]["small"] == (0.5, 1.0)
    course = result.timeline.courses["routeward"]
    assert (course.spend, course.spend_low, course.spend_high) == ((0.5, 1.0), (0.4, 0.8), (0.6, 1.2))


def test_a_replay_may_have_cells_and_latencies() -> None:
    document = example_replay()
    document["cells"] = [{"category": "chat", "model": "small", "rows": 70, "answer": 0.8}]
    document["latency"] = {"edges_s": [1.0, 2.0], "policies": {"routeward": [1, 2, 3]}}
    result = result_of(document)
    assert result.cells[0].answer == 0.8
    assert result.latencies is not None
    assert result.latencies.policies == {"routeward": (1, 2, 3)}


def test_a_check_of_one_policy_of_a_replay_leaves_the_others_sound() -> None:
    document = example_replay()
    document["checks"].append({"name": "thin", "policy": "cheapest", "status": "red", "says": "few outcomes"})
    document["policies"]["cheapest"]["status"] = "red"
    result = result_of(document)
    assert (result.policies["cheapest"].status, result.policies["cheapest"].reasons) == ("red", ("few outcomes",))
    assert (result.policies["routeward"].status, result.policies["routeward"].reasons) == ("green", ())


def test_a_refused_replay_refuses_all_of_its_policies_but_what_ran() -> None:
    result = result_of(example_replay("red"))
    refused = {name for name, policy in result.policies.items() if policy.refused and policy.headline is None}
    assert refused == result.policies.keys() - {LOGGED}
    names = {trace["name"] for chart in specs(result).values() for trace in chart["data"]}
    assert names == {LOGGED, "front", "small", "large"}
    assert {trace["meta"][0] for trace in specs(result)["allocation"]["data"]} == {LOGGED}


def test_what_ran_needs_no_care_where_the_replay_does() -> None:
    result = result_of(example_replay("amber"))
    assert result.policies[LOGGED].status == "green"
    assert result.policies["routeward"].status == "amber"


def test_shares_over_all_categories_come_first_and_weigh_each_as_the_log_does() -> None:
    document = example(2)
    time = document["time"]
    document["categories"] = [{"name": "chat", "rows": 75}, {"name": "code", "rows": 25}]
    time["shares"] = {"chat": {"m": [1.0, None, 0.5]}, "code": {"m": [0.0, 0.4, None]}}
    timeline = result_of(document).timeline
    assert timeline is not None
    assert list(timeline.shares[LOGGED]) == [EVERYWHERE, "chat", "code"]
    assert timeline.shares[LOGGED][EVERYWHERE]["m"] == (0.75, 0.4, 0.5)
    time["shares_all"] = {"m": [0.9, 0.4, 0.5]}
    timeline = result_of(document).timeline
    assert timeline is not None
    assert timeline.shares[LOGGED][EVERYWHERE]["m"] == (0.9, 0.4, 0.5)


def test_the_level_of_intervals_is_that_of_the_document() -> None:
    result = result_of(example(2) | {"confidence": 0.8})
    assert result.confidence == 0.8
    assert result.deviations == pytest.approx(1.2816, abs=1e-4)


def test_the_best_choice_for_an_answers_value_is_named_by_it_and_has_the_shares_of_its_models() -> None:
    document = example(2)
    document["categories"] = [{"name": "chat", "rows": 75}, {"name": "code", "rows": 25}]
    toml = '[policies."best-at-0.000195-usd"]\ndefault = "north-large"\ncode = "north-medium"\n'
    document["front"] = [{"name": "best-at-0.000195-usd", "answer_value_usd": 0.0001953, "toml": toml}]
    [point] = result_of(document).front
    assert point.name == "best per category, answer worth $0.000195"
    assert point.shares == {"north-large": 0.75, "north-medium": 0.25}


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (("kind",), "simulate", "kind is 'simulate'; 'evaluate' or 'replay' is expected"),
        (("kind",), ["evaluate"], "kind is ['evaluate']"),
        (("verdict",), "blue", "verdict is 'blue'; green, amber or red"),
        (("policies",), [1], "policies is [1]; an object is expected"),
        (("policies", "routeward", "headline", "value"), "much", "policies.routeward.headline.value is 'much'"),
        (("policies", "routeward", "weights", "ess"), True, "policies.routeward.weights.ess is True"),
        (("cells",), {}, "cells is {}; a list is expected"),
        (("log", "from"), "yesterday", "log.from is 'yesterday'"),
        (("log", "name"), 7, "log.name is 7; a text is expected"),
        (("front",), [3], "front[0] is 3; an object is expected"),
        (("change_points",), [{"what": "gone"}], "change_points[0] has no time"),
    ],
)
def test_a_wrong_field_is_named_with_what_it_is(path: tuple[str, ...], value: Any, complaint: str) -> None:
    document = copy.deepcopy(example(2))
    *inside, last = path
    place = document
    for name in inside:
        place = place[name]
    place[last] = value
    with pytest.raises(DocumentError, match=re.escape(complaint)):
        result_of(document)


def test_a_document_without_anything_but_its_kind_is_a_refused_result() -> None:
    result = result_of({"kind": "evaluate"})
    assert (result.verdict, result.policies, result.timeline) == ("red", {}, None)


@pytest.mark.parametrize("text", ["[1]", "{", '{"kind": NaN}', ""])
def test_a_file_that_is_no_object_of_json_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DocumentError, match=re.escape(str(path))):
        read_document(path)


def test_the_numbers_are_every_number_of_the_document_and_the_unknown_ones_too() -> None:
    document = {
        "a": 1,
        "t": [{"category": "c", "model": "m", "x": 0.5, "name": None}, [2, None]],
        "s": "text",
        "b": True,
    }
    assert [tuple(number) for number in numbers(document)] == [
        ("a", "", "a", 1),
        ("t", "c / m", "x", 0.5),
        ("t", "c / m", "name", None),
        ("t", "1", "0", 2),
        ("t", "1", "1", None),
    ]


def test_the_csv_quotes_names_and_leaves_unknown_values_empty() -> None:
    document = {"cells": [{"category": 'a,"b"', "model": "m", "answer": None, "rows": 3}]}
    assert as_csv({"d": document}).splitlines() == [
        "document,table,row,field,value",
        'd,cells,"a,""b"" / m",answer,',
        'd,cells,"a,""b"" / m",rows,3',
    ]


def test_equal_seeds_invent_equal_results_that_are_json() -> None:
    assert json.dumps(example(3, seed=1), allow_nan=False) == json.dumps(example(3, seed=1))
    assert example(3, seed=1) != example(3, seed=2)
