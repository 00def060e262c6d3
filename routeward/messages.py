"""Between the values of this package and the messages of the contract. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from routeward.decisions import Constraints, Decision, DecisionKind, Forecast, Objective, RouteReason
from routeward.error_details import error_of_item
from routeward.errors import InvalidFieldError, RoutewardError, ServerError, Violation
from routeward.signals import (
    Feedback,
    FeedbackResult,
    Outcome,
    Score,
    Signal,
    SignalResult,
    SignalStatus,
    Thumb,
)
from routeward.v1 import routing_service_pb2 as pb

MAX_BATCH_ITEMS: Final = 1000
MAX_BATCH_BYTES: Final = 240 * 1024
"""A server reads 256 KiB; the rest is for framing."""

_M = TypeVar("_M", bound=Message)


def route_request(
    category: str,
    *,
    input_tokens: int | None = None,
    max_output_tokens: int | None = None,
    profile: str = "",
    objective: Objective | None = None,
    constraints: Constraints | None = None,
    model: str = "",
    previous: Decision | str | None = None,
    cached_input_tokens: int | None = None,
    session_id: str = "",
    request_id: str = "",
) -> pb.RouteRequest:
    """Build the question. Raises InvalidFieldError for a value that its field cannot hold.

    A degraded decision holds no server's cache, so what is said of its cache is left out.
    """
    previous_id = previous.decision_id if isinstance(previous, Decision) else previous
    return _message(
        pb.RouteRequest,
        category=category,
        request_id=request_id,
        input_tokens=input_tokens,
        max_output_tokens=max_output_tokens,
        profile=profile,
        objective=_objective(objective) if objective is not None else None,
        constraints=_constraints(constraints) if constraints is not None else None,
        model=model,
        previous_decision_id=previous_id,
        cached_input_tokens=None if previous_id == "" else cached_input_tokens,
        session_id=session_id,
    )


def decision_of(response: pb.RouteResponse) -> Decision:
    """Read the answer. Raises ServerError for one that no routeward server gives."""
    try:
        decision = _decision(response)
    except (ValueError, OverflowError) as error:
        raise ServerError("the answer to Route holds impossible values") from error
    if not decision.model:
        raise ServerError("the answer to Route names no model")
    return decision


def _decision(response: pb.RouteResponse) -> Decision:
    return Decision(
        decision_id=response.decision_id,
        model=response.model,
        kind=DecisionKind(response.kind),
        propensity=response.propensity,
        fallbacks=tuple(
            Decision(
                decision_id=fallback.decision_id,
                model=fallback.model,
                kind=DecisionKind.FALLBACK,
                revision=response.revision,
            )
            for fallback in response.fallbacks
        ),
        forecast=_forecast(response.forecast) if response.HasField("forecast") else None,
        revision=response.revision,
        reason=RouteReason(response.reason),
    )


def feedback_request(feedback: Feedback, now: datetime) -> pb.FeedbackRequest:
    """Build the report; signals without an observed_time were observed now.

    Raises InvalidFieldError for a value that its field cannot hold.
    """
    decision = feedback.decision
    return _message(
        pb.FeedbackRequest,
        decision_id=decision.decision_id if isinstance(decision, Decision) else decision,
        signals=[_signal(signal, now) for signal in feedback.signals],
        rater=feedback.rater,
    )


def feedback_result(response: pb.FeedbackResponse) -> FeedbackResult:
    """Read what became of the signals."""
    results = (SignalResult(result.signal, SignalStatus(result.status)) for result in response.results)
    return FeedbackResult(tuple(results), response.revision)


def batch_item_result(result: pb.FeedbackBatchResult) -> FeedbackResult | RoutewardError:
    """Read what became of one item of a batch."""
    match result.WhichOneof("result"):
        case "response":
            return feedback_result(result.response)
        case "error":
            return error_of_item(result.error)
    return ServerError("the server did not say what became of the item; report it again")


def batches(requests: Sequence[pb.FeedbackRequest]) -> Iterator[pb.FeedbackBatchRequest]:
    """Split requests, in order, into messages that a server reads."""
    batch, size = pb.FeedbackBatchRequest(), 0
    for request in requests:
        item_size = request.ByteSize() + 8
        if batch.items and (len(batch.items) == MAX_BATCH_ITEMS or size + item_size > MAX_BATCH_BYTES):
            yield batch
            batch, size = pb.FeedbackBatchRequest(), 0
        batch.items.append(request)
        size += item_size
    if batch.items:
        yield batch


def _objective(objective: Objective) -> pb.Objective:
    return _message(
        pb.Objective,
        answer_value_usd=objective.answer_value_usd,
        second_value_usd=objective.second_value_usd,
    )


def _constraints(constraints: Constraints) -> pb.Constraints:
    return _message(
        pb.Constraints,
        models=constraints.models,
        capabilities=constraints.capabilities,
        region=constraints.region,
        max_cost_usd=constraints.max_cost_usd,
        max_latency=constraints.max_latency_s,
        min_quality=constraints.min_quality,
        on_infeasible=int(constraints.on_infeasible),
    )


def _forecast(forecast: pb.Forecast) -> Forecast:
    return Forecast(
        quality=forecast.quality,
        cost_usd=forecast.cost_usd,
        latency_s=forecast.latency.ToTimedelta().total_seconds(),
        latency_p95_s=forecast.latency_p95.ToTimedelta().total_seconds(),
        error_rate=forecast.error_rate,
    )


def _signal(signal: Signal, now: datetime) -> pb.Signal:
    observed_time = signal.observed_time or now
    if isinstance(signal, Outcome):
        return _message(pb.Signal, observed_time=observed_time, outcome=_outcome(signal))
    if isinstance(signal, Thumb):
        thumb = pb.THUMB_UP if signal.up else pb.THUMB_DOWN
        return _message(pb.Signal, observed_time=observed_time, thumb=thumb)
    if isinstance(signal, Score):
        score = _message(pb.Score, name=signal.name, value=signal.value)
        return _message(pb.Signal, observed_time=observed_time, score=score)
    retract = _message(pb.Retract, signal=signal.signal)
    return _message(pb.Signal, observed_time=observed_time, retract=retract)


def _outcome(outcome: Outcome) -> pb.Outcome:
    return _message(
        pb.Outcome,
        status=int(outcome.status),
        latency=outcome.latency_s,
        time_to_first_token=outcome.time_to_first_token_s,
        input_tokens=outcome.input_tokens,
        cached_input_tokens=outcome.cached_input_tokens,
        output_tokens=outcome.output_tokens,
        cost_usd=outcome.cost_usd,
    )


def _message(kind: type[_M], **fields: Any) -> _M:
    """Build a message; None leaves a field unset, seconds become a Duration."""
    message = kind()
    for name, value in fields.items():
        if value is None:
            continue
        try:
            message.MergeFrom(kind(**{name: _fitting(kind, name, value)}))
        except (TypeError, ValueError, OverflowError) as error:
            rule = f"cannot hold {value!r}; give a finite value of its type and range"
            raise InvalidFieldError(
                f"{name}: {rule}", reason="INVALID_FIELD", violations=[Violation(name, rule)]
            ) from error
    return message


def _fitting(kind: type[Message], name: str, value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError("give a time with a time zone, for example datetime.now(UTC)")
    if kind.DESCRIPTOR.fields_by_name[name].message_type is Duration.DESCRIPTOR:
        return timedelta(seconds=value)
    return value
