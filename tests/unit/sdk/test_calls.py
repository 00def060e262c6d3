"""What a measured call reports."""

import asyncio
import concurrent.futures

import grpc
import pytest

from routeward import Call, Decision, DecisionKind, Outcome, Status
from routeward.calls import status_of

DECISION = Decision(decision_id="d-1", model="small", kind=DecisionKind.SAMPLED)


class HTTPError(Exception):
    def __init__(self, **facts: object) -> None:
        super().__init__("HTTP")
        vars(self).update(facts)


class ReadTimeout(Exception):  # noqa: N818
    pass


class SlowModelTimeout(ReadTimeout):
    pass


class RateLimitError(Exception):
    pass


class Response:
    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


class RudeError(Exception):
    @property
    def response(self) -> Response:
        raise RuntimeError("no response yet")


def rpc_error(code: grpc.StatusCode) -> grpc.RpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata())


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, Status.OK),
        (ValueError("x"), Status.ERROR),
        (TimeoutError(), Status.TIMEOUT),
        (concurrent.futures.TimeoutError(), Status.TIMEOUT),
        (ReadTimeout(), Status.TIMEOUT),
        (SlowModelTimeout(), Status.TIMEOUT),
        (HTTPError(status_code=408), Status.TIMEOUT),
        (HTTPError(status_code=504), Status.TIMEOUT),
        (HTTPError(status_code=429), Status.RATE_LIMITED),
        (HTTPError(status_code=500), Status.ERROR),
        (HTTPError(status_code=[1]), Status.ERROR),
        (HTTPError(response=Response(429)), Status.RATE_LIMITED),
        (HTTPError(response=None), Status.ERROR),
        (RateLimitError(), Status.RATE_LIMITED),
        (rpc_error(grpc.StatusCode.DEADLINE_EXCEEDED), Status.TIMEOUT),
        (rpc_error(grpc.StatusCode.RESOURCE_EXHAUSTED), Status.RATE_LIMITED),
        (rpc_error(grpc.StatusCode.CANCELLED), Status.CANCELLED),
        (rpc_error(grpc.StatusCode.INTERNAL), Status.ERROR),
        (concurrent.futures.CancelledError(), Status.CANCELLED),
        (asyncio.CancelledError(), Status.CANCELLED),
        (KeyboardInterrupt(), Status.CANCELLED),
        (SystemExit(), Status.CANCELLED),
        (GeneratorExit(), Status.CANCELLED),
        (RudeError(), Status.ERROR),
    ],
)
def test_an_exception_stands_for_a_status(error, status):
    assert status_of(error) is status


def test_what_is_not_told_stays_unknown(clock):
    call = Call(DECISION, clock)
    clock.passes(1.5)
    assert call.end(None) == Outcome(Status.OK, latency_s=1.5, observed_time=clock.now())
    assert call.outcome == call.end(None)


def test_everything_that_is_told_is_reported(clock):
    call = Call(DECISION, clock)
    call.tokens(input=905, cached_input=0)
    clock.passes(0.25)
    call.first_token()
    clock.passes(1)
    call.first_token()
    call.tokens(output=120)
    call.cost(0.004)
    assert call.end(TimeoutError()) == Outcome(
        Status.TIMEOUT,
        latency_s=1.25,
        time_to_first_token_s=0.25,
        input_tokens=905,
        cached_input_tokens=0,
        output_tokens=120,
        cost_usd=0.004,
        observed_time=clock.now(),
    )


def test_the_caller_knows_the_status_better_than_the_exception(clock):
    call = Call(DECISION, clock)
    call.status(Status.RATE_LIMITED)
    assert call.end(ValueError()).status is Status.RATE_LIMITED


def test_time_before_the_start_does_not_count(clock):
    call = Call(DECISION, clock)
    clock.passes(9)
    call.start()
    clock.passes(1)
    assert call.end(None).latency_s == 1


@pytest.mark.parametrize("status", Status)
def test_a_call_is_settled_when_it_was_answered_or_given_up(clock, status):
    call = Call(DECISION, clock)
    assert not call.settled
    call.status(status)
    call.end(None)
    assert call.settled is (status in {Status.OK, Status.CANCELLED})
