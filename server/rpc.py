"""The methods of the contract: translation between messages and use cases, and nothing else."""

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Final

from routeward.v1 import admin_service_pb2 as admin_pb
from routeward.v1 import routing_service_pb2 as pb
from server.answers import (
    batch_result,
    budgets_response,
    explanation_response,
    feedback_response,
    posterior_response,
    route_response,
)
from server.beliefs import Beliefs
from server.converters import (
    MAX_SIGNALS,
    call_of,
    decision_id_of,
    posterior_question_of,
    report_of,
    reports_of,
    subject_of,
)
from server.credentials import Principal
from server.decision_log import DecisionLog
from server.edge import Method
from server.errors import InvalidFieldError, ServiceError, Violation
from server.explanations import Explanation, Explanations
from server.learning import Learner
from server.metrics import Metrics
from server.requests import Call
from server.routing import Router

ROUTING_SERVICE: Final = pb.DESCRIPTOR.services_by_name["RoutingService"].full_name
ADMIN_SERVICE: Final = admin_pb.DESCRIPTOR.services_by_name["AdminService"].full_name

RESULTS_AT_ONCE: Final = 64
"""Results of a batch that are written before other calls are served."""


class RoutingService:
    """Route, Feedback and FeedbackBatch. The clock, in microseconds, is an argument."""

    def __init__(
        self, router: Router, learner: Learner, decisions: DecisionLog, metrics: Metrics, clock: Callable[[], int]
    ) -> None:
        self._router = router
        self._learner = learner
        self._decisions = decisions
        self._metrics = metrics
        self._clock = clock

    def methods(self) -> tuple[Method, ...]:
        """Return what an edge serves."""
        return (
            Method("Route", pb.RouteRequest, self.route),
            Method("Feedback", pb.FeedbackRequest, self.feedback),
            Method("FeedbackBatch", pb.FeedbackBatchRequest, self.feedback_batch),
        )

    async def route(self, message: pb.RouteRequest, caller: Principal) -> pb.RouteResponse:
        """Choose a model."""
        call = call_of(message)
        started = perf_counter()
        decision = self._router.route(call, caller)
        seconds = perf_counter() - started
        self._decisions.append(decision)
        self._metrics.decided(
            caller.namespace, decision.question.request.category, decision.model, decision.kind, seconds
        )
        return route_response(decision)

    async def feedback(self, message: pb.FeedbackRequest, caller: Principal) -> pb.FeedbackResponse:
        """Record how one decision went."""
        try:
            now_us = self._clock()
            count = min(max(len(message.signals), 1), MAX_SIGNALS)
            recorded = await self._learner.record(
                decision_id_of(message), count, lambda: report_of(message, now_us), now_us, caller
            )
        except ServiceError as error:
            self._metrics.refused(error.reason)
            raise
        self._metrics.recorded(recorded.results)
        return feedback_response(recorded)

    async def feedback_batch(self, message: pb.FeedbackBatchRequest, caller: Principal) -> pb.FeedbackBatchResponse:
        """Record how many decisions went."""
        now_us = self._clock()
        results = await self._learner.record_each(reports_of(message, now_us), now_us, caller)
        response = pb.FeedbackBatchResponse()
        for number, result in enumerate(results, start=1):
            if isinstance(result, ServiceError):
                self._metrics.refused(result.reason)
            else:
                self._metrics.recorded(result.results)
            response.results.append(batch_result(result))
            if number % RESULTS_AT_ONCE == 0:
                await asyncio.sleep(0)
        return response


class AdminService:
    """GetPosterior, ListBudgets and ExplainDecision. The clock, in microseconds, is an argument."""

    def __init__(self, beliefs: Beliefs, explanations: Explanations, clock: Callable[[], int]) -> None:
        self._beliefs = beliefs
        self._explanations = explanations
        self._clock = clock

    def methods(self) -> tuple[Method, ...]:
        """Return what an edge serves."""
        return (
            Method("GetPosterior", admin_pb.GetPosteriorRequest, self.get_posterior),
            Method("ListBudgets", admin_pb.ListBudgetsRequest, self.list_budgets),
            Method("ExplainDecision", admin_pb.ExplainDecisionRequest, self.explain_decision),
        )

    async def get_posterior(
        self, message: admin_pb.GetPosteriorRequest, caller: Principal
    ) -> admin_pb.GetPosteriorResponse:
        """Show what is believed."""
        category, profile = posterior_question_of(message)
        snapshot, categories = await asyncio.to_thread(self._beliefs.show, category, profile, caller)
        return posterior_response(snapshot.revision, snapshot.posterior.now_us, categories)

    async def list_budgets(self, _: admin_pb.ListBudgetsRequest, caller: Principal) -> admin_pb.ListBudgetsResponse:
        """Show where budgets stand."""
        snapshot = self._beliefs.snapshot(caller)
        return budgets_response(snapshot.posterior.now_us, snapshot.budgets)

    async def explain_decision(
        self, message: admin_pb.ExplainDecisionRequest, caller: Principal
    ) -> admin_pb.ExplainDecisionResponse:
        """Show why a decision came out as it did, or would."""
        now_us, subject = self._clock(), subject_of(message)
        if isinstance(subject, Call):
            explanation = await self._imagined(subject, now_us, caller)
        else:
            explanation = await self._explanations.of_decision(subject, now_us, caller)
        return explanation_response(explanation)

    async def _imagined(self, call: Call, now_us: int, caller: Principal) -> Explanation:
        try:
            return await asyncio.to_thread(self._explanations.of_call, call, now_us, caller)
        except InvalidFieldError as error:
            violations = [Violation(f"call.{field}", rule) for field, rule in error.violations]
            raise InvalidFieldError(violations) from error
