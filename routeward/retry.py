"""Which calls are repeated, and when: a retry policy that gRPC itself carries out.

Every call of the contract is safe to repeat. gRPC repeats those that end UNAVAILABLE or
RESOURCE_EXHAUSTED, waits as long as the server asks (`grpc-retry-pushback-ms`), stops at the call's
deadline, and stops repeating at all while most calls fail.

It repeats those that end CANCELLED too, which a server says of calls that reach it while it stops. A caller who
cancels ends all attempts.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

SERVICE: Final = "routeward.v1.RoutingService"
BACKOFF_SHARE: Final = 0.7
"""Share of a call's timeout that its backoffs take together, so that the last attempt has time to answer."""

MAX_ATTEMPTS: Final = 5
"""gRPC does not try more often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often a call is tried, and how long it waits in between.

    The waits grow by `backoff_multiplier` (at least 1) and are spread over the call's default timeout, each
    with a jitter of 20 %. `max_attempts` counts the first one: 1 to 5, where 1 never repeats. Each failure
    takes one of `retry_tokens` (1 to 1000), each success returns `token_ratio` of one; calls are repeated
    only while more than half of the tokens are left.
    """

    max_attempts: int = 5
    backoff_multiplier: float = 2.0
    retry_tokens: int = 100
    token_ratio: float = 0.1

    def __post_init__(self) -> None:
        """Raise ValueError where a field is out of its range."""
        if not 1 <= self.max_attempts <= MAX_ATTEMPTS:
            raise ValueError(f"max_attempts is {self.max_attempts}: give 1 (never repeat) to {MAX_ATTEMPTS}")
        if not self.backoff_multiplier >= 1:
            raise ValueError(f"backoff_multiplier is {self.backoff_multiplier}: give at least 1")
        if not (1 <= self.retry_tokens <= 1000 and 0 < self.token_ratio <= self.retry_tokens):
            raise ValueError("give 1 to 1000 retry_tokens and a token_ratio above 0 and at most that")

    def backoffs_s(self, timeout: float) -> tuple[float, ...]:
        """Return the waits in seconds between the attempts of a call with this timeout."""
        weights = [self.backoff_multiplier**i for i in range(self.max_attempts - 1)]
        return tuple(BACKOFF_SHARE * timeout * weight / sum(weights) for weight in weights)


NO_RETRY: Final = RetryPolicy(max_attempts=1)


def service_config(policy: RetryPolicy, *, route_timeout: float, feedback_timeout: float) -> str:
    """Return the gRPC service config, in JSON, that makes a channel follow `policy`.

    Calls are spread over all addresses of the target, so that a repeated one meets another replica.
    """
    config: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
    if policy.max_attempts > 1:
        config["methodConfig"] = [
            _method_config(policy, route_timeout, "Route"),
            _method_config(policy, feedback_timeout, "Feedback", "FeedbackBatch"),
        ]
        config["retryThrottling"] = {"maxTokens": policy.retry_tokens, "tokenRatio": policy.token_ratio}
    return json.dumps(config)


def _method_config(policy: RetryPolicy, timeout: float, *methods: str) -> dict[str, Any]:
    backoffs_s = policy.backoffs_s(timeout)
    return {
        "name": [{"service": SERVICE, "method": method} for method in methods],
        "retryPolicy": {
            "maxAttempts": policy.max_attempts,
            "initialBackoff": f"{backoffs_s[0]:.9f}s",
            "maxBackoff": f"{backoffs_s[-1]:.9f}s",
            "backoffMultiplier": policy.backoff_multiplier,
            "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED"],
        },
    }
