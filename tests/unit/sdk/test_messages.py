"""Values become messages of the contract, and back, and nothing gets lost."""

from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

import routeward
from routeward import (
    Constraints,
    Decision,
    DecisionKind,
    Feedback,
    FeedbackResult,
    Forecast,
    Objective,
    OnInfeasible,
    Outcome,
    Retract,
    RouteReason,
    Score,
    Signal,
    SignalStatus,
    Status,
    Thumb,
    messages,
)
from routeward.base import batch_results
from routeward.decisions import RouteOptions
from routeward.errors import InvalidFieldError, ServerError
from routeward.v1 import routing_service_pb2 as pb

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=1)
EVERYTHING = RouteOptions(
    input_tokens=900,
    max_output_tokens=300,
    profile="fast",
    objective=Objective(answer_value_usd=0.2, second_value_usd=0.01),
    constraints=Constraints(
        models=["a", "b"],
        capabilities=["tools"],
        region="eu",
        max_cost_usd=0.5,
        max_latency_s=2.5,
        min_quality=0.7,
        on_infeasible=OnInfeasible.LEAST_VIOLATION,
    ),
    model="a",
    previous="d-1",
    cached_input_tokens=100,
    session_id="s",
    request_id="r",
)


def unset(message: Message) -> Iterator[str]:
    """Fields of the contract that are unset, in the message and in those it holds."""
    given = {field.name: value for field, value in message.ListFields()}
    for field in message.DESCRIPTOR.fields:
        if field.name not in given:
            yield field.full_name
        elif field.message_type and field.message_type.file.package == "routeward.v1":
            for held in given[field.name] if field.is_repeated else [given[field.name]]:
                yield from unset(held)


def signal_message(signal: Signal) -> pb.Signal:
    return messages.feedback_request(Feedback("d-1", (signal,)), NOW).signals[0]


def test_every_field_of_a_question_can_be_asked():
    request = messages.route_request("summarization", **EVERYTHING)
    assert list(unset(request)) == []
    assert set(EVERYTHING) == RouteOptions.__optional_keys__
    assert request.constraints.max_latency.ToTimedelta() == timedelta(seconds=2.5)
    assert list(request.constraints.models) == ["a", "b"]


def test_what_is_not_asked_stays_unset():
    assert messages.route_request("summarization") == pb.RouteRequest(category="summarization")


def test_zero_tokens_are_not_unknown_tokens():
    assert messages.route_request("summarization", input_tokens=0).HasField("input_tokens")


def test_a_decision_names_itself_as_the_previous_one():
    previous = Decision(decision_id="d-7", model="a", kind=DecisionKind.SAMPLED)
    assert messages.route_request("chat", previous=previous).previous_decision_id == "d-7"


def test_a_misspelt_option_is_a_type_error():
    with pytest.raises(TypeError, match="input_token"):
        messages.route_request("chat", input_token=3)  # type: ignore[call-arg]


def test_an_answer_is_read_whole():
    response = pb.RouteResponse(
        decision_id="d-1",
        model="a",
        fallbacks=[pb.Fallback(model="b", decision_id="d-2"), pb.Fallback(model="c", decision_id="d-3")],
        propensity=0.625,
        kind=pb.DECISION_KIND_BASELINE,
        forecast=pb.Forecast(quality=0.9, cost_usd=0.01, error_rate=0.02),
        revision=42,
        reason=pb.ROUTE_REASON_CATEGORY_LIMIT,
    )
    response.forecast.latency.FromMilliseconds(1500)
    response.forecast.latency_p95.FromMilliseconds(4000)
    assert list(unset(response)) == []
    assert messages.decision_of(response) == Decision(
        decision_id="d-1",
        model="a",
        kind=DecisionKind.BASELINE,
        propensity=0.625,
        fallbacks=(
            Decision(decision_id="d-2", model="b", kind=DecisionKind.FALLBACK, revision=42),
            Decision(decision_id="d-3", model="c", kind=DecisionKind.FALLBACK, revision=42),
        ),
        forecast=Forecast(quality=0.9, cost_usd=0.01, latency_s=1.5, latency_p95_s=4.0, error_rate=0.02),
        revision=42,
        reason=RouteReason.CATEGORY_LIMIT,
    )


def test_an_answer_without_a_forecast_has_none():
    assert messages.decision_of(pb.RouteResponse(model="a")).forecast is None


@pytest.mark.parametrize(
    ("ours", "contract", "prefix"),
    [
        (DecisionKind, pb.DecisionKind, "DECISION_KIND_"),
        (RouteReason, pb.RouteReason, "ROUTE_REASON_"),
        (SignalStatus, pb.SignalStatus, "SIGNAL_STATUS_"),
        (Status, pb.Status, "STATUS_"),
        (OnInfeasible, pb.OnInfeasible, "ON_INFEASIBLE_"),
    ],
)
def test_enums_have_the_names_and_numbers_of_the_contract(ours, contract, prefix):
    named = {prefix + member.name: int(member) for member in ours}
    assert named | {f"{prefix}UNSPECIFIED": 0} == dict(contract.items())


def test_answers_of_a_newer_server_are_read_as_unspecified():
    decision = messages.decision_of(pb.RouteResponse.FromString(b"\x12\x01a\x28\x63\x40\x63"))
    assert (decision.kind, decision.reason) == (DecisionKind.UNSPECIFIED, RouteReason.UNSPECIFIED)
    with pytest.raises(ValueError, match="up"):
        SignalStatus("up")  # type: ignore[arg-type]


