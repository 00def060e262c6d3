"""What is observed about a decision, in integers, so that adding it up is exact.

Times are microseconds since 1970-01-01 UTC, durations microseconds, money nano-dollars, and values of
quality fixed point of 2^-20.
"""

import math
from enum import IntEnum
from typing import Final, NamedTuple

from bandit.errors import OutOfRangeError

SCALE: Final = 1 << 20
"""Units of fixed point in 1."""

THUMB: Final = "thumb"
OUTCOME: Final = "outcome"
SCORE_PREFIX: Final = "score:"


class Status(IntEnum):
    """Result of a call to a model; the numbers are those of the contract."""

    OK = 1
    ERROR = 2
    TIMEOUT = 3
    RATE_LIMITED = 4
    CANCELLED = 5


class Kind(IntEnum):
    """How a decision came about; the numbers are those of the contract."""

    SAMPLED = 1
    BASELINE = 2
    FORCED = 3
    FALLBACK = 4
    DEGRADED = 5


class Outcome(NamedTuple):
    """How the call to the model went; None is unknown."""

    status: Status
    latency_us: int | None = None
    time_to_first_token_us: int | None = None
    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    output_tokens: int | None = None
    cost_nano_usd: int | None = None

    @property
    def signal(self) -> str:
        """Name under which one decision keeps one outcome."""
        return OUTCOME


class Thumb(NamedTuple):
    """A user's judgement."""

    up: bool

    @property
    def signal(self) -> str:
        """Name under which one decision keeps one thumb."""
        return THUMB


class Score(NamedTuple):
    """A graded judgement; `value` is fixed point in [0, SCALE]."""

    name: str
    value: int

    @property
    def signal(self) -> str:
        """Name under which one decision keeps one score of this name."""
        return SCORE_PREFIX + self.name


Fact = Outcome | Thumb | Score
"""One observed fact; a retraction is the absence of one (None)."""


class DecisionFacts(NamedTuple):
    """What learning needs to know of the decision a fact is about.

    `decided_us` is the time of the decision; `input_tokens` what the request said, None if it said nothing.
    """

    category: str
    model: str
    kind: Kind
    decided_us: int
    input_tokens: int | None = None


def to_fixed_point(value: float) -> int:
    """Round `value` to units of 2^-20. Raises OutOfRangeError unless it is finite."""
    if not math.isfinite(value):
        raise OutOfRangeError(f"{value} is not a finite number")
    return round(value * SCALE)
