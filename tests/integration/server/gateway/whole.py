"""The whole service on a free port: the edge, the call loop, a transport; and what is left of it afterwards."""

import asyncio
import io
import os
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from adapters.memory import MemoryStore
from adapters.providers.aiohttp_transport import AiohttpTransport
from adapters.providers.endpoint import Endpoint, Upstream
from adapters.providers.provider import providers
from bandit.signals import Outcome
from server.logs import logger
from server.service import Service, Sources
from server.settings import Catalogue, GatewaySettings, ServerSettings, TokenKey
from server.tokens import TokenKeys
from tests.integration.server.gateway.conftest import SETTINGS


@dataclass
class Running:
    """A service, and where it keeps what happened."""

    address: str
    store: MemoryStore
    service: Service
    log: io.StringIO
    keys: TokenKeys
    is_running: bool = True

    async def outcomes(self) -> dict[str, Outcome]:
        """Stop the service, and return what was reported of each decision, by its nonce."""
        await self.stop()
        facts = {signal.nonce.hex(): signal.fact async for signal in self.store.signals()}
        return {nonce: fact for nonce, fact in facts.items() if isinstance(fact, Outcome)}

    async def stop(self) -> None:
        if self.is_running:
            self.is_running = False
            await self.service.stop(asyncio.Event())

    def nonce(self, decision_id: str) -> str:
        return self.keys.verify(decision_id, time.time_ns() // 1000, 1e6).nonce.hex()


@asynccontextmanager
async def running(
    endpoints: Mapping[str, Endpoint], upstreams: Mapping[str, Upstream], catalogue: Catalogue = SETTINGS.catalogue
) -> AsyncIterator[Running]:
    """Run a service that calls these models."""
    keys = TokenKeys([TokenKey("test", b"a key for tests, of 32 bytes....")])
    sources = Sources(
        clock=lambda: time.time_ns() // 1000,
        rng=random.Random(7),  # noqa: S311
        nonce=lambda: os.urandom(12),
        incident=lambda: "incident-1",
        clock_s=time.monotonic,
        uniform=random.Random(7).random,  # noqa: S311
    )
    transport = AiohttpTransport(frozenset({"127.0.0.1"}))
    gateway = GatewaySettings(listen="127.0.0.1:0", endpoints=endpoints, upstreams=upstreams)
    server = ServerSettings(listen="127.0.0.1:0", metrics_listen="", drain_s=0.0, grace_s=2.0)
    settings = replace(SETTINGS, gateway=gateway, server=server, catalogue=catalogue)
    models = providers(transport, endpoints, upstreams, time.time)
    log, store = io.StringIO(), MemoryStore(bucket_us=10_000_000)
    service = Service(settings, store, keys, sources, logger(log, level="debug"), models, b"f" * 32)
    addresses = await service.start()
    started = Running(addresses.gateway, store, service, log, keys)
    try:
        yield started
    finally:
        await started.stop()
        await transport.close()
