"""The service of a fake server: what it decides, what it keeps, and how it is made to fail."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import grpc

from routeward.clock import Clock
from routeward.errors import (
    ApiKeyInvalidError,
    CategoryUnknownError,
    DeadlineExceededError,
    DecisionIdInvalidError,
    InvalidFieldError,
    ModelUnknownError,
    NoEligibleModelError,
    RoutewardError,
    Violation,
)
from routeward.testing.failures import abort, failure, item_error
from routeward.testing.rules import feedback_violations, route_violations, signal_name
from routeward.testing.votes import Votes, signal_of
from routeward.v1 import routing_service_pb2 as pb
from routeward.v1.routing_service_pb2_grpc import RoutingServiceServicer


@dataclass(slots=True)
class Outage:
    """Makes calls fail: those of one method or all, as often as `remaining` says, None for always."""

    kind: type[RoutewardError]
    method: str | None
    remaining: int | None
    retry_after_s: float | None

    def takes(self, method: str) -> bool:
        """Tell whether a call of this method fails, and count it."""
        if self.method not in {None, method} or self.remaining == 0:
            return False
        if self.remaining is not None:
            self.remaining -= 1
        return True


class FakeRouting(RoutingServiceServicer):
    """Decides from a table, holds requests to the contract, and counts one vote per decision and signal."""

    def __init__(self, models: Mapping[str, Sequence[str]], api_key: str | None, clock: Clock) -> None:
        self.route_requests: list[pb.RouteRequest] = []
        self.feedback_requests: list[pb.FeedbackRequest] = []
        self.attempts = 0
        self.votes: dict[str, Votes] = {}
        self.outage: Outage | None = None
        self._models = models
        self._api_key = api_key
        self._clock = clock
        self._revision = 0
        self._lock = threading.Lock()

    def Route(self, request: pb.RouteRequest, context: grpc.ServicerContext) -> pb.RouteResponse:  # noqa: N802
        """Answer with the first model of the category."""
        with self._answering("Route", context):
            return self._decide(request)

    def Feedback(self, request: pb.FeedbackRequest, context: grpc.ServicerContext) -> pb.FeedbackResponse:  # noqa: N802
        """Keep what was observed about one decision."""
        with self._answering("Feedback", context):
            return self._record(request)

    def FeedbackBatch(  # noqa: N802
        self, request: pb.FeedbackBatchRequest, context: grpc.ServicerContext
    ) -> pb.FeedbackBatchResponse:
        """Keep what was observed about many decisions, each judged on its own."""
        with self._answering("FeedbackBatch", context):
            if not 1 <= len(request.items) <= 1000:
                _refuse([Violation("items", "give 1 to 1000")])
            return pb.FeedbackBatchResponse(results=[self._item(item) for item in request.items])

    @contextmanager
    def _answering(self, method: str, context: grpc.ServicerContext) -> Iterator[None]:
        with self._lock:
            self.attempts += 1
        try:
            if self._api_key is not None:
                self._let_in(context)
            self._fail_if_told(method, context)
            with self._lock:
                yield
        except RoutewardError as error:
            abort(context, error)

    def _let_in(self, context: grpc.ServicerContext) -> None:
        shown = dict(context.invocation_metadata()).get("authorization")
        if shown != f"Bearer {self._api_key}":
            raise failure(ApiKeyInvalidError, "Send a known API key as `authorization: Bearer <key>`.")

    def _fail_if_told(self, method: str, context: grpc.ServicerContext) -> None:
        outage = self.outage
        with self._lock:
            if outage is None or not outage.takes(method):
                return
        if outage.kind is DeadlineExceededError:
            _wait_until_given_up(context)
        abort(context, failure(outage.kind, retry_after_s=outage.retry_after_s), final=outage.remaining is None)

    def _decide(self, request: pb.RouteRequest) -> pb.RouteResponse:
        _refuse(route_violations(request))
        if request.previous_decision_id:
            self._votes_of(request.previous_decision_id)
        model, *others = self._candidates(request)
        self.route_requests.append(request)
        return pb.RouteResponse(
            decision_id=self._new_decision(),
            model=model,
            fallbacks=[pb.Fallback(model=other, decision_id=self._new_decision()) for other in others],
            propensity=1.0,
            kind=pb.DECISION_KIND_FORCED if request.model else pb.DECISION_KIND_SAMPLED,
            forecast=_forecast(),
            revision=self._revision,
        )

    def _candidates(self, request: pb.RouteRequest) -> Sequence[str]:
        models = self._models.get(request.category, self._models.get("default", ()))
        if not models:
            raise failure(
                CategoryUnknownError,
                f"Give the fake models for {request.category!r}, or for 'default'.",
                metadata={"category": request.category},
            )
        if request.model:
            if not any(request.model in known for known in self._models.values()):
                raise failure(ModelUnknownError, metadata={"model": request.model})
            return [request.model]
        allowed = request.constraints.models
        eligible = [model for model in models if model in allowed] if allowed else models
        if not eligible:
            raise failure(NoEligibleModelError, metadata=dict.fromkeys(models, "models"))
        return eligible

    def _new_decision(self) -> str:
        decision_id = f"fake-{len(self.votes) + 1}"
        self.votes[decision_id] = Votes()
        return decision_id

    def _votes_of(self, decision_id: str) -> Votes:
        if decision_id not in self.votes:
            raise failure(DecisionIdInvalidError, f"{decision_id!r} is no decision of this server.")
        return self.votes[decision_id]

    def _record(self, request: pb.FeedbackRequest) -> pb.FeedbackResponse:
        _refuse(feedback_violations(request))
        votes, now = self._votes_of(request.decision_id), self._clock.now()
        results = []
        for signal in request.signals:
            name = signal_name(signal)
            status = votes.cast(name, signal_of(signal, now))
            self._revision += status.counted
            results.append(pb.SignalResult(signal=name, status=pb.SignalStatus.ValueType(status)))
        self.feedback_requests.append(request)
        return pb.FeedbackResponse(results=results, revision=self._revision)

    def _item(self, item: pb.FeedbackRequest) -> pb.FeedbackBatchResult:
        try:
            return pb.FeedbackBatchResult(response=self._record(item))
        except RoutewardError as error:
            return pb.FeedbackBatchResult(error=item_error(error))


def _refuse(violations: Sequence[Violation]) -> None:
    if violations:
        rules = "; ".join(f"{violation.field}: {violation.description}" for violation in violations)
        raise failure(InvalidFieldError, rules, metadata={"field": violations[0].field}, violations=violations)


def _wait_until_given_up(context: grpc.ServicerContext) -> None:
    given_up = threading.Event()
    if context.add_callback(given_up.set):
        given_up.wait()


def _forecast() -> pb.Forecast:
    forecast = pb.Forecast(quality=0.8, cost_usd=0.002, error_rate=0.01)
    forecast.latency.FromSeconds(1)
    forecast.latency_p95.FromSeconds(3)
    return forecast
