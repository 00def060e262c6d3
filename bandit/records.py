"""What is written down: one record per decision, one per (decision, signal).

They are tuples because several are made per call.
"""

from collections.abc import Mapping
from typing import NamedTuple

from bandit.signals import DecisionFacts, Fact, Kind
from bandit.spend import Bill


class SignalRecord(NamedTuple):
    """One signal about one decision, as stored: `fact` is None where it was taken back.

    `nonce` (12 bytes) names the decision, `parent` the decision it is a fallback of (empty: none). All but
    `fact` and the two times comes from the signed decision token and the caller's credential. `bill` is what an outcome
    cost; None where that is unknown, where no budget asks for it, and for other signals.
    """

    namespace: str
    nonce: bytes
    signal: str
    fact: Fact | None
    observed_us: int
    received_us: int
    decision: DecisionFacts
    propensity: float
    parent: bytes = b""
    client: str = ""
    rater: str = ""
    bill: Bill | None = None


class ModelForecast(NamedTuple):
    """What was expected of one model when a decision was made, and the probability it was given.

    `utility_sd_usd` is the standard deviation of its utility by the unscaled posterior. The counts say how many
    outcomes and judgements of the category that rests on, after forgetting, and the shifts are the probabilities that
    the model is at another level than usual. These are None in rows that were logged before they were kept.
    """

    probability: float
    quality: float
    cost_usd: float
    latency_s: float
    error_rate: float
    utility_sd_usd: float | None = None
    outcome_count: float | None = None
    quality_count: float | None = None
    quality_shift: float | None = None
    error_shift: float | None = None
    latency_shift: float | None = None


class DistributionRecord(NamedTuple):
    """What decisions were drawn from: shared by all that asked the same of one snapshot.

    `forecasts` covers the eligible models, `exclusions` names what excluded each other one. `config_hash` identifies
    models, prices and settings; `snapshot_us` is the time the posterior was computed for. `cached_model` is the model
    whose prompt cache was priced; the three limits are None where the request set none. `intended` is the probability
    that the policy would have given each eligible model, None where it is what was drawn from. `budget_price` is what a
    dollar cost beyond itself because of budgets.
    """

    revision: int
    snapshot_us: int
    config_hash: str
    answer_value_usd: float
    second_value_usd: float
    forecasts: Mapping[str, ModelForecast]
    exclusions: Mapping[str, str]
    cached_model: str = ""
    max_cost_usd: float | None = None
    max_latency_s: float | None = None
    min_quality: float | None = None
    budget_price: float = 0.0
    intended: Mapping[str, float] | None = None


class DecisionRecord(NamedTuple):
    """One decision, with all that replaying it takes, and never the prompt.

    `uniform` is the number that was drawn from `distribution`, None where nothing was. Token counts are what the
    request said, None where it said nothing.
    """

    namespace: str
    nonce: bytes
    decided_us: int
    category: str
    model: str
    kind: Kind
    propensity: float
    uniform: float | None
    reason: str
    profile: str
    distribution: DistributionRecord
    input_tokens: int | None = None
    max_output_tokens: int | None = None
    cached_input_tokens: int | None = None
    request_id: str = ""
    session_id: str = ""
    client: str = ""
