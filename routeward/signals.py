"""What a caller tells Feedback about a decision, and what becomes of it.

One vote counts per decision and signal name: "outcome", "thumb" or "score:<name>". The latest observation
wins. `observed_time` must have a time zone; the client fills a missing one in once, before any retry, so
that a retry never counts twice.
"""

from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from enum import IntEnum

from routeward.decisions import Decision, OpenEnum


class Status(IntEnum):
    """Result of a call to a model; the numbers are those of the contract."""

    OK = 1
    ERROR = 2
    TIMEOUT = 3
    RATE_LIMITED = 4
    CANCELLED = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the call to the model went; what is not known stays None and is never learned as zero.

    Latencies are seconds since the request was sent, to the last byte and to the first token. Tokens are
    as billed, `cost_usd` is the billed cost.
    """

    status: Status
    _: KW_ONLY
    latency_s: float | None = None
    time_to_first_token_s: float | None = None
    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    observed_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Thumb:
    """A user's judgement of the answer."""

    up: bool
    _: KW_ONLY
    observed_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """A graded judgement in [0, 1] by the judge called `name`; a namespace has at most 7 names."""

    name: str
    value: float
    _: KW_ONLY
    observed_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Retract:
    """Takes back an earlier signal of the decision: "outcome", "thumb" or "score:<name>"."""

    signal: str
    _: KW_ONLY
    observed_time: datetime | None = None


Signal = Outcome | Thumb | Score | Retract


def thumbs_up() -> Thumb:
    """Return the judgement that the answer was good."""
    return Thumb(up=True)


def thumbs_down() -> Thumb:
    """Return the judgement that the answer was bad."""
    return Thumb(up=False)


@dataclass(frozen=True, slots=True)
class Feedback:
    """One item of a batch: signals about one decision.

    `rater` is a pseudonym of the end user who judged, at most 64 characters, never an e-mail address or a
    name.
    """

    decision: Decision | str
    signals: tuple[Signal, ...]
    rater: str = ""


class SignalStatus(OpenEnum):
    """What became of a signal; UNSPECIFIED stands for a status that is newer than this client.

    SPOOLED: the server has it on its disk, and counts it once its database answers.
    """

    UNSPECIFIED = 0
    APPLIED = 1
    AMENDED = 2
    RETRACTED = 3
    DUPLICATE = 4
    SUPERSEDED = 5
    SPOOLED = 6

    @property
    def counted(self) -> bool:
        """Whether the signal changed what is counted."""
        return self in {SignalStatus.APPLIED, SignalStatus.AMENDED, SignalStatus.RETRACTED}


@dataclass(frozen=True, slots=True)
class SignalResult:
    """What became of the signal of this name."""

    signal: str
    status: SignalStatus


@dataclass(frozen=True, slots=True)
class FeedbackResult:
    """What became of each signal, in order; empty for a decision that the client made alone.

    `revision` is that of the first learned state that includes them, None where there is none.
    """

    results: tuple[SignalResult, ...] = ()
    revision: int | None = None
