"""What a fact about a decision teaches: the events that the sums add up (DESIGN, "What a status teaches")."""

import math
from typing import Final, Literal, NamedTuple

from bandit.signals import SCALE, DecisionFacts, Fact, Kind, Outcome, Status, Thumb
from bandit.tails import range_of

Signal = Literal["error", "first_token", "input_ratio", "latency", "output_tokens", "quality"]
"""A quantity with a posterior of its own in every (category, model)."""

LN_SECONDS_RANGE: Final = (math.log(1e-3), math.log(3600.0))
LN_TOKENS_RANGE: Final = (0.0, math.log(1e8))
LN_RATIO_RANGE: Final = (math.log(1e-3), math.log(1e3))


class Event(NamedTuple):
    """One observation of one signal: `n` is 1, or -1 to take it back; `y` and `yy` are fixed point of 2^-20.

    `source` is the kind of judgement for quality; for other signals the range of `bandit.tails`, empty for an ordinary
    observation.
    """

    category: str
    model: str
    signal: Signal
    source: str
    time_us: int
    n: int
    y: int
    yy: int

    def negated(self) -> "Event":
        """The event that takes this one back."""
        return self._replace(n=-self.n, y=-self.y, yy=-self.yy)


def events_of(decision: DecisionFacts, fact: Fact | None) -> tuple[Event, ...]:
    """Return what `fact` teaches about the model of `decision`; nothing for None (a retraction).

    Events carry the time of the decision, so that late feedback lands where the decision was made.
    """
    category, model, kind, decided_us, requested_tokens = decision
    if fact is None:
        return ()
    if isinstance(fact, Outcome):
        values = _outcome_values(requested_tokens, fact)
        return tuple([_event(category, model, signal, decided_us, y) for signal, y in values])
    if kind is Kind.FORCED:
        return ()
    y = (SCALE if fact.up else 0) if isinstance(fact, Thumb) else fact.value
    return (Event(category, model, "quality", fact.signal, decided_us, 1, y, round(y * y / SCALE)),)


def _event(category: str, model: str, signal: Signal, decided_us: int, y: float) -> Event:
    parts = category, model, signal, range_of(signal, y), decided_us, 1, round(y * SCALE), round(y * y * SCALE)
    # Several are made of every report; this takes half as long as naming the parts.
    return tuple.__new__(Event, parts)


def _outcome_values(requested_tokens: int | None, outcome: Outcome) -> list[tuple[Signal, float]]:
    status, latency_us, first_token_us, input_tokens, _, output_tokens, cost_nano_usd = outcome
    answered, cancelled = status is Status.OK, status is Status.CANCELLED
    values: list[tuple[Signal, float]] = []
    add = values.append
    if not cancelled:
        add(("error", 0.0 if answered else 1.0))
    if latency_us is not None and (answered or status is Status.TIMEOUT):
        add(("latency", _clipped_log(latency_us * 1e-6, LN_SECONDS_RANGE)))
    if first_token_us is not None and (answered or cancelled):
        add(("first_token", _clipped_log(first_token_us * 1e-6, LN_SECONDS_RANGE)))
    if answered or cancelled or (status is Status.ERROR and cost_nano_usd):
        if output_tokens is not None:
            add(("output_tokens", _clipped_log(output_tokens, LN_TOKENS_RANGE)))
        if input_tokens and requested_tokens:
            add(("input_ratio", _clipped_log(input_tokens / requested_tokens, LN_RATIO_RANGE)))
    return values


def _clipped_log(value: float, bounds: tuple[float, float]) -> float:
    low, high = bounds
    if value <= 0.0:
        return low
    y = math.log(value)
    return low if y < low else high if y > high else y
