"""Why a decision came out as it did, or would: what ExplainDecision answers."""

from dataclasses import dataclass
from datetime import datetime

from routeward.decisions import Constraints, DecisionKind, Objective, RouteReason


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTerms:
    """What a model is expected to bring a request: means, and what they are worth in US dollars.

    `utility_usd` is `answer_usd - cost_usd - budget_usd - waiting_usd`, and `utility_sd_usd` how unsure it is. A budget
    adds to the cost because money is scarce; nobody pays that. The counts say how many outcomes and judgements in the
    category it rests on, after forgetting; the shifts are probabilities that the model is at another level than usual
    just then. What was not logged yet when the decision was made is None.
    """

    quality: float
    error_rate: float
    latency_s: float
    answer_usd: float
    cost_usd: float
    budget_usd: float
    waiting_usd: float
    utility_usd: float
    utility_sd_usd: float | None = None
    outcome_count: float | None = None
    quality_count: float | None = None
    quality_shift: float | None = None
    error_shift: float | None = None
    latency_shift: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelExplanation:
    """What a decision made of one model.

    `intended_probability` is what the policy would have given it without the category's baseline, None where that is
    `probability`. `best_probability` is that of being worth the most, None where it is not stated. `terms` is None for
    a model that could not serve the call at all; `excluded` names what excluded it, "" when nothing did.
    """

    model: str
    probability: float
    intended_probability: float | None = None
    best_probability: float | None = None
    terms: ModelTerms | None = None
    excluded: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedDecision:
    """A decision that was made; `fallback_model` is set where it was asked about by the id of one of its fallbacks."""

    model: str
    propensity: float
    decided_time: datetime
    fallback_model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a decision came out as it did, or how a call would be decided now.

    `decision` is None for a call that is only imagined. `limits` holds limits on cost, latency and quality only;
    `input_tokens` is None where the caller did not say. `models` come with the likeliest first.
    """

    category: str
    kind: DecisionKind
    reason: RouteReason
    objective: Objective
    limits: Constraints
    input_tokens: int | None
    revision: int
    computed_time: datetime
    decision: ExplainedDecision | None
    models: tuple[ModelExplanation, ...]
