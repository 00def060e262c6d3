"""What the synchronous and the asynchronous client share: everything but the calls themselves."""

import logging
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from routeward import messages
from routeward.calls import Call
from routeward.channel import endpoint
from routeward.clock import Clock, SystemClock
from routeward.decisions import Decision, RouteOptions
from routeward.degraded import StaticFallback, degraded_decision
from routeward.errors import ClientClosedError, RoutewardError
from routeward.retry import RetryPolicy, service_config
from routeward.signals import Feedback, FeedbackResult
from routeward.v1 import routing_service_pb2 as pb

logger: Final = logging.getLogger("routeward")

UNANSWERED: Final = pb.FeedbackBatchResult()


class BaseClient:
    """Settings of a client, and what it does without the server.

    Parameters
    ----------
    target
        Address of the server, for example "dns:///routeward.internal:7443". Default: the environment
        variable ROUTEWARD_TARGET, then 127.0.0.1:7443.
    api_key
        Sent as `authorization: Bearer`. Default: ROUTEWARD_API_KEY, then none.
    insecure
        True sends everything, the key included, without encryption; False uses TLS. Default: TLS where there is a
        key and the target is another machine, or where `root_certificates` are given.
    root_certificates
        PEM file of the authorities to trust. Default: the system's.
    route_timeout, feedback_timeout
        Seconds that `route`, and `feedback`, `feedback_batch` and explanations, take at most, retries included.
    retry
        How often calls are repeated; `NO_RETRY` for never.
    fallback
        Model to use when the server cannot be reached, or models for each category ("default" for the others).
        Without it `route` raises.
    raise_report_errors
        Whether a measured call that succeeded raises when its outcome could not be reported. Default: it is logged.
    clock
        Where the time is read.

    Raises ValueError for contradictory or impossible arguments and OSError for certificates that cannot be read.
    """

    def __init__(
        self,
        target: str | None = None,
        *,
        api_key: str | None = None,
        insecure: bool | None = None,
        root_certificates: str | os.PathLike[str] | None = None,
        route_timeout: float = 1.0,
        feedback_timeout: float = 5.0,
        retry: RetryPolicy | None = None,
        fallback: StaticFallback | None = None,
        raise_report_errors: bool = False,
        clock: Clock | None = None,
    ) -> None:
        if not (0 < route_timeout < math.inf and 0 < feedback_timeout < math.inf):
            raise ValueError("route_timeout and feedback_timeout are seconds above 0, and finite")
        self._endpoint = endpoint(
            target, api_key, insecure=insecure, root_certificates=root_certificates, environment=os.environ
        )
        self._service_config = service_config(
            retry or RetryPolicy(), route_timeout=route_timeout, feedback_timeout=feedback_timeout
        )
        self._route_timeout = route_timeout
        self._feedback_timeout = feedback_timeout
        self._fallback = fallback
        self._raise_report_errors = raise_report_errors
        self._clock = clock or SystemClock()
        self._closed = False

    @property
    def target(self) -> str:
        """Address of the server."""
        return self._endpoint.target

    def _check_open(self) -> None:
        if self._closed:
            raise ClientClosedError("the client is closed: make a new one")

    def _without_server(self, error: RoutewardError, category: str, options: RouteOptions) -> Decision | None:
        """Decide by the static fallback; None where there is none for this call."""
        decision = degraded_decision(
            self._fallback, category, model=options.get("model", ""), constraints=options.get("constraints")
        )
        if decision is not None:
            logger.warning("routed %s to %s by the static fallback: %s", category, decision.model, error)
        return decision

    def _batches(self, items: Sequence[Feedback]) -> Iterator[pb.FeedbackBatchRequest]:
        """Build the messages that report `items`."""
        now = self._clock.now()
        return messages.batches([messages.feedback_request(item, now) for item in items if not made_alone(item)])

    def _not_reported(self, call: Call, error: RoutewardError) -> None:
        """Tell the log what the caller is not told."""
        logger.warning("the outcome of a call to %s was not reported: %s", call.model, error)


def made_alone(feedback: Feedback) -> bool:
    """Tell whether the client made the decision alone, so that nothing can be learned from it."""
    return isinstance(feedback.decision, Decision) and not feedback.decision.decision_id


def batch_results(
    items: Sequence[Feedback], answers: Iterable[pb.FeedbackBatchResult]
) -> tuple[FeedbackResult | RoutewardError, ...]:
    """Return one result per item, given the answers for those that were sent, in order."""
    rest = iter(answers)
    return tuple(
        FeedbackResult() if made_alone(item) else messages.batch_item_result(next(rest, UNANSWERED)) for item in items
    )
