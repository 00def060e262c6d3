"""A decision of the own log, with everything that was said about it."""

from collections.abc import Mapping
from math import fsum
from typing import Final, NamedTuple

from adapters.traffic.calls import Call
from adapters.traffic.errors import LogError
from bandit.signals import SCORE_PREFIX, THUMB

ANY: Final = "any"
"""Source of a quality that is the mean of a call's judgements."""


class Judgement(NamedTuple):
    """What one source said of an answer: a value in [0, 1], and when that was observed."""

    value: float
    observed_us: int


class LoggedDecision(NamedTuple):
    """A call that routeward decided, and what else its log knows of it; an empty text is unknown.

    `call.call_id` is the nonce of the decision in hexadecimal, `parent` that of the decision it is a fallback of. In
    `call`, the quality is that of source `ANY`; `judgements` has each by its source, "thumb" or "score:NAME".
    """

    call: Call
    namespace: str
    parent: str = ""
    reason: str = ""
    profile: str = ""
    revision: int | None = None
    request_id: str = ""
    client: str = ""
    judgements: Mapping[str, Judgement] = {}

    def as_call(self, quality_source: str) -> Call:
        """Return the call with the quality that this source gives it."""
        if quality_source == ANY:
            return self.call
        judgement = self.judgements.get(quality_source)
        quality, judged_us = judgement or (None, None)
        return self.call._replace(quality=quality, judged_us=judged_us)


def overall(judgements: Mapping[str, Judgement]) -> tuple[float | None, int | None]:
    """Return the mean of all judgements, and when it was known: at the last of them."""
    if not judgements:
        return None, None
    values, times = zip(*judgements.values(), strict=True)
    return fsum(values) / len(values), max(times)


def require_quality_source(name: str) -> str:
    """Return a source of quality. Raises LogError for what is none."""
    if name in (ANY, THUMB) or (name.startswith(SCORE_PREFIX) and name != SCORE_PREFIX):
        return name
    raise LogError(f"'{name}' is no source of quality; give {ANY}, {THUMB} or {SCORE_PREFIX}NAME")
