"""Parts of the service over a store in memory, with a clock that only tests move."""

import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
import pytest

from adapters.memory import MemoryStore
from bandit.catalogue import Model, Prices
from bandit.request import Objective
from bandit.snapshot import PolicySettings
from server.credentials import Principal
from server.logs import logger
from server.metrics import Metrics
from server.namespace import Namespace
from server.publisher import Publisher
from server.questions import Questions
from server.routing import Decision, Router
from server.settings import Catalogue, CategorySettings, LearningSettings, Settings, TokenKey
from server.tokens import TokenKeys

START_US = 1_700_000_000_000_000
BUCKET_US = 10_000_000

MODELS = (
    Model("small", Prices(0.1, 0.4), provider="acme", context_tokens=8_000),
    Model("large", Prices(2.0, 8.0, 0.5), provider="acme", context_tokens=128_000, capabilities=frozenset({"tools"})),
    Model("other", Prices(2.5, 10.0), provider="globex", region="eu", capabilities=frozenset({"tools", "images"})),
    Model("retired", Prices(0.01, 0.01), provider="globex", enabled=False),
)


@dataclass
class Clock:
    """Microseconds since 1970, when a test says so."""

    now_us: int = START_US

    def __call__(self) -> int:
        return self.now_us

    def pass_s(self, seconds: float) -> None:
        self.now_us += round(seconds * 1e6)


@dataclass
class Log:
    """What was logged, line by line."""

    stream: io.StringIO = field(default_factory=io.StringIO)

    def __post_init__(self) -> None:
        self.logger = logger(self.stream, level="debug")

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@dataclass
class Parts:
    """A router and what it stands on."""

    settings: Settings
    clock: Clock
    store: MemoryStore
    log: Log
    keys: TokenKeys
    metrics: Metrics
    publisher: Publisher
    questions: Questions
    router: Router
    caller: Principal

    @property
    def namespace(self) -> Namespace:
        return self.publisher.namespaces[self.caller.namespace]

    def route(self, call: Any) -> Decision:
        return self.router.route(call, self.caller)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def keys() -> TokenKeys:
    return TokenKeys([TokenKey("test", b"a key for tests, of 32 bytes....")])


@pytest.fixture
def a_catalogue() -> Callable[..., Catalogue]:
    def build(**changes: Any) -> Catalogue:
        usual = {
            "models": MODELS,
            "categories": {"chat": CategorySettings(input_tokens=500), "default": CategorySettings()},
            "profiles": {"balanced": Objective(), "frugal": Objective(0.001, 0.0)},
        }
        return Catalogue(**usual | changes)

    return build


@pytest.fixture
async def parts_of(clock, log, keys, a_catalogue):
    """Build parts from changes to the catalogue and settings of the policy, after these namespaces were loaded."""

    async def build(*namespaces: str, policy: PolicySettings | None = None, **changes: Any) -> Parts:
        learning = LearningSettings(policy=policy or PolicySettings())
        settings = Settings(learning=learning, catalogue=a_catalogue(**changes), digest="c0ffee")
        store = MemoryStore(bucket_us=BUCKET_US)
        publisher = Publisher(store, settings, log.logger, clock=clock)
        await publisher.load(namespaces or ("acme",))
        questions = Questions(publisher.namespaces, keys, settings.learning.max_feedback_age_s)
        numbers = count(1)
        router = Router(
            questions,
            keys,
            clock=clock,
            rng=np.random.default_rng(7),
            nonce=lambda: next(numbers).to_bytes(12, "big"),
        )
        metrics = Metrics(settings.catalogue.categories)
        caller = Principal((namespaces or ("acme",))[0], "checkout")
        return Parts(settings, clock, store, log, keys, metrics, publisher, questions, router, caller)

    return build


@pytest.fixture
async def parts(parts_of: Callable[..., Awaitable[Parts]]) -> Parts:
    return await parts_of()
