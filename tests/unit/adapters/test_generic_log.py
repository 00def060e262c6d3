"""Rows of tables and JSON lines: what is read of them, and what is refused for which reason."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.traffic import generic
from adapters.traffic.calls import Call
from adapters.traffic.log import LogReport
from adapters.traffic.plan import Plan
from adapters.traffic.reading import Reading
from bandit.signals import Kind, Status

SMALLEST = {"category": "chat", "model": "large", "quality": 0.5}


def read(row: Mapping[str, Any], source: str = "any") -> Call:
    plan = Plan.of(generic.present(generic.COLUMNS, frozenset(row)))
    reading = Reading(LogReport("generic"), quality_source=source)
    return generic.call_of(row, plan, reading)[0]


def test_a_row_of_text_and_one_of_numbers_say_the_same():
    said = {"quality": 0.5, "latency_s": 1.5, "output_tokens": 80, "status": "ok"}
    call = Call("chat", "large", quality=0.5, latency_s=1.5, output_tokens=80, status=Status.OK)
    assert read({"category": "chat", "model": "large", **said}) == call
    assert read({"category": " chat ", "model": "large"} | {name: str(one) for name, one in said.items()}) == call


def test_what_is_unknown_is_missing_and_never_zero():
    cells = dict.fromkeys(set(generic.named("cost")).union(*map(generic.named, generic.COLUMNS)), "")
    for unknown in ("", None, "NULL", math.nan, "nan"):
        assert read(dict.fromkeys(cells, unknown) | SMALLEST) == Call("chat", "large", quality=0.5)


def test_latency_may_be_in_milliseconds():
    assert read(SMALLEST | {"latency_ms": 250}).latency_s == 0.25
    assert read(SMALLEST | {"latency_ms": 250, "latency_s": 3}).latency_s == 3


@pytest.mark.parametrize(
    ("cells", "status"),
    [
        ({"status": "OK"}, Status.OK),
        ({"status": "204"}, Status.OK),
        ({"status": 500}, Status.ERROR),
        ({"status": 429}, Status.RATE_LIMITED),
        ({"status": "timeout"}, Status.TIMEOUT),
        ({"status": "cancelled", "error": "true"}, Status.CANCELLED),
        ({"error": True}, Status.ERROR),
        ({"error": 0}, Status.OK),
        ({"error": "False"}, Status.OK),
        ({"error": ""}, None),
    ],
)
def test_status_and_error_are_read_as_logs_write_them(cells, status):
    assert read(SMALLEST | cells).status == status


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"category": ""}, "category is missing"),
        ({"model": None}, "model is missing"),
        ({"category": "a b"}, "category is no name"),
        ({"quality": 1.5}, "quality is out of range"),
        ({"quality": -0.1}, "quality is out of range"),
        ({"quality": "good"}, "quality is not a number"),
        ({"quality": True}, "quality is not a number"),
        ({"latency_s": 0}, "latency_s is out of range"),
        ({"latency_ms": "inf"}, "latency_ms is out of range"),
        ({"output_tokens": -1}, "output_tokens is out of range"),
        ({"cost": -1}, "cost is out of range"),
        ({"status": "fine"}, "status is not known"),
        ({"status": "999"}, "status is not known"),
        ({"error": "maybe"}, "error is neither true nor false"),
        ({"kind": "guess"}, "kind is not known"),
        ({"thumb": "sideways"}, "thumb is neither up nor down"),
        ({"time": "yesterday"}, "time is no time"),
        ({"time": 1_767_225_600}, "time is a number without a unit"),
        ({"time_s": 1_767_225_600_000}, "time_s is out of range"),
        ({"time_s": 10**400}, "time_s is out of range"),
        ({"time_us": 10**400}, "time_us is out of range"),
        ({"time_us": -(10**400)}, "time_us is out of range"),
        ({"time": "9999-12-31"}, "time is out of range"),
        ({"time": "2200-01-01T00:00:00.000001Z"}, "time is out of range"),
        ({"time": datetime(2201, 1, 1, tzinfo=UTC)}, "time is out of range"),
        ({"time": "1969-12-31T23:59:59Z"}, "time is out of range"),
        ({"latency_s": 10**400}, "latency_s is out of range"),
        ({"latency_s": "9" * 400}, "latency_s is out of range"),
        ({"cost": -(10**400)}, "cost is out of range"),
        ({"probabilities": {"large": 10**400}}, "probabilities is out of range"),
        ({"propensity": 0}, "propensity is 0"),
        ({"propensity": 1.1}, "propensity is out of range"),
        ({"probabilities": '{"large": 0.5}'}, "probabilities do not add up to 1"),
        ({"probabilities": '{"small": 1}'}, "could not be drawn"),
        ({"probabilities": '{"small": null, "large": 1}'}, "leaves out the probability of a model"),
        ({"probabilities": "half"}, "no object of models"),
        ({"probabilities": {"large": 0.5, "small": 0.5}, "propensity": 0.4}, "another than that of the model"),
        ({"eligible": "small"}, "not among the eligible"),
        ({"eligible": 7}, "no list of names"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(cells, reason):
    with pytest.raises(ValueError, match=reason):
        read(SMALLEST | cells)


def test_how_a_model_was_drawn_is_read_from_objects_and_from_text():
    drawn = {"large": 0.75, "small": 0.25}
    for cell in (drawn, '{"large": 0.75, "small": 0.25}'):
        call = read(SMALLEST | {"kind": "sampled", "probabilities": cell})
        assert (call.kind, call.probabilities, call.propensity) == (Kind.SAMPLED, drawn, 0.75)
    for names in (["large", "small"], '["large", "small"]', "large, small", "large|small"):
        assert read(SMALLEST | {"eligible": names}).eligible == ("large", "small")


@pytest.mark.parametrize("kind", [Kind.FORCED, Kind.FALLBACK, Kind.DEGRADED])
def test_what_was_not_drawn_need_not_be_among_the_drawn_and_gets_no_propensity(kind):
    call = read(SMALLEST | {"kind": kind.name, "probabilities": {"small": 1.0}, "eligible": "small"})
    assert (call.model, call.kind, call.propensity) == ("large", kind, None)
    assert read(SMALLEST | {"kind": kind.name, "probabilities": {"large": 1.0}}).propensity is None


@pytest.mark.parametrize(
    "cells",
    [
        {"time": "2026-01-01T00:00:00.25Z"},
        {"time": "2026-01-01 01:00:00.250000+01:00"},
        {"time": "2026-01-01 00:00:00.250"},
        {"time_s": "1767225600.25"},
        {"time_ms": 1_767_225_600_250},
        {"time_us": 1_767_225_600_250_000},
    ],
)
def test_times_are_read_as_logs_write_them(cells):
    assert read(SMALLEST | cells).time_us == 1_767_225_600_250_000


def test_the_last_time_that_is_read_is_the_beginning_of_2200():
    for cells in ({"time": "2200-01-01"}, {"time_s": 7_258_118_400}, {"time_us": "7258118400000000"}):
        assert read(SMALLEST | cells).time_us == 7_258_118_400_000_000


def test_times_in_integers_are_exact():
    assert read(SMALLEST | {"time_us": "1767225600250001"}).time_us == 1_767_225_600_250_001
    assert read(SMALLEST | {"time_us": 1_767_225_600_250_001}).time_us == 1_767_225_600_250_001


@pytest.mark.parametrize(
    ("source", "quality"), [("any", 0.5), ("thumb", 1.0), ("score:tone", 0.25), ("score:other", None)]
)
def test_the_source_of_quality_is_chosen(source, quality):
    row = {"category": "chat", "model": "large", "thumb": "up", "score:tone": 0.25, "quality": "0.25"}
    assert read(row, source).quality == quality
