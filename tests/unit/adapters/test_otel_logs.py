"""Spans of OpenTelemetry: what is read of them, and what is not."""

from typing import Any

import pytest

from adapters.traffic.calls import Call
from adapters.traffic.formats import open_log
from bandit.signals import Kind, Status
from tests.unit.adapters.written_logs import START_US, read, reasons, written


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


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"resourceSpans": 1}, "resourceSpans is no list of objects"),
        ({"resourceSpans": [1]}, "resourceSpans is no list of objects"),
        ({"resourceSpans": [{"scopeSpans": "x"}]}, "scopeSpans is no list of objects"),
        ({"resourceSpans": [{"scopeSpans": [{"spans": {}}]}]}, "spans is no list of objects"),
        ({"resourceLogs": 1}, "resourceLogs is no list of objects"),
    ],
)
def test_a_line_that_lists_no_spans_is_counted_and_the_others_are_read(tmp_path, row, reason):
    log = open_log(written(tmp_path / "spans.jsonl", [row, otlp(span(1, CHAT)), {"resourceSpans": []}]))
    assert len(read(log)) == 1
    assert {why: (one.count, one.lines) for why, one in log.report.rejected.items()} == {reason: (1, [1])}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"Timestamp": "9999-12-31T00:00:00Z", "Duration": 10**18}, "start is out of range"),
        ({"Timestamp": "2199-12-31T00:00:00Z", "Duration": 10**18}, "span.end is out of range"),
        ({"Duration": 10**400}, "duration is out of range"),
    ],
)
def test_a_span_that_ends_when_nothing_does_is_left_out_and_the_others_are_read(tmp_path, changed, reason):
    row = {
        "SpanId": "s1",
        "TraceId": "t1",
        "Timestamp": "2026-03-01T10:00:00Z",
        "Duration": 2_000_000_000,
        "SpanAttributes": {"gen_ai.request.model": "a"},
    }
    log = open_log(written(tmp_path / "spans.jsonl", [row | changed, row | {"SpanId": "s2"}]))
    assert [call.latency_s for call in read(log)] == [2.0]
    assert {why: (one.count, one.lines) for why, one in log.report.rejected.items()} == {reason: (1, [1])}


def test_an_agent_whose_name_is_in_another_script_is_read_as_the_default_category(tmp_path):
    known = [*CHAT, *attributes(gen_ai__agent__name="日本語")]
    log = open_log(written(tmp_path / "spans.jsonl", [otlp(span(1, known))]))
    assert [call.category for call in read(log)] == ["default"]
    assert any("1 texts of gen_ai.agent.name make no name" in note for note in log.report.notes)
