"""What both clients repeat, and what they do when the server cannot be reached."""

import threading
import time

import pytest

from routeward import NO_RETRY, Constraints, DecisionKind, Feedback, FeedbackResult, RetryPolicy, errors, thumbs_up
from routeward.testing import FakeRouter

DEADLINE = errors.DeadlineExceededError


@pytest.mark.parametrize("kind", [errors.UnavailableError, errors.ShuttingDownError, errors.OverloadedError])
@pytest.mark.parametrize("method", ["Route", "Feedback", "FeedbackBatch"])
def test_calls_that_may_succeed_later_are_repeated(make_client, router, kind, method):
    client = make_client(route_timeout=0.5, feedback_timeout=0.5)
    decision = client.route("code")
    attempts = router.attempts
    with router.failing(kind, method=method, times=2):
        client.route("code")
        client.feedback(decision, thumbs_up())
        client.feedback_batch([Feedback(decision, (thumbs_up(),))])
    assert router.attempts - attempts == 3 + 2


@pytest.mark.parametrize("kind", [errors.InvalidFieldError, errors.NoEligibleModelError, errors.ServerError])
def test_calls_that_cannot_succeed_are_not(client, router, kind):
    with router.failing(kind, times=9), pytest.raises(kind):
        client.route("code")
    assert router.attempts == 1


def test_attempts_are_counted_and_the_last_failure_is_raised(make_client, router):
    client = make_client(retry=RetryPolicy(max_attempts=3), route_timeout=0.5)
    with router.failing(errors.ShuttingDownError, times=9), pytest.raises(errors.ShuttingDownError):
        client.route("code")
    assert router.attempts == 3


def test_without_retries_there_is_one_attempt(make_client, router):
    with router.failing(errors.ShuttingDownError, times=9), pytest.raises(errors.ShuttingDownError):
        make_client(retry=NO_RETRY).route("code")
    assert router.attempts == 1


def test_the_server_says_how_long_to_wait(client, router):
    began = time.monotonic()
    with router.failing(errors.OverloadedError, times=1, retry_after_s=0.4):
        client.route("code")
    assert time.monotonic() - began >= 0.4
    assert router.attempts == 2


def test_the_server_may_forbid_to_repeat(client, router):
    with router.failing(errors.OverloadedError), pytest.raises(errors.OverloadedError):
        client.route("code")
    assert router.attempts == 1


def test_retries_stop_while_most_calls_fail(make_client, router):
    client = make_client(retry=RetryPolicy(retry_tokens=4), route_timeout=0.2)
    with router.failing(errors.ShuttingDownError, times=99):
        for _ in range(3):
            with pytest.raises(errors.ShuttingDownError):
                client.route("code")
    assert router.attempts == 2 + 1 + 1


def test_the_timeout_covers_all_attempts(make_client, router):
    client = make_client()
    with router.failing(errors.OverloadedError, times=9, retry_after_s=30), pytest.raises(DEADLINE):
        client.route("code", timeout=0.2)
    assert router.attempts == 1


def test_an_answer_that_never_comes_is_given_up_and_not_repeated(client, router):
    with router.failing(DEADLINE), pytest.raises(DEADLINE, match="longer timeout"):
        client.route("code", timeout=0.2)
    with router.failing(DEADLINE), pytest.raises(DEADLINE):
        client.feedback("fake-1", thumbs_up(), timeout=0.2)
    assert router.attempts == 2


def test_a_restart_of_the_server_is_ridden_out(make_client, router):
    client = make_client(feedback_timeout=20)
    decision = client.route("code")
    router.stop()
    restart = threading.Timer(0.3, router.start)
    restart.start()
    assert client.feedback(decision, thumbs_up()).results[0].status.counted
    restart.join()


def test_with_two_replicas_the_loss_of_one_loses_no_call(make_client, router):
    with FakeRouter("coder") as other:
        client = make_client(f"ipv4:{router.target},{other.target}")
        while not (router.attempts and other.attempts):
            client.route("code")
        router.stop()
        assert [client.route("code").model for _ in range(20)] == ["coder"] * 20


def test_a_server_that_is_not_there_is_an_error_that_says_what_to_do(make_client, router):
    client = make_client(route_timeout=0.2)
    router.stop()
    with pytest.raises(errors.UnavailableError, match="Check that a server runs at the client's target"):
        client.route("code")


@pytest.mark.parametrize("kind", [errors.UnavailableError, errors.ShuttingDownError, DEADLINE])
def test_without_a_server_the_fallback_decides(make_client, router, kind, caplog):
    client = make_client(fallback={"code": ["coder", "small"]}, route_timeout=0.2)
    with router.failing(kind):
        decision = client.route("code")
    assert (decision.model, decision.kind, decision.decision_id) == ("coder", DecisionKind.DEGRADED, "")
    assert [fallback.model for fallback in decision.fallbacks] == ["small"]
    assert "routed code to coder by the static fallback" in caplog.text


def test_without_a_server_the_callers_limits_hold(make_client, router):
    client = make_client(fallback="small")
    with router.failing(errors.UnavailableError):
        assert client.route("code", model="mine").model == "mine"
        with pytest.raises(errors.UnavailableError):
            client.route("code", constraints=Constraints(models=["coder"]))


def test_a_category_without_a_fallback_raises(make_client, router):
    client = make_client(fallback={"summarization": "small"})
    with router.failing(errors.UnavailableError), pytest.raises(errors.UnavailableError):
        client.route("code")


@pytest.mark.parametrize("kind", [errors.InvalidFieldError, errors.ApiKeyInvalidError, errors.OverloadedError])
def test_the_fallback_hides_no_error_of_the_caller(make_client, router, kind):
    client = make_client(fallback="small")
    with router.failing(kind), pytest.raises(kind):
        client.route("code")


def test_nothing_is_reported_about_a_decision_of_the_fallback(make_client, router):
    client = make_client(fallback="small")
    with router.failing(errors.UnavailableError):
        alone = client.route("code")
    learned = client.route("code")
    assert client.feedback(alone, thumbs_up()) == FeedbackResult()
    results = client.feedback_batch([Feedback(alone, (thumbs_up(),)), Feedback(learned, (thumbs_up(),))])
    assert results[0] == FeedbackResult()
    assert len(router.feedback_requests) == 1
    assert router.feedback_requests[0].decision_id == learned.decision_id
    assert client.feedback_batch([Feedback(alone, (thumbs_up(),))]) == (FeedbackResult(),)
