"""The configuration file, table by table: every key with its type, range, default and meaning.

Reference pages and the hints of errors are made from these classes. Keys that stand for time, money or size
name their unit.
"""

from typing import Annotated, Final

from pydantic import Field

from adapters.toml.kinds import FileName, Name, UsdPerMtok
from adapters.toml.table import Table
from bandit.modes import MAXIMIZE, CheapestWithin
from bandit.priors import KNOWLEDGE_CAP, InferenceSettings
from bandit.snapshot import PolicySettings
from server.config.gateway_schema import GatewayTable, ProviderTable
from server.config.kinds import (
    BudgetUsd,
    Days,
    Listen,
    ModeName,
    OnExhausted,
    OptionalName,
    QualitySource,
    Sha256,
    Tokens,
    UpstreamName,
    Usd,
)
from server.config.store_schema import SpoolTable, StoreTable


class KeyTable(Table):
    """An API key. `routeward keys create ID` makes one; only the hash of its secret stands here."""

    id: Name = Field(description="name of the key, which is logged as the client", examples=["checkout-service"])
    sha256: Sha256 = Field(
        description="SHA-256 of the secret, in lower case hexadecimal", examples=["9f86d08...0f00a08"]
    )
    namespace: Name = Field(
        default="default", description="tenant that callers with this key belong to", examples=["shop"]
    )
    admin: bool = Field(
        default=False, description="whether it may change models and profiles, which all tenants share, and categories"
    )


class ServerTable(Table):
    """Where and how to listen."""

    listen: Listen = Field(
        default="127.0.0.1:7443",
        description="address for RPCs; anything but loopback needs [[server.keys]] and keys that sign decision ids",
        examples=["127.0.0.1:7443"],
    )
    metrics: Listen = Field(
        default="127.0.0.1:9464", description="address for Prometheus figures, which are served without authentication"
    )
    tls_certificate: FileName = Field(
        default="", description="PEM file of the certificate chain; needs tls_key", examples=["tls.crt"]
    )
    tls_key: FileName = Field(
        default="", description="PEM file of the private key; needs tls_certificate", examples=["tls.key"]
    )
    token_key_file: FileName = Field(
        default="",
        description="file with the keys that sign decision ids, unless ROUTEWARD_TOKEN_KEYS holds them; "
        "empty: beside the database, with the ending .keys",
        examples=["routeward.keys"],
    )
    drain_seconds: float = Field(
        default=0.5, ge=0, le=60, description="time between reporting not ready and refusing calls when shutting down"
    )
    grace_seconds: float = Field(
        default=5.0, ge=0, le=300, description="time that running calls get to end when shutting down"
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="processes that serve at these addresses; more than one need PostgreSQL, and each has its own port "
        "for figures: that of metrics and those after it",
    )
    keys: list[KeyTable] = Field(default_factory=list, max_length=1000)


class HalfLifeTable(Table):
    """Time after which an observation of a signal counts half. A signal that is not named is never forgotten."""

    quality: Days | None = Field(default=None, description="thumbs and scores", examples=[30])
    error: Days | None = Field(default=None, description="whether calls fail", examples=[2])
    latency: Days | None = Field(default=None, description="time to the whole answer", examples=[2])
    first_token: Days | None = Field(default=None, description="time to the first token", examples=[2])
    output_tokens: Days | None = Field(default=None, description="length of answers", examples=[30])
    input_ratio: Days | None = Field(
        default=None, description="prompt tokens as billed over those of the request", examples=[30]
    )


_POLICY: Final = PolicySettings()
_INFERENCE: Final = InferenceSettings()


