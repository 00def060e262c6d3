"""What a fact about a decision teaches: the events that the sums add up (DESIGN, "What a status teaches")."""

import math
from typing import Final, Literal, NamedTuple

from bandit.signals import SCALE, DecisionFacts, Fact, Kind, Outcome, Status, Thumb

Signal = Literal["error", "first_token", "input_ratio", "latency", "output_tokens", "quality"]
"""A quantity with a posterior of its own in every (category, model)."""

LN_SECONDS_RANGE: Final = (math.log(1e-3), math.log(3600.0))
LN_TOKENS_RANGE: Final = (0.0, math.log(1e8))
LN_RATIO_RANGE: Final = (math.log(1e-3), math.log(1e3))


class Event(NamedTuple):
    """One observation of one signal: `n` is 1, or -1 to take it back; `y` and `yy` are fixed point of 2^-20."""

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
    if fact is None:
        return ()
    if isinstance(fact, Outcome):
        observed = _outcome_values(decision.input_tokens, fact)
    elif decision.kind is Kind.FORCED:
        return ()
    else:
        value = float(fact.up) if isinstance(fact, Thumb) else fact.value / SCALE
        observed = [("quality", fact.signal, value)]
    category, model, decided_us = decision.category, decision.model, decision.decided_us
    return tuple(
        [
            Event(category, model, signal, source, decided_us, 1, round(y * SCALE), round(y * y * SCALE))
            for signal, source, y in observed
        ]
    )


_Value = tuple[Signal, str, float]


def _outcome_values(requested_tokens: int | None, outcome: Outcome) -> list[_Value]:
    status, latency_us, first_token_us = outcome[:3]
    answered = status is Status.OK
    values: list[_Value] = []
    if status is not Status.CANCELLED:
        values.append(("error", "", 0.0 if answered else 1.0))
    if latency_us is not None and (answered or status is Status.TIMEOUT):
        values.append(("latency", "", _clipped_log(latency_us * 1e-6, LN_SECONDS_RANGE)))
    if first_token_us is not None and (answered or status is Status.CANCELLED):
        values.append(("first_token", "", _clipped_log(first_token_us * 1e-6, LN_SECONDS_RANGE)))
    if _teaches_tokens(outcome):
        if outcome.output_tokens is not None:
            values.append(("output_tokens", "", _clipped_log(outcome.output_tokens, LN_TOKENS_RANGE)))
        if outcome.input_tokens and requested_tokens:
            ratio = outcome.input_tokens / requested_tokens
            values.append(("input_ratio", "", _clipped_log(ratio, LN_RATIO_RANGE)))
    return values


def _teaches_tokens(outcome: Outcome) -> bool:
    if outcome.status is Status.ERROR:
        return bool(outcome.cost_nano_usd)
    return outcome.status is Status.OK or outcome.status is Status.CANCELLED


def _clipped_log(value: float, bounds: tuple[float, float]) -> float:
    low, high = bounds
    return min(max(math.log(value), low), high) if value > 0 else low
