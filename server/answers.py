"""From what the use cases return to messages."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from bandit.budget import Budget, PricedBudget
from bandit.modes import Reason
from bandit.records import ModelForecast
from bandit.signals import Kind
from bandit.terms import ModelTerms, Terms, explained
from bandit.votes import SignalStatus
from routeward.v1 import admin_service_pb2 as admin_pb
from routeward.v1 import routing_service_pb2 as pb
from routeward.v1.error_reason_pb2 import ErrorReason
from server.beliefs import CategoryBelief, ModelBelief
from server.choices import Option
from server.errors import ServiceError
from server.explanations import Explanation
from server.learning import Recorded
from server.routing import CATEGORY_LIMIT, DEGRADED, Decision
from server.statuses import MAX_VIOLATIONS, fitting, text

_KINDS: Final = {kind: pb.DecisionKind.Value(f"DECISION_KIND_{kind.name}") for kind in Kind}
_STATUSES: Final = {status: pb.SignalStatus.Value(f"SIGNAL_STATUS_{status.name}") for status in SignalStatus}
_REASONS: Final = {
    "": pb.ROUTE_REASON_UNSPECIFIED,
    **{
        name: pb.RouteReason.Value(f"ROUTE_REASON_{name}")
        for name in (CATEGORY_LIMIT, DEGRADED, *(one.value for one in Reason))
    },
}


def route_response(decision: Decision) -> pb.RouteResponse:
    """Say what was decided."""
    response = pb.RouteResponse()
    response.CopyFrom(_answer(decision.option))
    response.decision_id = decision.id
    response.propensity = decision.propensity
    response.kind = _KINDS[decision.kind]
    response.reason = _REASONS[decision.reason]
    for fallback, fallback_id in zip(response.fallbacks, decision.fallback_ids, strict=True):
        fallback.decision_id = fallback_id
    return response


@lru_cache(maxsize=1024)
def _answer(option: Option) -> pb.RouteResponse:
    """Say what is the same in every decision for an option: copying that is cheaper than saying it again."""
    expected = option.forecast
    response = pb.RouteResponse(
        model=option.model,
        fallbacks=[pb.Fallback(model=model) for model in option.fallbacks],
        revision=option.revision,
        forecast=pb.Forecast(quality=expected.quality, cost_usd=expected.cost_usd, error_rate=expected.error_rate),
    )
    _set(response.forecast.latency, expected.latency_s)
    _set(response.forecast.latency_p95, expected.latency_p95_s)
    return response


def feedback_response(recorded: Recorded) -> pb.FeedbackResponse:
    """Say what became of each signal."""
    response = pb.FeedbackResponse()
    response.CopyFrom(_results(recorded.results))
    response.revision = recorded.revision
    return response


@lru_cache(maxsize=1024)
def _results(results: tuple[tuple[str, SignalStatus], ...]) -> pb.FeedbackResponse:
    """Say what became of signals; few combinations of them occur."""
    return pb.FeedbackResponse(
        results=[pb.SignalResult(signal=signal, status=_STATUSES[status]) for signal, status in results]
    )


def batch_result(result: Recorded | ServiceError) -> pb.FeedbackBatchResult:
    """Say what became of one report of a batch."""
    if isinstance(result, Recorded):
        return pb.FeedbackBatchResult(response=feedback_response(result))
    violations = [pb.FieldViolation(field=field, description=rule) for field, rule in result.violations]
    return pb.FeedbackBatchResult(
        error=pb.FeedbackError(
            code=result.code,
            reason=ErrorReason.Value(f"ERROR_REASON_{result.reason}"),
            message=text(result),
            metadata=dict(fitting(result.metadata)),
            violations=violations[:MAX_VIOLATIONS],
        )
    )


def posterior_response(
    revision: int, now_us: int, categories: Sequence[CategoryBelief]
) -> admin_pb.GetPosteriorResponse:
    """Say what is believed."""
    return admin_pb.GetPosteriorResponse(
        revision=revision,
        computed_time=_timestamp(now_us),
        categories=[
            admin_pb.CategoryPosterior(category=one.category, models=map(_model_posterior, one.models))
            for one in categories
        ],
    )


def budgets_response(now_us: int, budgets: Sequence[PricedBudget]) -> admin_pb.ListBudgetsResponse:
    """Say where budgets stand."""
    return admin_pb.ListBudgetsResponse(computed_time=_timestamp(now_us), budgets=map(_budget_standing, budgets))


def _budget_standing(one: PricedBudget) -> admin_pb.BudgetStanding:
    budget, standing, price = one
    ends_us = standing.ends_us
    return admin_pb.BudgetStanding(
        name=budget.name,
        category=budget.category,
        profile=budget.profile,
        **_amount(budget),
        period_end_time=None if ends_us is None else _timestamp(ends_us),
        spent_usd=standing.usd,
        billed_count=standing.requests,
        target_usd=standing.target_usd,
        price=price,
        exhausted=standing.exhausted,
    )


def _amount(budget: Budget) -> dict[str, float]:
    name = "usd_per_request" if budget.usd_per_period is None else "usd_per_period"
    return {name: budget.amount_usd}


def _timestamp(us: int) -> Timestamp:
    return Timestamp(seconds=us // 1_000_000, nanos=us % 1_000_000 * 1000)


def _model_posterior(model: ModelBelief) -> admin_pb.ModelPosterior:
    message = admin_pb.ModelPosterior(
        model=model.model,
        probability=model.probability,
        quality=model.quality,
        quality_sd=model.quality_sd,
        cost_usd=model.cost_usd,
        error_rate=model.error_rate,
        outcome_count=model.outcome_count,
        quality_count=model.quality_count,
        excluded=model.excluded,
    )
    _set(message.latency, model.latency_s)
    _set(message.latency_p95, model.latency_p95_s)
    return message


def explanation_response(explanation: Explanation) -> admin_pb.ExplainDecisionResponse:
    """Say why a decision came out as it did, or would."""
    drawn_from, made = explanation.drawn_from, explanation.decision
    response = admin_pb.ExplainDecisionResponse(
        category=explanation.category,
        kind=_KINDS[explanation.kind],
        reason=_REASONS[explanation.reason],
        objective=pb.Objective(
            answer_value_usd=drawn_from.answer_value_usd, second_value_usd=drawn_from.second_value_usd
        ),
        limits=pb.Constraints(max_cost_usd=drawn_from.max_cost_usd, min_quality=drawn_from.min_quality),
        input_tokens=explanation.input_tokens,
        revision=drawn_from.revision,
        computed_time=_timestamp(drawn_from.snapshot_us),
        models=[_model_explanation(one, explanation.best.get(one.model)) for one in explained(drawn_from)],
    )
    if drawn_from.max_latency_s is not None:
        _set(response.limits.max_latency, drawn_from.max_latency_s)
    if made is not None:
        response.decision.model = made.model
        response.decision.propensity = made.propensity
        response.decision.decided_time.CopyFrom(_timestamp(made.decided_us))
        response.decision.fallback_model = explanation.fallback_model
    return response


def _model_explanation(one: ModelTerms, best: float | None) -> admin_pb.ModelExplanation:
    message = admin_pb.ModelExplanation(
        model=one.model,
        probability=one.probability,
        intended_probability=one.intended,
        best_probability=best,
        excluded=one.excluded,
    )
    if one.forecast is not None and one.terms is not None:
        message.terms.CopyFrom(_terms(one.forecast, one.terms))
    return message


def _terms(expected: ModelForecast, terms: Terms) -> admin_pb.ModelTerms:
    message = admin_pb.ModelTerms(
        quality=expected.quality,
        error_rate=expected.error_rate,
        answer_usd=terms.answer_usd,
        cost_usd=terms.cost_usd,
        budget_usd=terms.budget_usd,
        waiting_usd=terms.waiting_usd,
        utility_usd=terms.utility_usd,
        utility_sd_usd=expected.utility_sd_usd,
        outcome_count=expected.outcome_count,
        quality_count=expected.quality_count,
        quality_shift_probability=expected.quality_shift,
        error_shift_probability=expected.error_shift,
        latency_shift_probability=expected.latency_shift,
    )
    _set(message.latency, expected.latency_s)
    return message


def _set(duration: Duration, seconds: float) -> None:
    whole = int(seconds)
    duration.seconds = whole
    duration.nanos = int((seconds - whole) * 1e9)
