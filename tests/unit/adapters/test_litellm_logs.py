"""Logs of LiteLLM: what is read of them, and what is not."""

import json

import duckdb
import pytest

from adapters.traffic.calls import Call
from adapters.traffic.fields import parsed_map
from adapters.traffic.formats import open_log
from bandit.signals import Status
from tests.unit.adapters.written_logs import START_US, read, reasons, written

SPEND = {
    "request_id": "r1",
    "call_type": "acompletion",
    "spend": 0.0021,
    "total_tokens": 130,
    "prompt_tokens": 100,
    "completion_tokens": 30,
    "startTime": "2026-03-01 10:00:00",
    "endTime": "2026-03-01 10:00:02.500",
    "completionStartTime": "2026-03-01 10:00:00.500",
    "model": "gpt-4o",
    "model_group": "smart",
    "custom_llm_provider": "azure",
    "metadata": json.dumps({"usage_object": {"prompt_tokens_details": {"cached_tokens": 64}}}),
    "cache_hit": "False",
    "request_tags": '["User-Agent: curl", "summaries of mail"]',
    "session_id": "s1",
    "status": "success",
}


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "csv"])
def test_spend_logs_of_litellm_are_read(tmp_path, kind):
    path = written(tmp_path / "spend.jsonl", [SPEND])
    if kind != "jsonl":
        with duckdb.connect() as connection:
            relation = connection.read_json(str(path))
            path = tmp_path / f"spend.{kind}"
            relation.write_parquet(str(path)) if kind == "parquet" else relation.write_csv(str(path))
    log = open_log(path)
    assert read(log) == [
        Call(
            "summaries-of-mail",
            "azure/gpt-4o",
            time_us=START_US,
            call_id="r1",
            session="s1",
            input_tokens=100,
            cached_input_tokens=64,
            output_tokens=30,
            cost_usd=0.0021,
            latency_s=2.5,
            first_token_s=0.5,
            status=Status.OK,
            answered_us=START_US + 2_500_000,
        )
    ]
    assert log.report.format == "litellm"


def test_payloads_of_litellm_are_read(tmp_path):
    payload = {
        "id": "p1",
        "trace_id": "t1",
        "call_type": "completion",
        "response_cost": 0.001,
        "status": "failure",
        "error_information": {"error_code": "429", "error_class": "RateLimitError"},
        "total_tokens": 0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "startTime": START_US / 1e6,
        "endTime": START_US / 1e6 + 1.5,
        "completionStartTime": START_US / 1e6 + 1.5,
        "response_time": 99,
        "model": "claude-3@2024",
        "metadata": {"routing_decision": {"request_type": "code"}},
    }
    (tmp_path / "payloads.json").write_text(json.dumps([payload], indent=1))
    [call] = read(open_log(tmp_path / "payloads.json"))
    assert (call.category, call.model, call.session, call.status) == (
        "code",
        "claude-3-2024",
        "t1",
        Status.RATE_LIMITED,
    )
    assert (call.latency_s, call.first_token_s, call.input_tokens, call.output_tokens) == (1.5, None, None, None)


@pytest.mark.parametrize(
    ("cells", "cost"),
    [
        ({"spend": 0.0}, None),
        ({"spend": None}, None),
        ({"spend": 0.5}, 0.5),
        ({"spend": 0, "metadata": '{"model_map_information": {"model_map_value": null}}'}, None),
        (
            {
                "spend": 0,
                "model_map_information": {"model_map_value": {"input_cost_per_token": 0, "output_cost_per_token": 0.0}},
            },
            0.0,
        ),
        (
            {"spend": 0, "model_map_information": {"model_map_value": {"input_cost_per_token": 0}}},
            None,
        ),
    ],
)
def test_a_spend_of_0_is_a_cost_only_where_the_prices_are_0(tmp_path, cells, cost):
    [call] = read(open_log(written(tmp_path / "a.jsonl", [SPEND | cells])))
    assert call.cost_usd == cost


def test_what_is_no_model_call_of_litellm_is_left_out_with_its_reason(tmp_path):
    rows = [
        SPEND,
        SPEND | {"request_id": "r2", "cache_hit": "True"},
        SPEND | {"request_id": "r3", "call_type": "aembedding"},
        SPEND,
        SPEND | {"request_id": "r5", "model": ""},
        SPEND | {"request_id": "r6", "status": "odd"},
    ]
    log = open_log(written(tmp_path / "a.jsonl", rows))
    assert len(read(log)) == 1
    assert reasons(log) == {
        "answered from a cache": 1,
        "no call to a language model": 1,
        "call_id was there before": 1,
        "model is missing": 1,
        "status is not known (ok, error, timeout, rate_limited, cancelled, or one of HTTP)": 1,
    }
    assert log.report.rejected["call_id was there before"].lines == [4]


@pytest.mark.parametrize(
    ("cells", "category"),
    [
        ({"metadata": {"routing_decision": {"request_type": "code"}}}, "code"),
        ({"metadata": {"routing_decision": {"tier": "hard"}}}, "hard"),
        ({"request_tags": ["User-Agent: x", "mail"]}, "mail"),
        ({"request_tags": "[]"}, "smart"),
        ({"request_tags": None, "model_group": "gpt-4o"}, "default"),
        ({"request_tags": None, "model": "azure/gpt-4o", "model_group": "gpt-4o"}, "default"),
        ({"request_tags": None, "model_group": None}, "default"),
    ],
)
def test_the_category_of_litellm_is_what_is_known_of_the_task(tmp_path, cells, category):
    assert [call.category for call in read(open_log(written(tmp_path / "a.jsonl", [SPEND | cells])))] == [category]


def test_a_field_of_another_program_s_log_can_be_mapped(tmp_path):
    row = SPEND | {"metadata": '{"task": "mail", "stars": 80}'}
    mapped = parsed_map(("category=metadata.task", "score:stars=metadata.stars:percent"))
    log = open_log(written(tmp_path / "a.jsonl", [row]), column_map=mapped)
    [call] = read(log)
    assert (call.category, call.quality, log.report.sources) == ("mail", 0.8, {"score:stars": 1})


@pytest.mark.parametrize("tag", ["日本語", "a tag that says so much that no name is as long as it is, and more"])
def test_a_tag_that_makes_no_name_leaves_the_call_in_the_default_category(tmp_path, tag):
    log = open_log(written(tmp_path / "spend.jsonl", [SPEND | {"request_tags": [tag]}]))
    assert [call.category for call in read(log)] == ["default"]
    assert reasons(log) == {}
    assert any(note.startswith("1 texts of request_tags make no name") for note in log.report.notes)
