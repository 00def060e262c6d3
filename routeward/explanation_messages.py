"""Between what is explained and the messages of the contract. Pure."""

from datetime import UTC
from typing import Any, Final

from google.protobuf.message import Message

from routeward.decisions import Constraints, Decision, DecisionKind, Objective, RouteReason
from routeward.errors import InvalidFieldError, ServerError, Violation
from routeward.explanations import ExplainedDecision, Explanation, ModelExplanation, ModelTerms
from routeward.v1 import admin_service_pb2 as admin_pb
from routeward.v1 import routing_service_pb2 as pb

_MADE_ALONE: Final = "is empty: the client made this decision alone, by its static fallback, and knows no other reason"


def question_about(decision: Decision | str) -> admin_pb.ExplainDecisionRequest:
    """Build the question about a decision. Raises InvalidFieldError for one that the client made alone."""
    decision_id = decision.decision_id if isinstance(decision, Decision) else decision
    if not decision_id:
        violations = [Violation("decision_id", _MADE_ALONE)]
        raise InvalidFieldError(f"decision_id: {_MADE_ALONE}", reason="INVALID_FIELD", violations=violations)
    return admin_pb.ExplainDecisionRequest(decision_id=decision_id)


def explanation_of(response: admin_pb.ExplainDecisionResponse) -> Explanation:
    """Read the answer. Raises ServerError for one that no routeward server gives."""
    try:
        return _explanation(response)
    except (ValueError, OverflowError) as error:
        raise ServerError("the answer to ExplainDecision holds impossible values") from error


def _explanation(response: admin_pb.ExplainDecisionResponse) -> Explanation:
    objective = response.objective
    return Explanation(
        category=response.category,
        kind=DecisionKind(response.kind),
        reason=RouteReason(response.reason),
        objective=Objective(answer_value_usd=objective.answer_value_usd, second_value_usd=objective.second_value_usd),
        limits=_limits(response.limits),
        input_tokens=_given(response, "input_tokens"),
        revision=response.revision,
        computed_time=response.computed_time.ToDatetime(UTC),
        decision=_decision(response.decision) if response.HasField("decision") else None,
        models=tuple(map(_model, response.models)),
    )


def _limits(limits: pb.Constraints) -> Constraints:
    has_latency = limits.HasField("max_latency")
    return Constraints(
        max_cost_usd=_given(limits, "max_cost_usd"),
        max_latency_s=limits.max_latency.ToTimedelta().total_seconds() if has_latency else None,
        min_quality=_given(limits, "min_quality"),
    )


def _decision(made: admin_pb.ExplainedDecision) -> ExplainedDecision:
    return ExplainedDecision(
        model=made.model,
        propensity=made.propensity,
        decided_time=made.decided_time.ToDatetime(UTC),
        fallback_model=made.fallback_model,
    )


def _model(one: admin_pb.ModelExplanation) -> ModelExplanation:
    return ModelExplanation(
        model=one.model,
        probability=one.probability,
        intended_probability=_given(one, "intended_probability"),
        best_probability=_given(one, "best_probability"),
        terms=_terms(one.terms) if one.HasField("terms") else None,
        excluded=one.excluded,
    )


def _terms(terms: admin_pb.ModelTerms) -> ModelTerms:
    return ModelTerms(
        quality=terms.quality,
        error_rate=terms.error_rate,
        latency_s=terms.latency.ToTimedelta().total_seconds(),
        answer_usd=terms.answer_usd,
        cost_usd=terms.cost_usd,
        budget_usd=terms.budget_usd,
        waiting_usd=terms.waiting_usd,
        utility_usd=terms.utility_usd,
        utility_sd_usd=_given(terms, "utility_sd_usd"),
        outcome_count=_given(terms, "outcome_count"),
        quality_count=_given(terms, "quality_count"),
        quality_shift=_given(terms, "quality_shift_probability"),
        error_shift=_given(terms, "error_shift_probability"),
        latency_shift=_given(terms, "latency_shift_probability"),
    )


def _given(message: Message, name: str) -> Any:
    """Return a field, None where it is not set."""
    return getattr(message, name) if message.HasField(name) else None
