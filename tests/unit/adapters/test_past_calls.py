"""Rows of logs: what is read of them, and what is refused for which reason."""

import math

import pytest

from adapters.traffic.past_calls import PastCall, past_call
from adapters.traffic.rows import BROKEN
from bandit.signals import Status

SMALLEST = {"category": "chat", "model": "large", "quality": 0.5}


def test_a_row_of_text_and_one_of_numbers_say_the_same():
    said = {"quality": 0.5, "latency_s": 1.5, "output_tokens": 80, "status": "ok"}
    call = PastCall("chat", "large", 0.5, 1.5, 80, Status.OK)
    assert past_call({"category": "chat", "model": "large", **said}) == call
    assert past_call({"category": " chat ", "model": "large"} | {name: str(one) for name, one in said.items()}) == call


def test_what_is_unknown_is_missing():
    cells = dict.fromkeys(("latency_ms", "output_tokens", "status", "cost_usd"), "")
    assert past_call(SMALLEST | cells) == PastCall("chat", "large", 0.5, None, None, None)
    assert past_call(SMALLEST | {"latency_s": math.nan, "output_tokens": None, "error": "NULL"}).latency_s is None


def test_latency_may_be_in_milliseconds():
    assert past_call(SMALLEST | {"latency_ms": 250}).latency_s == 0.25
    assert past_call(SMALLEST | {"latency_ms": 250, "latency_s": 3}).latency_s == 3


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
    assert past_call(SMALLEST | cells).status == status


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
        ({"quality": None, "cost_usd": 0.1}, "nothing is known of how the call went"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(cells, reason):
    with pytest.raises(ValueError, match=reason):
        past_call(SMALLEST | cells)


def test_a_row_that_could_not_be_read_says_so():
    with pytest.raises(ValueError, match="not a row"):
        past_call(BROKEN)
