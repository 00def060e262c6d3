"""The fake server counts and refuses as the real one does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bandit.signals as core
from bandit.records import SignalRecord
from bandit.votes import resolve
from routeward import Feedback, Outcome, Retract, Score, Signal, Status, Thumb, messages
from routeward.testing.rules import feedback_violations, route_violations, signal_name
from routeward.testing.votes import Votes, signal_of
from routeward.v1 import routing_service_pb2 as pb

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DECISION = core.DecisionFacts("chat", "large", core.Kind.SAMPLED, 0)

times = st.integers(0, 3)
tokens = st.none() | st.integers(0, 2)
thumbs = st.builds(Thumb, st.booleans())
scores = st.builds(Score, st.just("judge"), st.sampled_from([0.0, 0.5, 1.0]))
outcomes = st.builds(
    Outcome,
    st.sampled_from(Status),
    latency_s=st.sampled_from([None, 0.0, 1.0]),
    input_tokens=tokens,
    output_tokens=tokens,
    cost_usd=st.sampled_from([None, 0.0, 0.25]),
)


def observed(signal: Signal, second: int) -> Signal:
    return replace(signal, observed_time=EPOCH + timedelta(seconds=second))


def votes_about(facts: st.SearchStrategy[Signal], name: str) -> st.SearchStrategy[list[Signal]]:
    return st.lists(st.builds(observed, facts | st.just(Retract(name)), times), min_size=1, max_size=6)


def fact_of(signal: Signal) -> core.Fact | None:
    match signal:
        case Thumb(up):
            return core.Thumb(up)
        case Score(name, value):
            return core.Score(name, core.to_fixed_point(value))
        case Outcome():
            return core.Outcome(
                core.Status(signal.status),
                None if signal.latency_s is None else round(signal.latency_s * 1e6),
                None,
                signal.input_tokens,
                None,
                signal.output_tokens,
                None if signal.cost_usd is None else round(signal.cost_usd * 1e9),
            )
    return None


def record_of(name: str, signal: Signal) -> SignalRecord:
    assert signal.observed_time is not None
    observed_us = round(signal.observed_time.timestamp() * 1e6)
    return SignalRecord("acme", b"n" * 12, name, fact_of(signal), observed_us, observed_us, DECISION, 1.0)


@given(
    votes_about(thumbs, "thumb") | votes_about(scores, "score:judge") | votes_about(outcomes, "outcome"),
)
def test_it_counts_votes_as_the_core_does(signals):
    request = messages.feedback_request(Feedback("d-1", tuple(signals)), EPOCH)
    votes, stored = Votes(), None
    for message in request.signals:
        name, signal = signal_name(message), signal_of(message, EPOCH)
        resolution = resolve(stored, record_of(name, signal))
        stored = resolution.kept
        assert int(votes.cast(name, signal)) == int(resolution.status)
    kept = votes.counted.get(stored.signal if stored else "")
    assert (fact_of(kept) if kept else None) == (stored.fact if stored else None)


def test_a_signal_without_a_time_was_observed_when_it_arrived():
    arrived = EPOCH + timedelta(days=1)
    assert signal_of(pb.Signal(thumb=pb.THUMB_UP), arrived) == Thumb(up=True, observed_time=arrived)


NAN, INFINITY = float("nan"), float("inf")


def outcome(**values: object) -> pb.Signal:
    return pb.Signal(outcome=pb.Outcome(**{"status": pb.STATUS_OK, **values}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("signals", "field"),
    [
        ([], "signals"),
        ([pb.Signal(thumb=pb.THUMB_UP)] * 17, "signals"),
        ([pb.Signal()], "signals[0]"),
        ([outcome(), outcome()], "signals"),
        ([pb.Signal(thumb=pb.THUMB_UP), pb.Signal(retract=pb.Retract(signal="thumb"))], "signals"),
        ([pb.Signal(thumb=pb.THUMB_UNSPECIFIED)], "signals[0].thumb"),
        ([pb.Signal(thumb=pb.Thumb.ValueType(9))], "signals[0].thumb"),
        ([outcome(status=pb.STATUS_UNSPECIFIED)], "signals[0].outcome.status"),
        ([outcome(cost_usd=NAN)], "signals[0].outcome.cost_usd"),
        ([outcome(cost_usd=INFINITY)], "signals[0].outcome.cost_usd"),
        ([outcome(input_tokens=-1)], "signals[0].outcome.input_tokens"),
        ([outcome(latency=timedelta(seconds=-0.001))], "signals[0].outcome.latency"),
        ([outcome(latency={"seconds": 2**60})], "signals[0].outcome.latency"),
        ([outcome(time_to_first_token=timedelta(days=8))], "signals[0].outcome.time_to_first_token"),
        ([pb.Signal(score=pb.Score(name="judge", value=NAN))], "signals[0].score.value"),
        ([pb.Signal(score=pb.Score(name="judge", value=1.1))], "signals[0].score.value"),
        ([pb.Signal(score=pb.Score(name="two words", value=1))], "signals[0].score.name"),
        ([pb.Signal(retract=pb.Retract(signal="score:"))], "signals[0].retract.signal"),
    ],
)
def test_it_refuses_reports_that_break_a_rule(signals, field):
    request = pb.FeedbackRequest(decision_id="d-1", signals=signals)
    assert field in [violation.field for violation in feedback_violations(request)]


def test_it_refuses_long_names_of_raters():
    request = pb.FeedbackRequest(decision_id="d-1", signals=[outcome()], rater="r" * 65)
    assert [violation.field for violation in feedback_violations(request)] == ["rater"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"category": ""}, "category"),
        ({"category": "-x"}, "category"),
        ({"category": "x" * 65}, "category"),
        ({"input_tokens": -1}, "input_tokens"),
        ({"input_tokens": 5, "cached_input_tokens": 6}, "cached_input_tokens"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"request_id": "r" * 129}, "request_id"),
        ({"objective": {"answer_value_usd": NAN}}, "objective.answer_value_usd"),
        ({"constraints": {"min_quality": 1.5}}, "constraints.min_quality"),
        ({"constraints": {"models": ["m"] * 65}}, "constraints.models"),
        ({"constraints": {"max_latency": {"seconds": -1}}}, "constraints.max_latency"),
        ({"constraints": {"max_latency": {}}}, "constraints.max_latency"),
    ],
)
def test_it_refuses_questions_that_break_a_rule(fields, field):
    request = pb.RouteRequest(**{"category": "chat", **fields})
    assert [violation.field for violation in route_violations(request)] == [field]


def test_it_takes_everything_the_contract_takes():
    asked = pb.RouteRequest(category="a.b:c/d-9", input_tokens=0, max_output_tokens=1, cached_input_tokens=0)
    told = pb.FeedbackRequest(
        decision_id="d-1",
        signals=[
            outcome(latency=timedelta(days=7), cost_usd=1e6, output_tokens=100_000_000),
            pb.Signal(thumb=pb.THUMB_DOWN),
            pb.Signal(score=pb.Score(name="judge", value=1.0)),
            pb.Signal(retract=pb.Retract(signal="score:other")),
        ],
    )
    assert (route_violations(asked), feedback_violations(told)) == ([], [])