class LearningTable(Table):
    """How to learn, and how often to publish what was learned."""

    exploration: float = Field(
        default=_POLICY.exploration,
        ge=0.01,
        le=2,
        description="share of the posterior's deviation that decisions explore; 1 is textbook",
    )
    floor: float = Field(
        default=_POLICY.floor, ge=0, le=0.1, description="smallest probability of a model that may be chosen"
    )
    refresh_seconds: float = Field(
        default=0.5, ge=0.05, le=60, description="time between two publications of what was learned"
    )
    bucket_seconds: float = Field(
        default=10.0, ge=1, le=3600, description="width of the finest time bucket; fixed once something was learned"
    )
    max_feedback_age_days: Days = Field(default=7.0, description="age of a decision up to which feedback is accepted")
    warm_start: FileName = Field(
        default="",
        description="file that  routeward warm-start  made of earlier logs, worth knowledge_cap at most in a category",
        examples=["warm-start.json"],
    )
    knowledge_cap: float = Field(
        default=KNOWLEDGE_CAP,
        ge=1,
        le=200,
        description="observations that all priors of a model in a category together are worth at most",
    )
    knowledge_half_life: float = Field(
        default=_INFERENCE.knowledge_half_life,
        ge=1,
        le=1_000_000,
        description="observations of a signal in a category, of whatever model, after which priors count half",
    )
    prior_from_weight: float = Field(
        default=_INFERENCE.prior_from_weight,
        ge=1,
        le=20,
        description="observations that what a category takes over from its prior_from is worth at most",
    )
    judge_delta: float = Field(
        default=_INFERENCE.judge_delta,
        ge=0.001,
        le=0.5,
        description="deviation of a judge's error about a model in a category, where thumb+score:NAME counts: its "
        "scores are worth 1 / judge_delta^2 at most",
    )
    spread_unjudged: bool = Field(
        default=_POLICY.spreads_unjudged,
        description="spread calls over the models while nobody has judged any answer; false where nobody ever will",
    )
    half_life_days: HalfLifeTable = HalfLifeTable()
    caps: dict[Name, Annotated[float, Field(gt=0, le=1)]] = Field(
        default_factory=dict, description="largest probability, by model id"
    )
    canary_share: float = Field(
        default=_POLICY.canary_share,
        ge=0,
        le=1,
        description="largest probability of a model with few outcomes over all categories; 0 is off",
    )
    canary_observations: float = Field(
        default=_POLICY.canary_observations,
        ge=1,
        le=1_000_000,
        description="outcomes from which on a model is no canary any more",
    )


class RoutingTable(Table):
    """What Route may answer."""

    max_categories: int = Field(
        default=100, ge=1, le=10_000, description='categories per tenant; beyond them new ones are routed as "default"'
    )
    strict_categories: bool = Field(default=False, description="refuse categories that are not named in this file")
    max_fallbacks: int = Field(
        default=3, ge=0, le=8, description="models that a decision offers for when the first one fails"
    )


class ProfileTable(Table):
    """What a caller values, in US dollars. Requests name a profile and may override it; "balanced" is the default."""

    answer_value_usd: Usd = Field(default=0.05, description="worth of one fully good answer")
    second_value_usd: Usd = Field(default=0.001, description="worth of waiting one second less")


_CHEAPEST: Final = CheapestWithin()


class CategoryTable(Table):
    """A kind of task. Categories that are not named here are made from these defaults when they are first asked for."""

    input_tokens: Tokens = Field(default=1000, description="tokens of a typical prompt, for requests that do not say")
    quality_source: QualitySource = Field(
        default="thumb",
        description="judgement that counts as quality: thumb, score:NAME, any for all alike, or thumb+score:NAME for a "
        "judge whom thumbs put right",
        examples=["score:judge"],
    )
    latency_probability: float = Field(
        default=0.95, ge=0.5, le=0.9999, description="probability with which max_latency of a request must hold"
    )
    prior_from: OptionalName = Field(
        default="",
        description="category of this file whose posterior is the prior of this one, worth prior_from_weight at most",
        examples=["summarization"],
    )
    mode: ModeName = Field(
        default="maximize",
        description="maximize the utility of requests, or choose the cheapest model within `within` of the best",
        examples=["cheapest_within"],
    )
    within: float = Field(
        default=_CHEAPEST.within,
        ge=0.0001,
        le=1,
        description="what quality may be below the best model's; needs mode cheapest_within",
    )
    within_probability: float = Field(
        default=_CHEAPEST.probability,
        ge=0.5,
        le=0.9999,
        description="probability with which that must hold; needs mode cheapest_within",
    )
    within_exploration: float = Field(
        default=_CHEAPEST.exploration_share,
        ge=0,
        le=0.5,
        description="largest share of requests, and of cost, spent on finding cheaper models; "
        "needs mode cheapest_within",
    )
    baseline: OptionalName = Field(
        default="", description="id of the model used so far, for observe_share and guard", examples=["gpt-4o"]
    )
    observe_share: float = Field(
        default=MAXIMIZE.observe_share,
        ge=0,
        le=1,
        description="share of requests that get the policy's choice, the others the baseline; "
        "0 only logs what it would be",
    )
    guard: float = Field(
        default=MAXIMIZE.guard,
        ge=0,
        le=0.99,
        description="largest relative loss against the baseline up to which there is exploring; 0 is off",
    )


