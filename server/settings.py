"""What the service is told: frozen values that `config.py` builds once from a TOML file and the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from adapters.providers.chat import Timeouts
from adapters.providers.endpoint import Endpoint, Upstream
from bandit.budget import Budget
from bandit.catalogue import Model
from bandit.priors import InferenceSettings
from bandit.request import Objective
from bandit.snapshot import PolicySettings

DEFAULT_NAMESPACE = "default"
DEFAULT_CATEGORY = "default"
DEFAULT_PROFILE = "balanced"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of the server's certificate chain and private key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A credential: only the SHA-256 of its secret is known. Its namespace is the tenant.

    `is_admin` allows to change models and profiles, which all tenants share, and the tenant's categories.
    """

    id: str
    sha256: str
    namespace: str = DEFAULT_NAMESPACE
    is_admin: bool = False


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key that signs decision ids; replicas must share it. `id` has 1 to 16 characters."""

    id: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where and how to listen. Without `keys` everyone is namespace "default", which only loopback may be.

    Several `workers` are processes that share the addresses, but for figures: there each has a port of its own.
    `token_keys` are those of the environment; without them `token_key_file` holds them, and without either they
    last as long as the process.
    """

    listen: str = "127.0.0.1:7443"
    metrics_listen: str = "127.0.0.1:9464"
    tls: TlsFiles | None = None
    keys: tuple[ApiKey, ...] = ()
    token_keys: tuple[TokenKey, ...] = ()
    token_key_file: Path | None = None
    drain_s: float = 0.5
    grace_s: float = 5.0
    workers: int = 1


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """How to reach a PostgreSQL that several replicas share. `url` may hold a password, and is never shown.

    A replica looks at the store every `sync_s`. The other times bound, in seconds, connecting, one statement, and
    waiting for a connection.
    """

    url: str = field(repr=False)
    sync_s: float = 0.5
    connect_s: float = 5.0
    statement_s: float = 5.0
    connections: int = 4


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where to keep what is learned: in PostgreSQL, else in the SQLite file `path`. An empty path keeps it in memory.

    `snapshot_path` is a local file with the last that was learned, for a start while PostgreSQL does not answer; None
    writes none. `export_folder` takes the log before its days are dropped; None drops without.
    """

    path: Path = Path("routeward.db")
    postgres: PostgresSettings | None = None
    snapshot_path: Path | None = None
    export_folder: Path | None = None
    retention_s: float = 30 * 86400.0
    min_free_bytes: int = 256 * 1024 * 1024

    @property
    def in_memory(self) -> bool:
        """Whether what is learned ends with the process."""
        return self.path == Path() and self.postgres is None

    @property
    def in_file(self) -> bool:
        """Whether what is learned is kept in the SQLite file."""
        return self.path != Path() and self.postgres is None


@dataclass(frozen=True, slots=True)
class SpoolSettings:
    """Where to keep feedback while the store does not take it: a file on a durable disk, of at most `max_bytes`.

    Without a path such feedback is refused. What is in the files of `left`, which are nobody's any more, is taken over.
    """

    path: Path | None = None
    max_bytes: int = 1024 * 1024 * 1024
    left: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class LearningSettings:
    """How to learn and how often to publish what was learned."""

    inference: InferenceSettings = field(default_factory=InferenceSettings)
    policy: PolicySettings = field(default_factory=PolicySettings)
    bucket_s: float = 10.0
    refresh_s: float = 0.5
    max_feedback_age_s: float = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class CategorySettings:
    """What is known of a category; `input_tokens` stands in where a request does not say."""

    input_tokens: int = 1000
    latency_probability: float = 0.95


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What can be asked for: models, categories and profiles by name; and the budgets that pay for it."""

    models: tuple[Model, ...] = ()
    categories: Mapping[str, CategorySettings] = field(default_factory=dict)
    profiles: Mapping[str, Objective] = field(default_factory=lambda: {DEFAULT_PROFILE: Objective()})
    max_categories: int = 100
    strict_categories: bool = False
    max_fallbacks: int = 3
    budgets: tuple[Budget, ...] = ()

    def budgets_of(self, namespace: str) -> tuple[Budget, ...]:
        """Return the budgets that a namespace has."""
        return tuple(budget for budget in self.budgets if budget.namespace in ("", namespace))


@dataclass(frozen=True, slots=True)
class HeaderRule:
    """Calls whose `header` (lower case) matches the shell pattern `pattern` are of this category."""

    header: str
    pattern: str
    category: str


class Remedy(NamedTuple):
    """Why a model of a provider cannot be called, and what to do, in words for people."""

    provider: str
    why: str
    advice: str


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """How to call models for callers. An empty `listen` does not.

    `endpoints` are the providers by name, `upstreams` the models that can be called by id, `uncallable` says of each
    other one why it cannot ("provider_key": its key is not set; "provider": nobody said where it is);
    `remedies` say what to do.
    `private_hosts` are the names in base URLs that may lead to private addresses. `categories` names fingerprints.
    `upstream_names` are the names of models at their providers, by id, where they differ.
    `key_variables` says, by provider, where its key should come from, for advice. `fingerprint_key` is that of the
    environment; without it `fingerprint_key_file` holds it, and without either it lasts as long as the process.
    """

    listen: str = ""
    timeouts: Timeouts = field(default_factory=Timeouts)
    max_body_bytes: int = 20 * 1024 * 1024
    private_hosts: frozenset[str] = frozenset()
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    upstreams: Mapping[str, Upstream] = field(default_factory=dict)
    uncallable: Mapping[str, str] = field(default_factory=dict)
    upstream_names: Mapping[str, str] = field(default_factory=dict)
    remedies: Mapping[str, Remedy] = field(default_factory=dict)
    key_variables: Mapping[str, str] = field(default_factory=dict)
    categories: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[HeaderRule, ...] = ()
    fingerprint_key: bytes = field(default=b"", repr=False)
    fingerprint_key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything, with a digest that names this configuration in snapshots and logs."""

    server: ServerSettings = field(default_factory=ServerSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    spool: SpoolSettings = field(default_factory=SpoolSettings)
    learning: LearningSettings = field(default_factory=LearningSettings)
    catalogue: Catalogue = field(default_factory=Catalogue)
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    digest: str = ""
