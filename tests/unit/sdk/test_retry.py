"""The retry policy that gRPC is told."""

import json
from itertools import pairwise
from typing import Any

import pytest

import routeward
from routeward import NO_RETRY, RetryPolicy
from routeward.retry import SERVICE, service_config
from routeward.v1 import routing_service_pb2 as pb


def config(policy: RetryPolicy) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(service_config(policy, route_timeout=1.0, feedback_timeout=5.0))
    return parsed


@pytest.mark.parametrize("attempts", [2, 3, 4, 5])
@pytest.mark.parametrize("multiplier", [1.0, 2.0, 3.5])
@pytest.mark.parametrize("timeout", [0.05, 1.0, 60.0])
def test_the_waits_grow_and_leave_time_to_answer_even_with_the_largest_jitter(attempts, multiplier, timeout):
    waits = RetryPolicy(max_attempts=attempts, backoff_multiplier=multiplier).backoffs_s(timeout)
    assert len(waits) == attempts - 1
    assert all(later == pytest.approx(multiplier * wait) for wait, later in pairwise(waits))
    assert 1.2 * sum(waits) < timeout


def test_every_method_of_the_service_is_retried_within_its_own_timeout():
    by_method = {
        name["method"]: entry["retryPolicy"]
        for entry in config(RetryPolicy())["methodConfig"]
        for name in entry["name"]
        if name["service"] == SERVICE
    }
    service = pb.DESCRIPTOR.services_by_name["RoutingService"]
    assert service.full_name == SERVICE
    assert set(by_method) == {method.name for method in service.methods}
    assert by_method["Route"]["initialBackoff"] == "0.046666667s"
    assert by_method["Feedback"]["initialBackoff"] == "0.233333333s"
    assert by_method["Feedback"]["retryableStatusCodes"] == ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED"]


def test_retries_stop_while_most_calls_fail():
    assert config(RetryPolicy(retry_tokens=20, token_ratio=0.5))["retryThrottling"] == {
        "maxTokens": 20,
        "tokenRatio": 0.5,
    }


def test_without_retries_gRPC_is_told_of_none():  # noqa: N802
    assert set(config(NO_RETRY)) == {"loadBalancingConfig"}


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["route_timeout", "feedback_timeout"])
def test_a_timeout_that_no_wait_fits_into_is_refused(name, timeout):
    for client in (routeward.Client, routeward.AsyncClient):
        with pytest.raises(ValueError, match="above 0, and finite"):
            client(**{name: timeout})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_attempts", 0),
        ("max_attempts", 6),
        ("backoff_multiplier", 0.5),
        ("backoff_multiplier", float("nan")),
        ("retry_tokens", 0),
        ("retry_tokens", 1001),
        ("token_ratio", 0.0),
        ("token_ratio", float("nan")),
    ],
)
def test_a_policy_that_gRPC_would_not_follow_is_refused(field, value):  # noqa: N802
    with pytest.raises(ValueError, match=field.split("_")[0]):
        RetryPolicy(**{field: value})
