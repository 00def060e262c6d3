"""Every field of the contract is read, every rule of it is checked, and every violation is named."""

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from bandit.signals import SCALE, Outcome, Score, Status, Thumb
from routeward.v1 import admin_service_pb2 as admin_pb
from routeward.v1 import routing_service_pb2 as pb
from server.converters import call_of, posterior_question_of, report_of, reports_of
from server.errors import InvalidFieldError
from server.requests import Call, Constraints, Observation

NOW_US = 1_700_000_000_000_000
DAY_S = 86_400

FULL_CALL = pb.RouteRequest(
    category="chat",
    request_id="r-1",
    input_tokens=1000,
    max_output_tokens=200,
    profile="frugal",
    objective=pb.Objective(answer_value_usd=0.5, second_value_usd=0.25),
    constraints=pb.Constraints(
        models=["a", "b"],
        capabilities=["tools"],
        region="eu",
        max_cost_usd=0.01,
        max_latency=Duration(seconds=1, nanos=500_000_000),
        min_quality=0.7,
        on_infeasible=pb.ON_INFEASIBLE_LEAST_VIOLATION,
    ),
    model="a",
    previous_decision_id="token",
    cached_input_tokens=900,
    session_id="s-1",
)
FULL_OUTCOME = pb.Outcome(
    status=pb.STATUS_TIMEOUT,
    latency=Duration(seconds=2),
    time_to_first_token=Duration(nanos=5000),
    input_tokens=10,
    cached_input_tokens=3,
    output_tokens=20,
    cost_usd=0.25,
)
FULL_REPORT = pb.FeedbackRequest(
    decision_id="token",
    signals=[
        pb.Signal(observed_time=Timestamp(seconds=1_600_000_000, nanos=7_000), outcome=FULL_OUTCOME),
        pb.Signal(thumb=pb.THUMB_DOWN),
        pb.Signal(score=pb.Score(name="judge", value=0.5)),
        pb.Signal(retract=pb.Retract(signal="score:old")),
    ],
    rater="user-7",
)


def call(**changes):
    return pb.RouteRequest(**{"category": "chat"} | changes)


def report(*signals, **changes):
    return pb.FeedbackRequest(**{"decision_id": "token", "signals": signals, "rater": ""} | changes)


def outcome(**changes):
    return report(pb.Signal(outcome=pb.Outcome(**{"status": pb.STATUS_OK} | changes)))


def score(name, value):
    return report(pb.Signal(score=pb.Score(name=name, value=value)))


def unknown_enum(message: Message, field: str) -> Any:
    """A message with a number that the enumeration of this field does not have."""
    setattr(message, field, 99)
    return message


def violated(convert, *arguments) -> list[str]:
    with pytest.raises(InvalidFieldError) as refused:
        convert(*arguments)
    return [field for field, _ in refused.value.violations]


def is_ours(field: Any) -> bool:
    """Whether a field holds a message of our contract."""
    return bool(field.message_type and field.message_type.file.package == "routeward.v1")


def without_each_field(message: Message) -> Iterator[tuple[str, Message]]:
    """Copies of a message that lack one of its fields, at every depth."""
    for field, value in message.ListFields():
        copy = type(message)()
        copy.CopyFrom(message)
        copy.ClearField(field.name)
        yield field.name, copy
        if is_ours(field):
            parts = enumerate(value) if field.is_repeated else [(None, value)]
            for index, part in parts:
                for name, changed in without_each_field(part):
                    copy = type(message)()
                    copy.CopyFrom(message)
                    target = getattr(copy, field.name)
                    (target if index is None else target[index]).CopyFrom(changed)
                    yield f"{field.name}.{name}", copy


def unset_fields(message: Message) -> Iterator[str]:
    """Fields of our own messages that an example leaves out."""
    given = {field.name for field, _ in message.ListFields()}
    for field in message.DESCRIPTOR.fields:
        alternatives = field.containing_oneof.fields if field.containing_oneof else ()
        if field.name not in given and len(alternatives) < 2:
            yield f"{message.DESCRIPTOR.name}.{field.name}"
        elif field.name in given and not field.is_repeated and is_ours(field):
            yield from unset_fields(getattr(message, field.name))


def result_of(convert, *arguments):
    try:
        return convert(*arguments)
    except InvalidFieldError as error:
        return error.violations


def test_the_examples_set_every_field():
    assert [*unset_fields(FULL_CALL), *unset_fields(FULL_REPORT), *unset_fields(FULL_OUTCOME)] == []


@pytest.mark.parametrize("message", [pytest.param(one, id=name) for name, one in without_each_field(FULL_CALL)])
def test_every_field_of_a_route_request_matters(message):
    assert result_of(call_of, message) != result_of(call_of, FULL_CALL)


@pytest.mark.parametrize("message", [pytest.param(one, id=name) for name, one in without_each_field(FULL_REPORT)])
def test_every_field_of_a_feedback_request_matters(message):
    assert result_of(report_of, message, NOW_US) != result_of(report_of, FULL_REPORT, NOW_US)


