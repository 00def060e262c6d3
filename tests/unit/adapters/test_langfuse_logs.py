"""Exports of Langfuse: what is read of them, and what is not."""

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.traffic.calls import Call
from adapters.traffic.errors import LogError
from adapters.traffic.formats import FileLog, open_log
from bandit.signals import Status
from tests.unit.adapters.written_logs import START_US, read, reasons, written

OBSERVATION = {
    "id": "o1",
    "trace_id": "t1",
    "type": "GENERATION",
    "start_time": "2026-03-01 10:00:00.000000",
    "end_time": "2026-03-01 10:00:02.000000",
    "completion_start_time": "2026-03-01 10:00:00.250000",
    "name": "answer mail",
    "level": "DEFAULT",
    "provided_model_name": "gpt-4o",
    "usage_details": {"input": 40, "input_cached_tokens": 60, "output": 30, "total": 130},
    "cost_details": {"input": 0.001, "output": 0.001},
    "total_cost": 0.002,
    "latency": 2000,
    "session_id": "s1",
}
SCORE = {
    "id": "x1",
    "timestamp": "2026-03-01 10:01:00.000000",
    "trace_id": "t1",
    "observation_id": "o1",
    "name": "helpful",
    "value": 0.5,
    "data_type": "NUMERIC",
}


def langfuse(folder: Path, observations: list[dict[str, Any]], scores: list[dict[str, Any]]) -> FileLog:
    written(folder / "observations_v2" / "a.jsonl", observations)
    written(folder / "scores" / "a.jsonl", scores)
    return open_log(folder)


def test_an_export_of_langfuse_is_read_with_its_scores(tmp_path):
    log = langfuse(tmp_path, [OBSERVATION, OBSERVATION | {"id": "o2", "type": "SPAN"}], [SCORE])
    assert read(log) == [
        Call(
            "answer-mail",
            "gpt-4o",
            time_us=START_US,
            call_id="o1",
            session="s1",
            input_tokens=100,
            cached_input_tokens=60,
            output_tokens=30,
            cost_usd=0.002,
            latency_s=2.0,
            first_token_s=0.25,
            status=Status.OK,
            quality=0.5,
            answered_us=START_US + 2_000_000,
            judged_us=START_US + 60_000_000,
        )
    ]
    assert reasons(log) == {"an observation that is no generation": 1}
    assert log.report.rejected["an observation that is no generation"].places() == "observations_v2/a.jsonl:2"


def test_the_answers_of_langfuse_s_api_are_read(tmp_path):
    camel = {
        "id": "o1",
        "traceId": "t1",
        "type": "GENERATION",
        "name": "mail",
        "startTime": "2026-03-01T10:00:00.000Z",
        "endTime": "2026-03-01T10:00:02.000Z",
        "model": "gpt-4o",
        "usage": {"input": 5, "output": 7, "total": 12, "unit": "TOKENS", "inputCost": 9},
        "level": "ERROR",
    }
    (tmp_path / "answer.json").write_text(json.dumps({"data": [camel], "meta": {}}, indent=1))
    [call] = read(open_log(tmp_path / "answer.json"))
    assert (call.model, call.input_tokens, call.output_tokens) == ("gpt-4o", 5, 7)
    assert (call.latency_s, call.status, call.cost_usd) == (2.0, Status.ERROR, None)


def test_a_score_of_a_trace_judges_its_only_generation_and_none_of_several(tmp_path):
    of_trace = SCORE | {"observation_id": None, "value": 1}
    [call] = read(langfuse(tmp_path / "one", [OBSERVATION], [of_trace]))
    assert call.quality == 1.0
    log = langfuse(tmp_path / "two", [OBSERVATION, OBSERVATION | {"id": "o2"}], [of_trace])
    assert [call.quality for call in read(log)] == [None, None]
    assert any("several generations" in note for note in log.report.notes)


def test_scores_that_are_no_judgement_are_left_out(tmp_path):
    scores = [SCORE | {"value": 4}, SCORE | {"data_type": "TEXT", "value": 0}, SCORE | {"data_type": "CATEGORICAL"}]
    log = langfuse(tmp_path, [OBSERVATION], scores)
    assert [call.quality for call in read(log)] == [None]
    assert reasons(log) == {"score: neither numeric nor boolean": 2}
    assert log.report.notes == ["1 judgements of score:helpful are not between 0 and 1, and unknown"]


def test_a_cost_of_0_without_its_parts_is_unknown_in_langfuse(tmp_path):
    log = langfuse(tmp_path, [OBSERVATION | {"total_cost": 0, "cost_details": {}}], [SCORE])
    assert [call.cost_usd for call in read(log)] == [None]


def test_scores_alone_are_refused_with_what_to_give(tmp_path):
    with pytest.raises(LogError, match="give the folder with observations and scores"):
        read(open_log(written(tmp_path / "scores.jsonl", [SCORE])))


def test_a_prompt_whose_name_is_in_another_script_leaves_the_call_in_the_default_category(tmp_path):
    log = langfuse(tmp_path, [OBSERVATION | {"metadata": {"category": "日本語"}}], [])
    assert [call.category for call in read(log)] == ["default"]
    assert any(note.startswith("1 texts of metadata.category make no name") for note in log.report.notes)
