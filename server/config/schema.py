"""The configuration file, table by table: every key with its type, range, default and meaning.

Reference pages and the hints of errors are made from these classes. Keys that stand for time, money or size
name their unit.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from bandit.snapshot import PolicySettings
from server.fields import NAME


@dataclass(frozen=True, slots=True)
class Rule:
    """What a text must look like, in words."""

    words: str


NAME_RULE: Final = Rule("1 to 64 characters of A-Z a-z 0-9 . _ : / - that begin with a letter or digit")

Name = Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$"), NAME_RULE]
OptionalName = Annotated[str, StringConstraints(pattern=f"^({NAME.pattern})?$"), Rule(f"empty, or {NAME_RULE.words}")]
QualitySource = Annotated[
    str,
    StringConstraints(pattern=r"^(thumb|any|score:[A-Za-z0-9._:/-]{1,57})$"),
    Rule('"thumb", "any", or "score:NAME"'),
]
Sha256 = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{64}$"),
    Rule("64 lower case hexadecimal digits, as `routeward keys create` prints them"),
]
FileName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]*$"), Rule("a path")]
Days = Annotated[float, Field(ge=0.01, le=3650)]
Tokens = Annotated[int, Field(ge=1, le=100_000_000)]
UsdPerMtok = Annotated[float, Field(ge=0, le=100_000)]
Usd = Annotated[float, Field(ge=0, le=1_000_000)]


OnExhausted = Annotated[str, StringConstraints(pattern="^(cheapest|refuse)$"), Rule('"cheapest" or "refuse"')]
BudgetUsd = Annotated[float, Field(gt=0, le=1_000_000_000)]


class Address(NamedTuple):
    """A host and a port to listen on."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host == "localhost" or ip_address(self.host).is_loopback


def parse_address(text: str) -> Address:
    """Read "HOST:PORT"; the host is "localhost" or an address. Raises ValueError."""
    host, _, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (port.isascii() and port.isdigit() and int(port) < 65_536):
        raise ValueError(f"{text!r} has no port from 0 to 65535")
    if host != "localhost":
        ip_address(host)
    return Address(host, int(port))


def _checked_address(text: str) -> str:
    try:
        parse_address(text)
    except ValueError as error:
        raise PydanticCustomError("address", "no address to listen on") from error
    return text


Listen = Annotated[
    str,
    AfterValidator(_checked_address),
    Rule('"HOST:PORT", where the host is localhost, an IPv4 address, or an IPv6 address in brackets'),
]


class Table(BaseModel):
    """A table of the file: keys that it does not know are errors, and nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class KeyTable(Table):
    """An API key. `routeward keys create ID` makes one; only the hash of its secret stands here."""

    id: Name = Field(description="name of the key, which is logged as the client", examples=["checkout-service"])
    sha256: Sha256 = Field(
        description="SHA-256 of the secret, in lower case hexadecimal", examples=["9f86d08...0f00a08"]
    )
    namespace: Name = Field(
        default="default", description="tenant that callers with this key belong to", examples=["shop"]
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
    keys: list[KeyTable] = Field(default_factory=list, max_length=1000)


class StoreTable(Table):
    """Where to keep what is learned."""

    path: FileName = Field(
        default="routeward.db", description="SQLite file, relative to this file; empty: memory, gone with the process"
    )
    retention_days: Days = Field(
        default=30.0, description="age at which signals and decisions are dropped; what they taught stays"
    )
    min_free_mb: int = Field(
        default=256,
        ge=0,
        le=1_000_000,
        description="free disk space below which decisions are not logged; feedback always is",
    )


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
    half_life_days: HalfLifeTable = HalfLifeTable()
    caps: dict[Name, Annotated[float, Field(gt=0, le=1)]] = Field(
        default_factory=dict, description="largest probability, by model id"
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


class CategoryTable(Table):
    """A kind of task. Categories that are not named here are made from these defaults when they are first asked for."""

    input_tokens: Tokens = Field(default=1000, description="tokens of a typical prompt, for requests that do not say")
    quality_source: QualitySource = Field(
        default="thumb",
        description="judgement that counts as quality: thumb, score:NAME, or any for all",
        examples=["score:judge"],
    )
    latency_probability: float = Field(
        default=0.95, ge=0.5, le=0.9999, description="probability with which max_latency of a request must hold"
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
    provider: OptionalName = Field(default="", description="who serves it; the first fallback sits at another provider")
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
    enabled: bool = Field(default=True, description="whether it may be chosen; what was learned is kept either way")


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
    learning: LearningTable = LearningTable()
    routing: RoutingTable = RoutingTable()
    profiles: dict[Name, ProfileTable] = Field(default_factory=dict, max_length=1000)
    categories: dict[Name, CategoryTable] = Field(default_factory=dict)
    budgets: list[BudgetTable] = Field(default_factory=list, max_length=64)
    models: list[ModelTable] = Field(min_length=1, max_length=64, description="the models to choose from")
