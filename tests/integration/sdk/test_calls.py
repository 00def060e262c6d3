"""Calls that both clients measure and report."""

from collections.abc import Iterator
from contextlib import AbstractContextManager

import grpc
import pytest

from routeward import Call, Outcome, Status, errors, thumbs_up
from routeward.v1.routing_service_pb2 import RouteRequest
from routeward.v1.routing_service_pb2_grpc import RoutingServiceStub


class RateLimitError(Exception):
    pass


def fail_at_each(attempts: Iterator[AbstractContextManager[Call]], failures: list[Exception]) -> None:
    for attempt, failure in zip(attempts, failures, strict=True):
        with attempt:
            raise failure


def test_a_call_that_succeeds_is_reported_with_what_was_measured(make_client, router, clock):
    client = make_client(clock=clock)
    with client.call("summarization", input_tokens=900) as call:
        clock.passes(0.25)
        call.first_token()
        clock.passes(1)
        call.tokens(input=905, output=120)
        call.cost(0.004)
    client.feedback(call.decision, thumbs_up())
    assert call.model == "small"
    assert router.route_requests[0].input_tokens == 900
    assert set(router.signals(call.decision)) == {"outcome", "thumb"}
    assert router.signals(call.decision)["outcome"] == Outcome(
        Status.OK,
        latency_s=1.25,
        time_to_first_token_s=0.25,
        input_tokens=905,
        output_tokens=120,
        cost_usd=0.004,
        observed_time=clock.now(),
    )


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("no answer"), Status.ERROR),
        (StopIteration(), Status.ERROR),
        (TimeoutError("slow"), Status.TIMEOUT),
        (RateLimitError(), Status.RATE_LIMITED),
    ],
)
def test_an_exception_is_reported_and_raised_unchanged(make_client, router, clock, error, status):
    def failing_model() -> None:
        clock.passes(2)
        raise error

    client = make_client(clock=clock)
    with pytest.raises(type(error)) as raised, client.call("code") as call:
        failing_model()
    assert raised.value is error
    assert router.signals(call.decision)["outcome"] == Outcome(status, latency_s=2, observed_time=clock.now())


def test_a_model_behind_grpc_is_understood(client, router):
    def ask_model() -> None:
        with grpc.insecure_channel(router.target) as channel, router.failing(errors.DeadlineExceededError, times=1):
            RoutingServiceStub(channel).Route(RouteRequest(category="code"), timeout=0.1)

    with pytest.raises(grpc.RpcError), client.call("code") as call:
        ask_model()
    assert router.signals(call.decision)["outcome"].status is Status.TIMEOUT


def test_the_caller_may_say_how_it_went(client, router):
    with client.call("code") as call:
        call.status(Status.RATE_LIMITED)
    assert router.signals(call.decision)["outcome"].status is Status.RATE_LIMITED


REPORT_FAILURES = [errors.StoreUnavailableError, errors.DecisionExpiredError, errors.ServerError]


@pytest.mark.parametrize("kind", REPORT_FAILURES)
def test_a_result_is_not_hidden_by_a_failed_report(client, router, caplog, kind):
    with router.failing(kind, method="Feedback"), client.call("code") as call:
        answer = f"by {call.model}"
    assert answer == "by coder"
    assert "the outcome of a call to coder was not reported" in caplog.text


def test_a_result_is_not_hidden_by_a_figure_that_cannot_be_reported(client, caplog):
    with client.call("code") as call:
        call.tokens(input=2**70)
        call.cost(float("nan"))
    assert call.settled
    assert "input_tokens" in caplog.text


@pytest.mark.parametrize("kind", REPORT_FAILURES)
def test_a_failed_report_is_raised_on_request(make_client, router, kind):
    client = make_client(raise_report_errors=True)
    with router.failing(kind, method="Feedback"), pytest.raises(kind), client.call("code"):
        pass


@pytest.mark.parametrize("raising", [False, True])
def test_an_exception_is_not_hidden_by_a_failed_report(make_client, router, caplog, raising):
    client = make_client(raise_report_errors=raising)
    error = ValueError("no answer")
    with (
        router.failing(errors.StoreUnavailableError, method="Feedback"),
        pytest.raises(ValueError, match="no answer") as raised,
        client.call("code"),
    ):
        raise error
    assert raised.value is error
    assert "was not reported" in caplog.text


def test_without_a_decision_nothing_is_called(client, router):
    called = False
    with router.failing(errors.UnavailableError), pytest.raises(errors.UnavailableError), client.call("code"):
        called = True
    assert not called


def test_a_call_by_the_fallback_reports_nothing(make_client, router):
    client = make_client(fallback="small")
    with router.failing(errors.UnavailableError), client.call("code") as call:
        assert call.model == "small"
    assert router.feedback_requests == ()


def test_the_first_answer_ends_the_attempts(client, router):
    tried = []
    for attempt in client.attempts("summarization", input_tokens=900):
        with attempt as call:
            tried.append(call.model)
    assert tried == ["small"]
    assert len(router.feedback_requests) == 1
    assert router.route_requests[0].input_tokens == 900


def test_each_attempt_has_its_own_decision_and_outcome(client, router):
    decisions = []
    for attempt in client.attempts("summarization"):
        with attempt as call:
            decisions.append(call.decision)
            if call.model == "small":
                raise TimeoutError
            if call.model == "large":
                call.status(Status.RATE_LIMITED)
    client.feedback(call.decision, thumbs_up())
    assert [decision.model for decision in decisions] == ["small", "large", "huge"]
    told = [router.signals(decision) for decision in decisions]
    assert [signals["outcome"].status for signals in told] == [Status.TIMEOUT, Status.RATE_LIMITED, Status.OK]
    assert ["thumb" in signals for signals in told] == [False, False, True]
    assert len(router.route_requests) == 1


def test_the_failure_of_the_last_attempt_is_raised_unchanged(client, router):
    last = TimeoutError("huge")
    with pytest.raises(TimeoutError) as raised:
        fail_at_each(client.attempts("summarization"), [TimeoutError("small"), TimeoutError("large"), last])
    assert raised.value is last
    assert len(router.feedback_requests) == 3


def test_only_the_named_exceptions_pass_to_the_next_model(client, router):
    with pytest.raises(ValueError, match="bug"):
        fail_at_each(
            client.attempts("summarization", on=(TimeoutError, RateLimitError)), [RateLimitError(), ValueError("bug")]
        )
    assert len(router.feedback_requests) == 2


def test_attempts_may_be_left_early(client, router):
    for attempt in client.attempts("summarization"):
        with attempt as call:
            call.status(Status.ERROR)
            break
    assert router.signals(call.decision)["outcome"].status is Status.ERROR
    assert len(router.feedback_requests) == 1


@pytest.mark.parametrize("status", [Status.OK, Status.CANCELLED])
def test_an_exception_that_ends_the_attempts_is_never_swallowed(client, router, status):
    def answer_then_fail() -> None:
        for attempt in client.attempts("summarization"):
            with attempt as call:
                call.status(status)
                raise ValueError("after the answer")

    with pytest.raises(ValueError, match="after the answer"):
        answer_then_fail()
    assert len(router.feedback_requests) == 1
