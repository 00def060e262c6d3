"""Logs that other programs wrote: what is read of them, and what is not."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from adapters.traffic.calls import Call
from adapters.traffic.errors import LogError
from adapters.traffic.fields import parsed_map
from adapters.traffic.formats import FileLog, open_log
from bandit.signals import Kind, Status

START_US = 1_772_359_200_000_000  # 2026-03-01T10:00:00Z


def written(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def read(log: FileLog) -> list[Call]:
    return list(log.calls())


def reasons(log: FileLog) -> dict[str, int]:
    return {reason: one.count for reason, one in log.report.rejected.items()}


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


def attributes(**known: Any) -> list[dict[str, Any]]:
    kinds = {str: "stringValue", int: "intValue", float: "doubleValue", bool: "boolValue"}
    named = {name.replace("__", "."): value for name, value in known.items()}
    return [
        {"key": name, "value": {kinds[type(value)]: str(value) if type(value) is int else value}}
        for name, value in named.items()
    ]


def span(number: int, known: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    start = START_US * 1000
    times = {"startTimeUnixNano": str(start), "endTimeUnixNano": str(start + 1_250_000_000)}
    return {"traceId": "t1", "spanId": f"s{number}", "name": "chat", **times, "attributes": known, **more}


def otlp(*spans: dict[str, Any]) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": list(spans)}]}]}


CHAT = attributes(
    gen_ai__operation__name="chat",
    gen_ai__provider__name="openai",
    gen_ai__request__model="gpt-4o",
    gen_ai__response__model="gpt-4o-2024-08-06",
    gen_ai__usage__input_tokens=100,
    gen_ai__usage__output_tokens=30,
)


def evaluation(value: float, time: int = 5) -> dict[str, Any]:
    known = attributes(gen_ai__evaluation__name="tone", gen_ai__evaluation__score__value=value)
    nanoseconds = str((START_US + time * 1_000_000) * 1000)
    return {"name": "gen_ai.evaluation.result", "timeUnixNano": nanoseconds, "attributes": known}


def test_spans_of_generative_ai_are_read(tmp_path):
    log = open_log(written(tmp_path / "spans.jsonl", [otlp(span(1, CHAT, events=[evaluation(0.25)]))]))
    assert read(log) == [
        Call(
            "chat",
            "openai/gpt-4o",
            time_us=START_US,
            call_id="s1",
            session="t1",
            input_tokens=100,
            output_tokens=30,
            latency_s=1.25,
            status=Status.OK,
            quality=0.25,
            answered_us=START_US + 1_250_000,
            judged_us=START_US + 5_000_000,
        )
    ]
    assert log.report.sources == {"score:tone": 1}


def test_evaluations_may_come_later_and_the_last_one_counts(tmp_path):
    record = evaluation(0.75, 9) | {"eventName": "gen_ai.evaluation.result", "spanId": "s1"}
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    rows = [otlp(span(1, CHAT, events=[evaluation(0.25)])), logs]
    [call] = read(open_log(written(tmp_path / "spans.jsonl", rows)))
    assert (call.quality, call.judged_us) == (0.75, START_US + 9_000_000)


def test_names_of_older_conventions_are_read_too(tmp_path):
    old = attributes(gen_ai__system="openai", gen_ai__request__model="o", gen_ai__usage__prompt_tokens=7)
    inference = attributes(llm__model_name="o", llm__token_count__prompt=7, llm__provider="openai")
    calls = read(open_log(written(tmp_path / "spans.jsonl", [otlp(span(1, old), span(2, inference))])))
    assert [(call.model, call.input_tokens) for call in calls] == [("openai/o", 7)] * 2


def test_what_routeward_adds_to_a_span_makes_it_fit_for_evaluation(tmp_path):
    drawn = attributes(
        routeward__category="mail",
        routeward__model="large",
        routeward__kind="SAMPLED",
        routeward__probabilities='{"large": 0.75, "small": 0.25}',
        gen_ai__request__model="gpt-4o",
    )
    [call] = read(open_log(written(tmp_path / "spans.jsonl", [otlp(span(1, drawn))])))
    assert (call.category, call.model, call.kind, call.propensity) == ("mail", "large", Kind.SAMPLED, 0.75)


@pytest.mark.parametrize(
    ("more", "known", "status"),
    [
        ({"status": {"code": 2}}, {}, Status.ERROR),
        ({"status": {"code": "STATUS_CODE_ERROR"}}, {"error__type": "timeout"}, Status.TIMEOUT),
        ({}, {"error__type": "RateLimitError"}, Status.RATE_LIMITED),
        ({}, {"error__type": "429"}, Status.RATE_LIMITED),
        ({}, {"error__type": "500"}, Status.ERROR),
        ({"status": {"code": 1}}, {}, Status.OK),
        ({"status": {}}, {}, Status.OK),
    ],
)
def test_the_status_of_a_span_is_read(tmp_path, more, known, status):
    one = span(1, CHAT + attributes(**known), **more)
    assert [call.status for call in read(open_log(written(tmp_path / "spans.jsonl", [otlp(one)])))] == [status]


def test_spans_of_anything_else_are_left_out(tmp_path):
    embedding = attributes(gen_ai__operation__name="embeddings", gen_ai__request__model="e")
    rows = [otlp(span(1, CHAT), span(2, embedding), span(3, []))]
    log = open_log(written(tmp_path / "spans.jsonl", rows))
    assert len(read(log)) == 1
    assert reasons(log) == {"a span of no call to a language model": 2}


def test_a_flat_table_of_spans_says_the_same(tmp_path):
    row = {
        "Timestamp": "2026-03-01 10:00:00.000000",
        "TraceId": "t1",
        "SpanId": "s1",
        "SpanName": "chat",
        "SpanAttributes": {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"},
        "Duration": 1_250_000_000,
        "StatusCode": "Unset",
        "Events.Name": ["gen_ai.evaluation.result"],
        "Events.Attributes": [{"gen_ai.evaluation.name": "tone", "gen_ai.evaluation.score.label": "pass"}],
        "Events.Timestamp": ["2026-03-01 10:00:05"],
    }
    [call] = read(open_log(written(tmp_path / "table.jsonl", [row])))
    assert (call.model, call.latency_s, call.quality, call.status) == ("openai/gpt-4o", 1.25, 1.0, Status.OK)
    assert (call.time_us, call.judged_us) == (START_US, START_US + 5_000_000)


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
