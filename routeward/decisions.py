"""What a caller asks of Route, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Self, TypedDict


class OpenEnum(IntEnum):
    """An enum of the contract, in which a newer server may know more names than this client."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return cls(0) if isinstance(value, int) and value != 0 else None


class DecisionKind(OpenEnum):
    """How a decision came about; the numbers are those of the contract.

    Only SAMPLED and BASELINE decisions carry a propensity for off-policy use. UNSPECIFIED stands for a kind
    that is newer than this client.
    """

    UNSPECIFIED = 0
    SAMPLED = 1
    BASELINE = 2
    FORCED = 3
    FALLBACK = 4
    DEGRADED = 5


class RouteReason(OpenEnum):
    """Why a decision is not the ordinary draw; UNSPECIFIED when it is."""

    UNSPECIFIED = 0
    CATEGORY_LIMIT = 1
    LEAST_VIOLATION = 2
    LATENCY_UNKNOWN = 3
    BASELINE_EXCLUDED = 4
    DEGRADED = 5


class OnInfeasible(IntEnum):
    """What to do when no model satisfies the limits on cost, latency and quality."""

    REFUSE = 1
    LEAST_VIOLATION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What an answer is worth; None leaves the profile's value.

    `answer_value_usd` is the value of one fully good answer, `second_value_usd` the price of a second of
    waiting, both 0 to 1,000,000 US dollars.
    """

    answer_value_usd: float | None = None
    second_value_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """Limits that a decision must respect; what is not given does not limit.

    `models` are the only ones that may be chosen (at most 64), `capabilities` what the model must declare
    (at most 16), `region` where it must be served from. `max_cost_usd` bounds the expected cost,
    `max_latency_s` (above 0) must hold with the category's probability, `min_quality` (0 to 1) bounds the mean.
    """

    models: Sequence[str] = ()
    capabilities: Sequence[str] = ()
    region: str = ""
    max_cost_usd: float | None = None
    max_latency_s: float | None = None
    min_quality: float | None = None
    on_infeasible: OnInfeasible = OnInfeasible.REFUSE


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What to expect of the call: quality and error rate in 0 to 1, US dollars, seconds."""

    quality: float
    cost_usd: float
    latency_s: float
    latency_p95_s: float
    error_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Which model should serve a call.

    `fallbacks` are to be tried in order when the call fails; each is a decision of its own, and takes the
    feedback about its own model. `propensity` is the exact probability with which `model` was drawn, 1 where
    there was no choice. `revision` is that of the learned state the decision was made from. A decision that
    the client made alone (kind DEGRADED) has no `decision_id`, and nothing can be learned from it.
    """

    decision_id: str
    model: str
    kind: DecisionKind
    propensity: float = 1.0
    fallbacks: "tuple[Decision, ...]" = ()
    forecast: Forecast | None = None
    revision: int | None = None
    reason: RouteReason = RouteReason.UNSPECIFIED


class RouteOptions(TypedDict, total=False):
    """What `route`, `call` and `attempts` may be told beside the category. All of it is optional."""

    input_tokens: int | None
    """Tokens of the prompt as you count them. Default: the category's typical size."""
    max_output_tokens: int | None
    """Largest answer you will accept, in tokens."""
    profile: str
    """Named objective from the server's configuration. Default: "balanced"."""
    objective: Objective | None
    """Overrides fields of the profile one by one."""
    constraints: Constraints | None
    """What the chosen model must satisfy."""
    model: str
    """Forces this model. The decision teaches latency, errors and tokens, but not quality."""
    previous: Decision | str | None
    """Decision whose model holds this conversation's prompt cache."""
    cached_input_tokens: int | None
    """Prompt tokens that the previous model would read from its cache."""
    session_id: str
    """Conversation or user session, kept in the decision log. At most 128 characters, no personal data."""
    request_id: str
    """Correlation id, kept in the decision log. At most 128 characters."""