class ModelTable(Table):
    """An LLM at a provider that can serve calls."""

    id: Name = Field(
        description="stable name: what was learned belongs to it, and repricing changes nothing learned",
        examples=["gpt-4o-mini"],
    )
    input_usd_per_mtok: UsdPerMtok = Field(
        description="price of a million prompt tokens in US dollars, from the provider's price list", examples=[0.15]
    )
    output_usd_per_mtok: UsdPerMtok = Field(
        description="price of a million answer tokens in US dollars, from the provider's price list", examples=[0.6]
    )
    cached_input_usd_per_mtok: UsdPerMtok | None = Field(
        default=None,
        description="price of a million prompt tokens read from the provider's cache; missing: as input",
        examples=[0.075],
    )
    family: OptionalName = Field(
        default="", description="the LLM itself, which several models may offer; empty: the id"
    )
    provider: OptionalName = Field(
        default="",
        description="who serves it, for the gateway a preset or a table of [providers]; the first fallback sits at "
        "another one",
        examples=["openai"],
    )
    upstream: UpstreamName = Field(
        default="", description="name of the model at its provider, for the gateway; empty: the id"
    )
    region: OptionalName = Field(default="", description="where it is served, for requests that ask for a region")
    context_tokens: Tokens | None = Field(
        default=None, description="largest prompt plus answer; missing: no limit", examples=[128_000]
    )
    max_output_tokens: Tokens | None = Field(
        default=None, description="largest answer; missing: no limit", examples=[16_384]
    )
    capabilities: list[Name] = Field(
        default_factory=list, max_length=16, description="what requests may ask for", examples=[["tools", "vision"]]
    )
    prior_quality: float | None = Field(
        default=None,
        ge=0.01,
        le=0.99,
        description="quality to start from in every category, for example a benchmark's; missing: as any model",
        examples=[0.8],
    )
    prior_weight: float = Field(
        default=5.0, ge=1, le=20, description="observations that prior_quality is worth", examples=[5]
    )
    prior_error_rate: float | None = Field(
        default=None, ge=0.0001, le=0.9, description="share of calls that fail, to start from", examples=[0.01]
    )
    list_latency_seconds: float | None = Field(
        default=None,
        ge=0.001,
        le=3600,
        description="typical time to the whole answer, to start from; worth one observation",
        examples=[1.5],
    )
    list_output_tokens: Tokens | None = Field(
        default=None, description="tokens of a typical answer, to start from; worth one observation", examples=[300]
    )
    enabled: bool = Field(default=True, description="whether it may be chosen; what was learned is kept either way")
    alias_of: OptionalName = Field(
        default="",
        description="id that it had before it was renamed; it knows what was learned under that one",
        examples=["gpt-4o"],
    )


class BudgetTable(Table):
    """Money for requests, paced by a price on every dollar. Where it names no scope, it pays for all of a tenant's."""

    name: Name = Field(description="name of the budget, in figures and errors", examples=["drafts"])
    namespace: OptionalName = Field(
        default="", description="tenant that has this budget; empty: each has one of its own", examples=["shop"]
    )
    category: OptionalName = Field(
        default="", description="category that it pays for; empty: all", examples=["summarization"]
    )
    profile: OptionalName = Field(default="", description="profile that it pays for; empty: all", examples=["thrifty"])
    usd_per_request: BudgetUsd | None = Field(
        default=None, description="what a request may cost on average; give this or usd_per_period", examples=[0.002]
    )
    usd_per_period: BudgetUsd | None = Field(
        default=None, description="what all requests of a period may cost together", examples=[50.0]
    )
    period_hours: int = Field(
        default=24, ge=1, le=744, description="length of a period; periods begin at multiples of it since 1970 in UTC"
    )
    on_exhausted: OnExhausted = Field(
        default="cheapest", description="once the money of a period is spent: only the cheapest model, or no answer"
    )


class Document(Table):
    """The whole file."""

    server: ServerTable = ServerTable()
    store: StoreTable = StoreTable()
    spool: SpoolTable = SpoolTable()
    learning: LearningTable = LearningTable()
    routing: RoutingTable = RoutingTable()
    profiles: dict[Name, ProfileTable] = Field(default_factory=dict, max_length=1000)
    categories: dict[Name, CategoryTable] = Field(default_factory=dict)
    budgets: list[BudgetTable] = Field(default_factory=list, max_length=64)
    gateway: GatewayTable = GatewayTable()
    providers: dict[Name, ProviderTable] = Field(default_factory=dict, max_length=64)
    models: list[ModelTable] = Field(min_length=1, max_length=64, description="the models to choose from")
