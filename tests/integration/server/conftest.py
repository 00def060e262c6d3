"""A real server in this process: real sockets, the store on disk, a client that speaks the contract."""

import asyncio
import io
import json
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from adapters.sql.sqlite import SqliteStore
from bandit.catalogue import Model, Prices
from bandit.request import Objective
from routeward.v1 import admin_service_pb2_grpc, routing_service_pb2_grpc
from routeward.v1 import routing_service_pb2 as pb
from server.credentials import make_key
from server.listening import Addresses
from server.logs import logger
from server.namespace import Namespace
from server.ports import SavedState, Spool, Store
from server.service import LocalFiles, Service, Sources
from server.settings import ApiKey, Catalogue, CategorySettings, LearningSettings, ServerSettings, Settings, TokenKey
from server.tokens import TokenKeys

MODELS = (
    Model("small", Prices(0.1, 0.4), provider="acme", context_tokens=8_000),
    Model("large", Prices(2.0, 8.0, 0.5), provider="acme", context_tokens=128_000, capabilities=frozenset({"tools"})),
    Model("other", Prices(2.5, 10.0), provider="globex", region="eu", capabilities=frozenset({"tools"})),
)
KEYS = {tenant: make_key(tenant, random.Random(tenant).randbytes) for tenant in ("acme", "globex")}  # noqa: S311
TOKEN_KEYS = TokenKeys([TokenKey("test", b"a key for tests, of 32 bytes....")])
BUCKET_US = 10_000_000
TIMEOUT_S = 20.0


@dataclass
class Failure:
    """What a client sees of a failed call."""

    code: grpc.StatusCode
    text: str
    reason: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    everything: str = ""


class Client:
    """Calls of one tenant; a failed call returns its Failure."""

    def __init__(self, channel: grpc.aio.Channel, tenant: str = "") -> None:
        self.channel = channel
        self.routing = routing_service_pb2_grpc.RoutingServiceStub(channel)
        self.admin = admin_service_pb2_grpc.AdminServiceStub(channel)
        self.metadata = (("authorization", f"Bearer {KEYS[tenant][0]}"),) if tenant else ()

    async def call(self, method: Any, message: Any) -> Any:
        try:
            return await method(message, metadata=self.metadata, timeout=TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            return failure_of(error)

    async def raw(self, method: str, body: bytes) -> bytes | Failure:
        """Send bytes as they are."""
        answer = await self.call(self.channel.unary_unary(f"/routeward.v1.{method}"), body)
        assert isinstance(answer, bytes | Failure)
        return answer

    async def route(self, category: str = "chat", **fields: Any) -> Any:
        return await self.call(self.routing.Route, pb.RouteRequest(category=category, **fields))

    async def feedback(self, decision_id: str, *signals: pb.Signal, **fields: Any) -> Any:
        message = pb.FeedbackRequest(decision_id=decision_id, signals=signals, **fields)
        return await self.call(self.routing.Feedback, message)


def failure_of(error: grpc.aio.AioRpcError) -> Failure:
    failure = Failure(error.code(), error.details() or "", everything=error.debug_error_string() or "")
    for key, value in error.trailing_metadata() or ():
        failure.everything += f" {key}={value!r}"
        if key == "grpc-status-details-bin":
            for detail in Status.FromString(value).details:
                info, bad = ErrorInfo(), BadRequest()
                if detail.Unpack(info):
                    failure.reason, failure.metadata = info.reason, dict(info.metadata)
                elif detail.Unpack(bad):
                    failure.violations = [one.field for one in bad.field_violations]
    return failure


@dataclass
class Running:
    """A service that runs, and what belongs to it."""

    service: Service
    store: Store
    addresses: Addresses
    log: io.StringIO
    channels: list[grpc.aio.Channel] = field(default_factory=list)

    def client(self, tenant: str = "") -> Client:
        self.channels.append(grpc.aio.insecure_channel(self.addresses.grpc))
        return Client(self.channels[-1], tenant)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def nonce(self, decision_id: str) -> bytes:
        return TOKEN_KEYS.verify(decision_id, time.time_ns() // 1000, 1e6).nonce

    def namespace(self, tenant: str = "default") -> Namespace:
        return self.service._publisher.namespaces[tenant]

    async def publish(self, tenant: str = "default") -> None:
        """Publish what was learned; here the service does it at the word of a test only."""
        await self.service._publisher.refresh(self.namespace(tenant))

    async def check(self) -> None:
        """Look after the store, as the service does every few seconds."""
        await self.service._upkeep.check()

    async def drain(self) -> None:
        """Bring all that is spooled to the store."""
        spooling = self.service._spooling
        assert spooling is not None
        while spooling.diverted:
            assert await spooling.drain()

    async def log_decisions(self) -> None:
        await self.service._decisions.flush()


@pytest.fixture
def settings() -> Settings:
    return Settings(
        server=ServerSettings(listen="127.0.0.1:0", metrics_listen="127.0.0.1:0", drain_s=0.0, grace_s=2.0),
        learning=LearningSettings(refresh_s=3600.0),
        catalogue=Catalogue(
            models=MODELS,
            categories={"chat": CategorySettings(), "default": CategorySettings()},
            profiles={"balanced": Objective(), "frugal": Objective(0.001, 0.0)},
        ),
        digest="c0ffee",
    )


@pytest.fixture
def two_tenants(settings: Settings) -> Settings:
    keys = tuple(ApiKey(tenant, digest, tenant) for tenant, (_, digest) in KEYS.items())
    # Beliefs change when a bucket closes; one of an hour closes during no test.
    learning = replace(settings.learning, bucket_s=3600.0)
    return replace(settings, server=replace(settings.server, keys=keys), learning=learning)


@pytest.fixture
def serve(tmp_path: Path):
    """Run a service on the store in this test's folder, or on another one."""

    @asynccontextmanager
    async def run(
        settings: Settings,
        *,
        store: Store | None = None,
        rng: Any = None,
        spool: Spool | None = None,
        saved: SavedState | None = None,
    ) -> AsyncIterator[Running]:
        opened = store or await SqliteStore.open(tmp_path / "routeward.db", bucket_us=BUCKET_US)
        log = io.StringIO()
        sources = Sources(
            clock=lambda: time.time_ns() // 1000,
            rng=rng or np.random.default_rng(7),
            nonce=lambda: os.urandom(12),
            incident=lambda: "incident-1",
            clock_s=time.monotonic,
            uniform=random.Random(7).random,  # noqa: S311
        )
        files = LocalFiles(spool, saved)
        service = Service(settings, opened, TOKEN_KEYS, sources, logger(log, level="debug"), files=files)
        running = None
        try:
            running = Running(service, opened, await service.start(), log)
            yield running
        finally:
            for channel in running.channels if running else ():
                await channel.close()
            await service.stop(asyncio.Event())
            await opened.close()

    return run


@pytest.fixture
async def running(serve, settings) -> AsyncIterator[Running]:
    async with serve(settings) as running:
        yield running


@pytest.fixture
async def client(running: Running) -> Client:
    return running.client()