def test_a_full_call_reads_as_what_it_says():
    assert call_of(FULL_CALL) == Call(
        category="chat",
        request_id="r-1",
        input_tokens=1000,
        max_output_tokens=200,
        profile="frugal",
        answer_value_usd=0.5,
        second_value_usd=0.25,
        constraints=Constraints(
            models=frozenset({"a", "b"}),
            capabilities=frozenset({"tools"}),
            region="eu",
            max_cost_usd=0.01,
            max_latency_s=1.5,
            min_quality=0.7,
            least_violation=True,
        ),
        model="a",
        previous_decision_id="token",
        cached_input_tokens=900,
        session_id="s-1",
    )


def test_the_smallest_call_reads_as_unknown_and_unlimited():
    assert call_of(call()) == Call("chat")


def test_zero_is_a_value_and_not_absence():
    message = call(input_tokens=0, objective=pb.Objective(answer_value_usd=0.0))
    assert call_of(message) == Call("chat", input_tokens=0, answer_value_usd=0.0)


def test_a_full_report_reads_as_what_it_says():
    converted = report_of(FULL_REPORT, NOW_US)
    full = Outcome(Status.TIMEOUT, 2_000_000, 5, 10, 3, 20, 250_000_000)
    assert converted.observations == (
        Observation("outcome", full, 1_600_000_000_000_007),
        Observation("thumb", Thumb(up=False), None),
        Observation("score:judge", Score("judge", SCALE // 2), None),
        Observation("score:old", None, None),
    )
    assert (converted.decision_id, converted.rater) == ("token", "user-7")


def test_what_an_outcome_does_not_say_stays_unknown():
    fact = report_of(outcome(), NOW_US).observations[0].fact
    assert fact == Outcome(Status.OK)


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        (pb.RouteRequest(), ["category"]),
        (call(category=""), ["category"]),
        (call(category="-chat"), ["category"]),
        (call(category="chat\n"), ["category"]),
        (call(category="c" * 65), ["category"]),
        (call(category="schön"), ["category"]),
        (call(request_id="r" * 129), ["request_id"]),
        (call(request_id="r\0"), ["request_id"]),
        (call(input_tokens=-1), ["input_tokens"]),
        (call(input_tokens=100_000_001), ["input_tokens"]),
        (call(max_output_tokens=0), ["max_output_tokens"]),
        (call(profile="no profile"), ["profile"]),
        (call(objective=pb.Objective(answer_value_usd=-0.01)), ["objective.answer_value_usd"]),
        (call(objective=pb.Objective(second_value_usd=float("nan"))), ["objective.second_value_usd"]),
        (call(objective=pb.Objective(answer_value_usd=float("inf"))), ["objective.answer_value_usd"]),
        (call(constraints=pb.Constraints(models=["m"] * 65)), ["constraints.models"]),
        (call(constraints=pb.Constraints(models=["a", ""])), ["constraints.models[1]"]),
        (call(constraints=pb.Constraints(capabilities=["c"] * 17)), ["constraints.capabilities"]),
        (call(constraints=pb.Constraints(capabilities=["\u202e"])), ["constraints.capabilities[0]"]),
        (call(constraints=pb.Constraints(region="?")), ["constraints.region"]),
        (call(constraints=pb.Constraints(max_cost_usd=float("-inf"))), ["constraints.max_cost_usd"]),
        (call(constraints=pb.Constraints(max_latency=Duration(seconds=-1))), ["constraints.max_latency"]),
        (call(constraints=pb.Constraints(max_latency=Duration())), ["constraints.max_latency"]),
        (call(constraints=pb.Constraints(max_latency=Duration(nanos=-1))), ["constraints.max_latency"]),
        (
            call(constraints=pb.Constraints(max_latency=Duration(seconds=7 * DAY_S, nanos=1))),
            ["constraints.max_latency"],
        ),
        (call(constraints=pb.Constraints(max_latency=Duration(seconds=2**62))), ["constraints.max_latency"]),
        (call(constraints=pb.Constraints(min_quality=1.01)), ["constraints.min_quality"]),
        (call(constraints=unknown_enum(pb.Constraints(), "on_infeasible")), ["constraints.on_infeasible"]),
        (call(model="a b"), ["model"]),
        (call(previous_decision_id="x" * 401), ["previous_decision_id"]),
        (call(cached_input_tokens=1), ["cached_input_tokens"]),
        (call(previous_decision_id="t", input_tokens=5, cached_input_tokens=6), ["cached_input_tokens"]),
        (call(previous_decision_id="t", cached_input_tokens=-1), ["cached_input_tokens"]),
        (call(session_id="s" * 129), ["session_id"]),
    ],
)
def test_a_call_that_breaks_a_rule_is_refused_with_the_field(message, fields):
    assert violated(call_of, message) == fields


