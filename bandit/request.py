"""What shapes a distribution, apart from the snapshot: hashable, and exactly the key of its cache.

They are tuples, which are made and hashed several times as fast as dataclasses: every call makes one and looks it up.
"""

import math
from typing import NamedTuple


class Objective(NamedTuple):
    """What the caller values, in US dollars: one fully good answer, and one second of waiting."""

    answer_value_usd: float = 0.05
    second_value_usd: float = 0.001


class Limits(NamedTuple):
    """Service levels a model must meet, judged by the unscaled posterior; None does not limit.

    `max_cost_usd` bounds the expected cost, `min_quality` the posterior mean of quality, and the latency must be
    at most `max_latency_s` with probability `latency_probability`. Where no model meets them,
    `least_violation` chooses the nearest one instead of refusing.
    """

    max_cost_usd: float | None = None
    max_latency_s: float | None = None
    min_quality: float | None = None
    latency_probability: float = 0.95
    least_violation: bool = False


class Request(NamedTuple):
    """What a distribution is asked for.

    Token counts are representatives of their bucket (`quarter_octave`), so that near requests share a
    distribution and its propensity is exact for all of them. Bit m of `eligible` says that model m of the
    snapshot may be chosen. `cached_model` is the model whose prompt cache holds `cached_input_tokens`. `profile` is
    named only where a budget is a profile's: it tells apart what is paid for, and nothing else.
    """

    category: str
    eligible: int
    input_tokens: int
    objective: Objective = Objective()
    limits: Limits = Limits()
    max_output_tokens: int | None = None
    cached_model: str = ""
    cached_input_tokens: int = 0
    profile: str = ""


def quarter_octave(tokens: int) -> int:
    """Return the representative of the quarter octave that holds `tokens`; counts below 8 stand for themselves."""
    if tokens < 8:
        return tokens
    return round(math.exp2((math.floor(4.0 * math.log2(tokens)) + 0.5) / 4.0))
