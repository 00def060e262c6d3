"""What a fake server keeps of feedback: one vote per decision and signal, counted as the real one counts them."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from routeward.signals import Outcome, Retract, Score, Signal, SignalStatus, Status, Thumb
from routeward.v1 import routing_service_pb2 as pb


class Votes:
    """The signals of one decision."""

    def __init__(self) -> None:
        self._kept: dict[str, Signal] = {}

    @property
    def counted(self) -> dict[str, Signal]:
        """The signals that count, by name; what was taken back does not."""
        return {name: signal for name, signal in self._kept.items() if not isinstance(signal, Retract)}

    def cast(self, name: str, signal: Signal) -> SignalStatus:
        """Keep the larger of (observed time, value), and tell what became of the signal."""
        kept = self._kept.get(name)
        if kept is not None and _rank(signal) <= _rank(kept):
            return SignalStatus.DUPLICATE if _rank(signal) == _rank(kept) else SignalStatus.SUPERSEDED
        self._kept[name] = signal
        if kept is not None and _values(kept) == _values(signal):
            return SignalStatus.DUPLICATE
        if isinstance(signal, Retract):
            return SignalStatus.RETRACTED
        return SignalStatus.APPLIED if kept is None or isinstance(kept, Retract) else SignalStatus.AMENDED


def signal_of(signal: pb.Signal, arrived: datetime) -> Signal:
    """Read a signal; without an observed_time it was observed when it arrived."""
    observed_time = signal.observed_time.ToDatetime(UTC) if signal.HasField("observed_time") else arrived
    match signal.WhichOneof("fact"):
        case "outcome":
            return _outcome(signal.outcome, observed_time)
        case "thumb":
            return Thumb(signal.thumb == pb.THUMB_UP, observed_time=observed_time)
        case "score":
            return Score(signal.score.name, signal.score.value, observed_time=observed_time)
    return Retract(signal.retract.signal, observed_time=observed_time)


def _outcome(outcome: pb.Outcome, observed_time: datetime) -> Outcome:
    return Outcome(
        Status(outcome.status),
        latency_s=_given(outcome, "latency"),
        time_to_first_token_s=_given(outcome, "time_to_first_token"),
        input_tokens=_given(outcome, "input_tokens"),
        cached_input_tokens=_given(outcome, "cached_input_tokens"),
        output_tokens=_given(outcome, "output_tokens"),
        cost_usd=_given(outcome, "cost_usd"),
        observed_time=observed_time,
    )


def _given(message: Message, name: str) -> Any:
    if not message.HasField(name):
        return None
    value = getattr(message, name)
    return value.ToTimedelta().total_seconds() if isinstance(value, Duration) else value


def _values(signal: Signal) -> tuple[Any, ...]:
    values = (getattr(signal, field.name) for field in fields(signal) if field.name != "observed_time")
    return tuple(-1 if value is None else value for value in values)


def _rank(signal: Signal) -> tuple[datetime | None, bool, tuple[Any, ...]]:
    retracts = isinstance(signal, Retract)
    return signal.observed_time, retracts, () if retracts else _values(signal)
