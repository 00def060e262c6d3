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
from simulations.page.figures import specs
from simulations.page.numbers import as_csv, numbers
from simulations.page.result import LOGGED

BAND = {"mean": 0.04, "se": 0.001, "low": 0.03, "high": 0.05}


def replay_document(status: str = "green") -> dict[str, Any]:
    """A replay of two slices: what the learner and the log were worth."""
    parts = (
        "value_usd",
        "lift_usd",
        "cost_usd",
        "answer",
        "error_rate",
        "latency_s",
        "latency_p50_s",
        "latency_p95_s",
    )
    shares = {"small": {"mean": 0.75}, "large": {"mean": 0.25}}
    policy = {**dict.fromkeys(parts, BAND), "shares": shares, "status": status}
    bands = {"value_usd": {"mean": [1, 2], "low": [0, 1], "high": [2, 3]}, "spend_usd": {"mean": [0.5, 1.0]}}
    return {
        "kind": "replay",
        "status": status,
        "checks": [{"name": "resampled", "status": status, "value": 0.6, "limit": 0.5, "says": "60% again"}],
        "settings": {
            "answer_value_usd": None,
            "default_objective": {"answer_value_usd": 0.05, "second_value_usd": 0.001},
        },
        "log": {"rows": 100, "from_us": 0, "to_us": 2_000_000, "rejected": {"no model": {"count": 2, "lines": [3]}}},
        "models": {"small": {}, "large": {}},
        "categories": [{"name": "chat", "requests": 100}],
        "policies": {"routeward": {**policy, "learns": True}, "best in hindsight": policy, LOGGED: policy},
        "cells": [{"category": "chat", "model": "small", "rows": 70, "answer": 0.8}],
        "latency": {"edges_s": [1.0, 2.0], "policies": {"routeward": [1, 2, 3]}},
        "time": {"ends_us": [1_000_000, 2_000_000], "requests": [50, 50]},
        "bands": {"routeward": bands, LOGGED: bands},
        "allocation": {"routeward": {"all": {"small": {"mean": [0.5, 1.0]}, "large": {"mean": [0.5, 0.0]}}}},
    }


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
    result = result_of(replay_document("amber"))
    assert result.subjects == ("routeward",)
    assert (result.confidence, result.answer_value_usd) == (0.9, 0.05)
    assert result.policies["routeward"].lift == (0.04, 0.03, 0.05)
    assert result.policies["routeward"].components["answer"] == pytest.approx(0.04)
    assert result.cells[0].answer == 0.8
    assert result.latencies is not None
    assert result.latencies.policies == {"routeward": (1, 2, 3)}
    assert result.policies[LOGGED].lift is None
    assert result.rejected == {"no model": 2}
    assert result.timeline is not None
    assert result.timeline.shares == {"all categories": {"small": (0.5, 1.0), "large": (0.5, 0.0)}}


def test_a_refused_replay_refuses_all_of_its_policies() -> None:
    result = result_of(replay_document("red"))
    assert all(policy.refused and policy.headline is None for policy in result.policies.values())
    drawn = specs(result)
    assert drawn.keys() == {"spend", "front", "overlap", "quality"}
    of_policies = drawn["spend"], drawn["front"]
    assert [trace["name"] for chart in of_policies for trace in chart["data"]] == [LOGGED, LOGGED, "front"]


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
