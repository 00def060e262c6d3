"""The rules of the contract that a single message can break, for the fake server."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from routeward.errors import Violation
from routeward.names import NAME
from routeward.v1 import routing_service_pb2 as pb

SCORE_NAME: Final = r"[A-Za-z0-9._:/-]{1,57}"

_WEEK_S: Final = 7 * 86400.0
_RANGES: Final = {
    "input_tokens": (0, 100_000_000),
    "max_output_tokens": (1, 100_000_000),
    "cached_input_tokens": (0, 100_000_000),
    "output_tokens": (0, 100_000_000),
    "cost_usd": (0.0, 1e6),
    "max_cost_usd": (0.0, 1e6),
    "answer_value_usd": (0.0, 1e6),
    "second_value_usd": (0.0, 1e6),
    "min_quality": (0.0, 1.0),
    "value": (0.0, 1.0),
    "latency": (0.0, _WEEK_S),
    "time_to_first_token": (0.0, _WEEK_S),
    "max_latency": (1e-6, _WEEK_S),
}
_LENGTHS: Final = {"request_id": 128, "session_id": 128, "rater": 64, "decision_id": 400, "previous_decision_id": 400}
_COUNTS: Final = {"models": 64, "capabilities": 16}


def route_violations(request: pb.RouteRequest) -> list[Violation]:
    """Return every rule that a question breaks."""
    violations = list(_field_violations(request))
    if not re.fullmatch(NAME, request.category):
        violations.append(Violation("category", f"must match {NAME}"))
    counts = request.HasField("input_tokens") and request.HasField("cached_input_tokens")
    if counts and request.cached_input_tokens > request.input_tokens:
        violations.append(Violation("cached_input_tokens", "must be at most input_tokens"))
    return violations


def feedback_violations(request: pb.FeedbackRequest) -> list[Violation]:
    """Return every rule that a report breaks."""
    violations = list(_field_violations(request))
    if not 1 <= len(request.signals) <= 16:
        violations.append(Violation("signals", "give 1 to 16"))
    for index, signal in enumerate(request.signals):
        violations.extend(_signal_violations(signal, f"signals[{index}]"))
    names = [signal_name(signal) for signal in request.signals]
    repeated = sorted({name for name in names if names.count(name) > 1})
    violations.extend(Violation("signals", f"says {name!r} more than once") for name in repeated)
    return violations


def signal_name(signal: pb.Signal) -> str:
    """Return the name under which a decision keeps this signal."""
    match signal.WhichOneof("fact"):
        case "score":
            return f"score:{signal.score.name}"
        case "retract":
            return signal.retract.signal
        case fact:
            return fact or ""


def _signal_violations(signal: pb.Signal, path: str) -> Iterator[Violation]:
    match signal.WhichOneof("fact"):
        case None:
            yield Violation(path, "give outcome, thumb, score or retract")
        case "outcome" if signal.outcome.status not in pb.Status.values()[1:]:
            yield Violation(f"{path}.outcome.status", "say how the call went")
        case "thumb" if signal.thumb not in pb.Thumb.values()[1:]:
            yield Violation(f"{path}.thumb", "must be up or down")
        case "score" if not re.fullmatch(SCORE_NAME, signal.score.name):
            yield Violation(f"{path}.score.name", f"must match {SCORE_NAME}")
        case "retract" if not re.fullmatch(f"outcome|thumb|score:{SCORE_NAME}", signal.retract.signal):
            yield Violation(f"{path}.retract.signal", 'must be "outcome", "thumb" or "score:<name>"')


def _field_violations(message: Message, prefix: str = "") -> Iterator[Violation]:
    """Check ranges, lengths and counts of every field that is set, by its name."""
    for field, value in message.ListFields():
        path = prefix + field.name
        if field.name in _COUNTS and len(value) > _COUNTS[field.name]:
            yield Violation(path, f"at most {_COUNTS[field.name]}")
        if field.name in _LENGTHS and len(value) > _LENGTHS[field.name]:
            yield Violation(path, f"at most {_LENGTHS[field.name]} characters")
        if field.name in _RANGES:
            yield from _range_violations(path, value, *_RANGES[field.name])
        elif isinstance(value, Message):
            yield from _field_violations(value, f"{path}.")
        elif isinstance(value, Sequence) and not isinstance(value, str):
            for index, item in enumerate(value):
                if isinstance(item, Message):
                    yield from _field_violations(item, f"{path}[{index}].")


def _range_violations(path: str, value: Any, low: float, high: float) -> Iterator[Violation]:
    number = value.seconds + value.nanos * 1e-9 if isinstance(value, Duration) else value
    if not low <= number <= high:
        yield Violation(path, f"must be {low:g} to {high:g}")
