"""The composition root: picks the adapters, and runs the service until it is told to stop."""

import asyncio
import gc
import os
import random
import resource
import secrets
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from structlog.typing import FilteringBoundLogger

from adapters.ledger import StoreError
from adapters.memory import MemoryStore
from adapters.providers.errors import MissingExtraError
from adapters.providers.provider import connector
from adapters.sql.sqlite import SqliteStore
from server.gateway.callables import Connect
from server.http.fingerprint_keys import fingerprint_key
from server.key_files import KeyFileError
from server.listening import StartError
from server.logs import logger
from server.nonces import Nonces
from server.ports import Provider, Store
from server.service import Service, Sources
from server.settings import Settings
from server.token_keys import TokenKeyError, token_keys

IN_MEMORY: Final = Path()

MAX_FILES: Final = 65_536

YOUNG_OBJECTS: Final = 10_000
"""New objects after which garbage is looked for: Python's own figure is once in a few calls of the gateway."""


def run(settings: Settings, log: FilteringBoundLogger | None = None) -> None:
    """Serve until SIGTERM or SIGINT; a second one hurries. Raises StartError where it cannot start.

    The line of the log with the event "ready" names the addresses that were bound.
    """
    log = log or logger()
    _allow_connections()
    _spare_switches()
    try:
        asyncio.run(_serve(settings, log))
    except (KeyFileError, MissingExtraError, StartError, StoreError, TokenKeyError) as error:
        raise StartError(str(error)) from error


def _allow_connections() -> None:
    """Raise the limit of open files, which connections count towards, as far as the system lets a process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _spare_switches() -> None:
    """Ask Linux not to interrupt a thread of ours whenever another one wakes, which is several times per call.

    Each time costs what the caches held. Threads that start from here inherit it.
    """
    if hasattr(os, "SCHED_BATCH"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


async def _serve(settings: Settings, log: FilteringBoundLogger) -> None:
    stop, hurry = asyncio.Event(), asyncio.Event()
    _on_signals(stop, hurry)
    sources = Sources(
        clock=_now_us,
        rng=random.Random(),  # noqa: S311 - chance, not a secret; numpy's costs more for single numbers
        nonce=Nonces(_now_us),
        incident=lambda: secrets.token_hex(4),
        clock_s=time.monotonic,
        uniform=random.Random().random,  # noqa: S311 - chance, not a secret
    )
    async with _opened(settings) as store, _connector(settings, log) as connect:
        fingerprint = fingerprint_key(settings.gateway, os.urandom) if settings.gateway.listen else b""
        keys = token_keys(settings.server, os.urandom)
        service = Service(settings, store, keys, sources, log, _providers(settings, connect), fingerprint, connect)
        try:
            addresses = await service.start()
            if isinstance(store, SqliteStore):
                store.note_address(addresses.grpc)
            _spare_collection()
            log.info(
                "ready",
                address=addresses.grpc,
                metrics=addresses.metrics,
                gateway=addresses.gateway,
                config=settings.digest,
            )
            await stop.wait()
            log.info("draining")
        finally:
            await service.stop(hurry)
    log.info("stopped")


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Store]:
    bucket_us = round(settings.learning.bucket_s * 1e6)
    store: Store
    if settings.store.path == IN_MEMORY:
        store = MemoryStore(bucket_us=bucket_us)
    else:
        store = await SqliteStore.open(settings.store.path, bucket_us=bucket_us)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def _connector(settings: Settings, log: FilteringBoundLogger) -> AsyncIterator[Connect | None]:
    """Yield what makes what calls a model; the library for it is only needed where there is a gateway."""
    if not settings.gateway.listen:
        yield None
        return
    from adapters.providers.aiohttp_transport import AiohttpTransport

    for model, reason in sorted(settings.gateway.uncallable.items()):
        log.warning("not_callable", model=model, reason=reason, **settings.gateway.remedies[model]._asdict())
    transport = AiohttpTransport(settings.gateway.private_hosts)
    try:
        yield connector(transport, settings.gateway.endpoints, time.time)
    finally:
        await transport.close()


def _providers(settings: Settings, connect: Connect | None) -> Mapping[str, Provider]:
    """Return what calls each model of the configuration file; nothing where there is no gateway."""
    if connect is None:
        return {}
    return {model: connect(upstream) for model, upstream in settings.gateway.upstreams.items()}


def _now_us() -> int:
    return time.time_ns() // 1000


def _spare_collection() -> None:
    """Leave what lives as long as the process out of garbage collection, and look for garbage more rarely.

    Nearly everything that calls leave behind is freed at once, without it, and passing over the rest holds calls up.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])


def _on_signals(stop: asyncio.Event, hurry: asyncio.Event) -> None:
    def on_signal() -> None:
        (hurry if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
