"""What a status teaches, cell by cell of the table in DESIGN."""

import math

import pytest

from bandit.evidence import events_of
from bandit.signals import SCALE, DecisionFacts, Fact, Kind, Outcome, Score, Status, Thumb

EVERYTHING = {
    "latency_us": 2_000_000,
    "time_to_first_token_us": 500_000,
    "input_tokens": 150,
    "output_tokens": 80,
}


def taught(fact: Fact | None, kind: Kind = Kind.SAMPLED, input_tokens: int | None = 100) -> dict[str, float]:
    decision = DecisionFacts("chat", "large", kind, 7, input_tokens)
    events = events_of(decision, fact)
    assert {(event.category, event.model, event.time_us, event.n) for event in events} <= {("chat", "large", 7, 1)}
    return {event.signal + event.source * (event.signal == "quality"): event.y / SCALE for event in events}


ALL_OF_IT = {
    "error": 0.0,
    "latency": math.log(2.0),
    "first_token": math.log(0.5),
    "output_tokens": math.log(80),
    "input_ratio": math.log(1.5),
}


def only(*names: str, error: float = 1.0) -> dict[str, float]:
    return {name: error if name == "error" else ALL_OF_IT[name] for name in names}


@pytest.mark.parametrize(
    ("status", "billed", "expected"),
    [
        (Status.OK, None, ALL_OF_IT),
        (Status.TIMEOUT, None, only("error", "latency")),
        (Status.ERROR, None, only("error")),
        (Status.ERROR, 5, only("error", "output_tokens", "input_ratio")),
        (Status.RATE_LIMITED, 5, only("error")),
        (Status.CANCELLED, None, only("first_token", "output_tokens", "input_ratio")),
    ],
)
def test_each_status_teaches_what_the_table_says(status, billed, expected):
    outcome = Outcome(status, **EVERYTHING, cost_nano_usd=billed)
    assert taught(outcome) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("status", Status)
def test_what_is_unknown_teaches_nothing(status):
    assert set(taught(Outcome(status))) <= {"error"}


def test_the_ratio_of_input_tokens_needs_the_request_to_have_said_them():
    outcome = Outcome(Status.OK, input_tokens=150)
    assert "input_ratio" not in taught(outcome, input_tokens=None)
    assert "input_ratio" not in taught(outcome, input_tokens=0)


def test_a_cancelled_call_is_no_error():
    assert "error" not in taught(Outcome(Status.CANCELLED))


def test_thumbs_and_scores_teach_quality_under_their_own_source():
    assert taught(Thumb(up=True)) == {"qualitythumb": 1.0}
    assert taught(Thumb(up=False)) == {"qualitythumb": 0.0}
    assert taught(Score("judge", SCALE // 4)) == {"qualityscore:judge": 0.25}


def test_a_forced_decision_teaches_how_the_model_runs_but_not_its_quality():
    assert taught(Thumb(up=True), Kind.FORCED) == {}
    assert taught(Outcome(Status.OK, **EVERYTHING), Kind.FORCED) == pytest.approx(ALL_OF_IT, abs=1e-6)


def test_a_fallback_teaches_like_any_decision():
    assert taught(Thumb(up=True), Kind.FALLBACK) == {"qualitythumb": 1.0}


def test_a_retraction_teaches_nothing():
    assert taught(None) == {}


@pytest.mark.parametrize(("latency_us", "seconds"), [(0, 1e-3), (1, 1e-3), (10**13, 3600.0)])
def test_latencies_beyond_measure_are_clipped(latency_us, seconds):
    assert taught(Outcome(Status.OK, latency_us))["latency"] == pytest.approx(math.log(seconds), abs=1e-6)