def test_every_field_of_an_outcome_can_be_reported():
    outcome = Outcome(
        Status.OK,
        latency_s=1.25,
        time_to_first_token_s=0.25,
        input_tokens=900,
        cached_input_tokens=0,
        output_tokens=120,
        cost_usd=0.004,
        observed_time=EARLIER,
    )
    message = signal_message(outcome)
    assert list(unset(message.outcome)) == []
    assert message.outcome.latency.ToTimedelta() == timedelta(seconds=1.25)
    assert message.observed_time.ToDatetime(UTC) == EARLIER
    assert {field.name for field in fields(Outcome)} - {"observed_time"} == {
        f"{field.name}_s" if field.message_type else field.name for field in pb.Outcome.DESCRIPTOR.fields
    }


@pytest.mark.parametrize(
    ("signal", "message"),
    [
        (routeward.thumbs_up(), pb.Signal(thumb=pb.THUMB_UP)),
        (routeward.thumbs_down(), pb.Signal(thumb=pb.THUMB_DOWN)),
        (Score("judge", 0.0), pb.Signal(score=pb.Score(name="judge", value=0.0))),
        (Retract("thumb"), pb.Signal(retract=pb.Retract(signal="thumb"))),
        (Outcome(Status.CANCELLED), pb.Signal(outcome=pb.Outcome(status=pb.STATUS_CANCELLED))),
    ],
)
def test_a_signal_without_a_time_was_observed_now(signal, message):
    message.observed_time.FromDatetime(NOW)
    assert signal_message(signal) == message


def test_a_report_names_the_decision_and_the_rater():
    decision = Decision(decision_id="d-7", model="a", kind=DecisionKind.SAMPLED)
    request = messages.feedback_request(Feedback(decision, (Thumb(up=True),), "anna-17"), NOW)
    assert (request.decision_id, request.rater, len(request.signals)) == ("d-7", "anna-17", 1)


@pytest.mark.parametrize(
    ("signal", "field"),
    [
        (Outcome(Status.OK, latency_s=float("nan")), "latency"),
        (Outcome(Status.OK, time_to_first_token_s=float("inf")), "time_to_first_token"),
        (Outcome(Status.OK, latency_s=1e300), "latency"),
        (Outcome(Status.OK, input_tokens=2**63), "input_tokens"),
        (Outcome(Status.OK, output_tokens=1.5), "output_tokens"),  # type: ignore[arg-type]
        (Outcome(Status.OK, cost_usd="0.1"), "cost_usd"),  # type: ignore[arg-type]
        (Score("\ud800", 0.5), "name"),
        (Thumb(up=True, observed_time=datetime(2026, 3, 1)), "observed_time"),  # noqa: DTZ001
    ],
)
def test_a_value_that_its_field_cannot_hold_is_refused_by_name(signal, field):
    with pytest.raises(InvalidFieldError, match=field) as refused:
        signal_message(signal)
    assert refused.value.violations[0].field == field
    assert refused.value.reason == "INVALID_FIELD"


def test_a_batch_is_split_at_a_thousand_items_and_keeps_its_order():
    requests = [pb.FeedbackRequest(decision_id=str(number)) for number in range(2500)]
    batches = list(messages.batches(requests))
    assert [len(batch.items) for batch in batches] == [1000, 1000, 500]
    assert [item for batch in batches for item in batch.items] == requests


def test_a_batch_is_split_before_a_message_is_larger_than_a_server_reads():
    requests = [pb.FeedbackRequest(decision_id="d" * 400, rater="r" * 64) for _ in range(1000)]
    batches = list(messages.batches(requests))
    assert max(batch.ByteSize() for batch in batches) <= 256 * 1024
    assert [len(batch.items) for batch in batches][:-1] == [len(batches[0].items)] * (len(batches) - 1)
    assert len(batches) == 2


def test_an_item_that_the_server_says_nothing_of_is_not_taken_for_stored():
    items = [Feedback("d-1", (routeward.thumbs_up(),)), Feedback("d-2", (routeward.thumbs_up(),))]
    answered = pb.FeedbackBatchResult(response=pb.FeedbackResponse(revision=3))
    assert batch_results(items, [answered])[0] == FeedbackResult((), 3)
    for answers in ([answered], [answered, pb.FeedbackBatchResult()]):
        assert isinstance(batch_results(items, answers)[1], ServerError)


def test_a_batch_of_nothing_sends_nothing():
    assert list(messages.batches([])) == []


def test_one_item_that_is_too_large_is_left_to_the_server_to_refuse():
    huge = pb.FeedbackRequest(decision_id="d" * 300_000)
    assert [len(batch.items) for batch in messages.batches([huge, huge])] == [1, 1]


def test_a_degraded_previous_decision_holds_no_cache():
    previous = Decision(decision_id="", model="a", kind=DecisionKind.DEGRADED)
    request = messages.route_request("chat", input_tokens=100, previous=previous, cached_input_tokens=50)
    assert not request.HasField("cached_input_tokens")


@pytest.mark.parametrize(
    "answer",
    [
        pb.RouteResponse(),
        pb.RouteResponse(model="a", forecast=pb.Forecast(latency=Duration(seconds=2**62))),
    ],
    ids=["nothing", "an age of the universe"],
)
def test_an_answer_that_no_router_gives_is_a_typed_error(answer):
    with pytest.raises(ServerError):
        messages.decision_of(answer)