def test_all_violations_are_named_at_once():
    message = call(category="!", input_tokens=-1, constraints=pb.Constraints(min_quality=-1.0))
    assert sorted(violated(call_of, message)) == ["category", "constraints.min_quality", "input_tokens"]


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        (report(pb.Signal(thumb=pb.THUMB_UP), decision_id=""), ["decision_id"]),
        (report(), ["signals"]),
        (report(*[pb.Signal(thumb=pb.THUMB_UP)] * 17), ["signals"]),
        (report(*[pb.Signal(thumb=pb.THUMB_UP)] * 2), ["signals"]),
        (report(pb.Signal()), ["signals[0].fact"]),
        (report(pb.Signal(thumb=pb.THUMB_UNSPECIFIED)), ["signals[0].thumb"]),
        (report(unknown_enum(pb.Signal(), "thumb")), ["signals[0].thumb"]),
        (report(pb.Signal(thumb=pb.THUMB_UP), rater="r" * 65), ["rater"]),
        (report(pb.Signal(thumb=pb.THUMB_UP), rater="a\tb"), ["rater"]),
        (outcome(status=pb.STATUS_UNSPECIFIED), ["signals[0].outcome.status"]),
        (outcome(status=6), ["signals[0].outcome.status"]),
        (outcome(latency=Duration(seconds=-3)), ["signals[0].outcome.latency"]),
        (outcome(latency=Duration(nanos=10**9)), ["signals[0].outcome.latency"]),
        (outcome(time_to_first_token=Duration(seconds=8 * DAY_S)), ["signals[0].outcome.time_to_first_token"]),
        (outcome(input_tokens=-1), ["signals[0].outcome.input_tokens"]),
        (outcome(cached_input_tokens=2**40), ["signals[0].outcome.cached_input_tokens"]),
        (outcome(output_tokens=-(2**63)), ["signals[0].outcome.output_tokens"]),
        (outcome(cost_usd=float("nan")), ["signals[0].outcome.cost_usd"]),
        (outcome(cost_usd=-0.5), ["signals[0].outcome.cost_usd"]),
        (score("judge", float("nan")), ["signals[0].score.value"]),
        (score("judge", 1.0000001), ["signals[0].score.value"]),
        (score("judge", -5e-324), ["signals[0].score.value"]),
        (score("", 0.5), ["signals[0].score.name"]),
        (score("j" * 58, 0.5), ["signals[0].score.name"]),
        (score("who?", 0.5), ["signals[0].score.name"]),
        (report(pb.Signal(retract=pb.Retract(signal="mood"))), ["signals[0].retract.signal"]),
        (report(pb.Signal(retract=pb.Retract(signal="score:"))), ["signals[0].retract.signal"]),
        (report(pb.Signal(retract=pb.Retract(signal="judge"))), ["signals[0].retract.signal"]),
    ],
)
def test_a_report_that_breaks_a_rule_is_refused_with_the_field(message, fields):
    assert violated(report_of, message, NOW_US) == fields


@pytest.mark.parametrize("seconds", [-1, 1_700_000_000 + DAY_S + 1, 2**50])
def test_an_observation_outside_of_time_is_refused(seconds):
    signal = pb.Signal(thumb=pb.THUMB_UP, observed_time=Timestamp(seconds=seconds))
    assert violated(report_of, report(signal), NOW_US) == ["signals[0].observed_time"]


def test_a_client_whose_clock_is_hours_ahead_is_heard():
    signal = pb.Signal(thumb=pb.THUMB_UP, observed_time=Timestamp(seconds=1_700_000_000 + 3 * 3600))
    assert report_of(report(signal), NOW_US).observations[0].observed_us == NOW_US + 3 * 3600 * 10**6


def test_extremes_of_every_range_are_accepted():
    assert report_of(outcome(latency=Duration(seconds=7 * DAY_S), cost_usd=1e6, input_tokens=10**8), NOW_US)
    assert report_of(score("j" * 57, 1.0), NOW_US).observations[0].fact == Score("j" * 57, SCALE)
    assert call_of(call(category="c" * 64, constraints=pb.Constraints(models=["m"] * 64, min_quality=1.0)))


def test_a_bad_item_of_a_batch_is_refused_alone_and_named_by_its_place():
    good = report(pb.Signal(thumb=pb.THUMB_UP))
    first, second, third = reports_of(pb.FeedbackBatchRequest(items=[good, score("?", 2.0), good]), NOW_US)
    assert first == third
    assert isinstance(second, InvalidFieldError)
    assert [field for field, _ in second.violations] == [
        "items[1].signals[0].score.name",
        "items[1].signals[0].score.value",
    ]


@pytest.mark.parametrize("count", [0, 1001])
def test_a_batch_of_no_or_too_many_items_is_refused(count):
    assert violated(reports_of, pb.FeedbackBatchRequest(items=[pb.FeedbackRequest()] * count), NOW_US) == ["items"]


def test_what_to_show_of_the_posterior_is_read_and_checked():
    assert posterior_question_of(admin_pb.GetPosteriorRequest(category="chat", profile="p")) == ("chat", "p")
    assert posterior_question_of(admin_pb.GetPosteriorRequest()) == ("", "")
    assert violated(posterior_question_of, admin_pb.GetPosteriorRequest(category="a b", profile="?")) == [
        "category",
        "profile",
    ]
