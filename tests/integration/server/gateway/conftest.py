"""The HTTP edge on a real socket; behind it a real router, and models that answer as a test says."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from socket import socket
from typing import Any

import numpy as np
import openai
import pytest

from adapters.memory import MemoryStore
from adapters.providers.endpoint import Upstream
from bandit.catalogue import Model, Prices
from server.credentials import Credentials
from server.decision_log import DecisionLog
from server.http.figures import HttpFigures
from server.http.routes import EdgeSources, Routes
from server.http.sockets import HttpEdge, Patience
from server.learning import Learner
from server.logs import logger
from server.metrics import Metrics
from server.publisher import Publisher
from server.questions import Questions
from server.routing import Router
from server.rpc import RoutingService
from server.settings import (
    Catalogue,
    CategorySettings,
    GatewaySettings,
    LearningSettings,
    Settings,
    TokenKey,
)
from server.tokens import TokenKeys
from server.writer import Writer
from tests.integration.server.gateway.scripted import ScriptedChats

START_US = 1_700_000_000_000_000
MODELS = (
    Model("small", Prices(0.1, 0.4), provider="acme", context_tokens=8_000),
    Model("large", Prices(2.0, 8.0, 0.5), provider="acme", capabilities=frozenset({"tools", "vision"})),
)
SETTINGS = Settings(
    learning=LearningSettings(refresh_s=3600.0),
    catalogue=Catalogue(models=MODELS, categories={"chat": CategorySettings(), "default": CategorySettings()}),
    gateway=GatewaySettings(
        listen="127.0.0.1:0",
        max_body_bytes=200_000,
        upstreams={"small": Upstream("acme", "small-1"), "large": Upstream("acme", "large-1")},
    ),
)


@dataclass
class Edge:
    """An edge that serves, and what belongs to it."""

    http: HttpEdge
    routes: Routes
    address: str
    chats: ScriptedChats
    metrics: Metrics
    log: io.StringIO

    @property
    def url(self) -> str:
        return f"http://{self.address}/v1"

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def client(self, key: str = "any", **options: Any) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(base_url=self.url, api_key=key, **{"max_retries": 0, "timeout": 20.0, **options})

    async def send(self, data: bytes, *, half_close: bool = False) -> bytes:
        """Send bytes over a socket of its own; return everything that comes until the other end closes."""
        reader, writer = await asyncio.open_connection(*self.address.split(":"))
        writer.write(data)
        if half_close:
            writer.write_eof()
        try:
            async with asyncio.timeout(20):
                return await reader.read()
        finally:
            writer.close()

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"routeward_{name}", labels)


@pytest.fixture
def serve():
    """Run an edge with these settings and this patience."""

    @asynccontextmanager
    async def run(
        settings: Settings = SETTINGS,
        *,
        patience: Patience | None = None,
        clock: Callable[[], int] = lambda: START_US,
        inherited: socket | None = None,
    ) -> AsyncIterator[Edge]:
        keys = TokenKeys([TokenKey("test", b"a key for tests, of 32 bytes....")])
        log, store, numbers = io.StringIO(), MemoryStore(bucket_us=10_000_000), count(1)
        lines = logger(log, level="debug")
        publisher = Publisher(store, settings, lines, clock=clock)
        tenants = sorted({key.namespace for key in settings.server.keys}) or ["default"]
        await publisher.load(tenants)
        metrics = Metrics(settings.catalogue.categories)
        questions = Questions(publisher.namespaces, keys, 86_400.0)
        router = Router(
            questions,
            keys,
            clock=clock,
            rng=np.random.default_rng(7),
            nonce=lambda: next(numbers).to_bytes(12, "big"),
        )
        writer = Writer(store, publisher.namespaces, metrics, lines, lambda *_: None)
        learner = Learner(publisher.namespaces, keys, writer, max_age_s=86_400.0)
        decisions = DecisionLog(store, publisher.namespaces, metrics, lines)
        routing = RoutingService(router, learner, decisions, metrics, clock)
        chats = ScriptedChats(router)
        routes = Routes(
            chats,
            routing.methods(),
            settings,
            b"a key for fingerprints, 32 bytes",
            credentials=Credentials(settings.server.keys) if settings.server.keys else None,
            figures=HttpFigures(metrics.registry),
            log=lines,
            sources=EdgeSources(clock, lambda: "incident-1"),
        )
        http = HttpEdge(routes, settings.gateway.listen, settings.server.tls, patience, inherited)
        writing = asyncio.create_task(writer.run())
        try:
            yield Edge(http, routes, await http.start(), chats, metrics, log)
        finally:
            await http.stop(0.05)
            writer.close()
            await writing

    return run


@pytest.fixture
async def edge(serve) -> AsyncIterator[Edge]:
    async with serve() as running:
        yield running
