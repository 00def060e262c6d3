"""What a program that uses the client writes; mypy checks it strictly, nothing runs it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import assert_type

from routeward import (
    NO_RETRY,
    AsyncClient,
    Call,
    Client,
    Constraints,
    Decision,
    DecisionKind,
    Explanation,
    Feedback,
    FeedbackResult,
    Forecast,
    Objective,
    OnInfeasible,
    Outcome,
    Retract,
    RetryPolicy,
    RouteReason,
    RoutewardError,
    Score,
    SignalStatus,
    Status,
    thumbs_down,
    thumbs_up,
)
from routeward.errors import NoEligibleModelError, Violation
from routeward.explanations import ModelTerms
from routeward.testing import FakeRouter, ManualClock


def synchronous() -> str:
    with Client("127.0.0.1:7443", api_key="k", fallback={"code": ["a", "b"], "default": "c"}) as client:
        decision = client.route(
            "code",
            input_tokens=900,
            max_output_tokens=None,
            objective=Objective(answer_value_usd=0.2),
            constraints=Constraints(models=("a",), max_latency_s=2, on_infeasible=OnInfeasible.LEAST_VIOLATION),
            previous="d-1",
            timeout=0.5,
        )
        assert_type(decision, Decision)
        assert_type(decision.fallbacks, tuple[Decision, ...])
        assert_type(decision.kind, DecisionKind)
        assert_type(decision.forecast, Forecast | None)
        assert_type(decision.reason, RouteReason)
        why = client.explain(decision)
        assert_type(why, Explanation)
        assert_type(why.models[0].terms, ModelTerms | None)
        assert_type(client.explain_call("code", model="a", timeout=1.0), Explanation)
        result = client.feedback(decision, thumbs_down(), Score("judge", 0.5), Retract("thumb"), rater="r")
        assert_type(result, FeedbackResult)
        assert_type(result.results[0].status, SignalStatus)
        seen = Outcome(Status.OK, latency_s=1, observed_time=datetime.now(UTC))
        batch = client.feedback_batch(Feedback(decision, (seen,)) for _ in range(3))
        assert_type(batch, tuple[FeedbackResult | RoutewardError, ...])
        with client.call("code", session_id="s") as call:
            assert_type(call, Call)
            answer = call.model
            call.tokens(input=1, output=2)
        for attempt in client.attempts("code", on=(TimeoutError, OSError)):
            with attempt as call:
                answer = call.model
        return answer


async def asynchronous() -> str:
    async with AsyncClient(retry=RetryPolicy(max_attempts=2), route_timeout=0.2) as client:
        assert_type(await client.route("code", model="a"), Decision)
        assert_type(await client.explain("d-1"), Explanation)
        assert_type(await client.explain_call("code", input_tokens=5), Explanation)
        assert_type(await client.feedback("d-1", thumbs_up()), FeedbackResult)
        assert_type(await client.feedback_batch([]), tuple[FeedbackResult | RoutewardError, ...])
        async with client.call("code") as call:
            call.first_token()
        async for attempt in client.attempts("code"):
            async with attempt as call:
                assert_type(call.decision, Decision)
        return call.model


def failures(client: Client) -> Sequence[Violation]:
    try:
        client.route("code")
    except NoEligibleModelError as error:
        assert_type(error.metadata, dict[str, str])
        assert_type(error.retry_after_s, float | None)
        return error.violations
    return ()


def mistakes(client: Client) -> None:
    client.route("code", input_token=1)  # type: ignore[call-arg]
    client.route("code", input_tokens="many")  # type: ignore[arg-type]
    client.explain_call("code", input_token=1)  # type: ignore[call-arg]
    client.feedback("d-1", "up")  # type: ignore[arg-type]
    client.attempts("code", on=KeyboardInterrupt)  # type: ignore[arg-type]
    Outcome(Status.OK, 1.5)  # type: ignore[call-arg]
    Client(timeout=3)  # type: ignore[call-arg]


def in_tests() -> None:
    clock = ManualClock()
    with FakeRouter({"code": ["a", "b"]}, clock=clock) as router, Client(router.target, retry=NO_RETRY) as client:
        with router.failing(NoEligibleModelError, method="Route", times=1):
            client.route("code")
        assert router.signals("d-1") == {}
