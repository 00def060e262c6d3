"""What every decision of the own log is held against, whether it comes from a store or from a file."""

from typing import Final

from adapters.traffic.calls import Call
from adapters.traffic.cells import LATEST_US, SUM_TOLERANCE
from adapters.traffic.fields import NUMBERS, TIMES
from adapters.traffic.own.decision import LoggedDecision
from adapters.traffic.reading import consistent

HIGHEST: Final = {field.attribute: field.high for field in NUMBERS.values()} | dict.fromkeys(
    (field.attribute for field in TIMES.values()), LATEST_US
)
"""The largest number that a field of `Call` can be. None is below 0; a duration is 0 where it rounds to that."""


def sound(decision: LoggedDecision) -> LoggedDecision:
    """Return a decision, with its propensity where only probabilities say it.

    Raises ValueError for a number that is out of range, and for what contradicts itself.
    """
    call = decision.call
    for name, high in HIGHEST.items():
        value = getattr(call, name)
        if value is not None and not 0 <= value <= high:
            raise ValueError(f"{name} is out of range")
    if any(judgement.observed_us > LATEST_US for judgement in decision.judgements.values()):
        raise ValueError("judgements_us is out of range")
    return decision._replace(call=_drawn(call))


def _drawn(call: Call) -> Call:
    shares = call.probabilities
    if shares is not None and not abs(sum(shares.values()) - 1.0) <= SUM_TOLERANCE:
        raise ValueError("probabilities do not add up to 1")
    return consistent(call)
