"""The composition root: picks the adapters, and runs the service until it is told to stop."""

import asyncio
import gc
import os
import random
import resource
import secrets
import signal
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from structlog.typing import FilteringBoundLogger

from adapters.ledger import StoreError
from adapters.memory import MemoryStore
from adapters.providers.errors import MissingExtraError
from adapters.providers.provider import connector
from adapters.snapshot_file import SnapshotFile
from adapters.sql.archive import FolderArchive
from adapters.sql.postgres import Reach
from adapters.sql.postgres import connect as postgres_store
from adapters.sql.sqlite import Journal, SqliteStore
from adapters.sql.sqlite.archive import file_archive
from server.gateway.callables import Connect
from server.http.fingerprint_keys import fingerprint_key
from server.key_files import KeyFileError
from server.listening import ALONE, Addresses, StartError
from server.logs import logger
from server.nonces import Nonces
from server.ports import Archive, Provider, SavedState, Spool, Store
from server.service import LocalFiles, Service, Sources
from server.settings import Settings, SpoolSettings
from server.token_keys import TokenKeyError, token_keys
from server.workers.place import Worker

if TYPE_CHECKING:
    from adapters.sql.postgres.store import PostgresStore

IN_MEMORY: Final = Path()

MAX_FILES: Final = 65_536

YOUNG_OBJECTS: Final = 10_000
"""New objects after which garbage is looked for: Python's own figure is once in a few calls of the gateway."""


def run(settings: Settings, log: FilteringBoundLogger | None = None, worker: Worker | None = None) -> None:
    """Serve until SIGTERM or SIGINT; a second one hurries. Raises StartError where it cannot start.

    The line of the log with the event "ready" names the addresses that were bound; that of one `worker` of several is
    "worker_ready".
    """
    log = log or logger()
    _allow_connections()
    _spare_switches()
    try:
        asyncio.run(_serve(settings, log, worker))
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


async def _serve(settings: Settings, log: FilteringBoundLogger, worker: Worker | None) -> None:
    stop, hurry = asyncio.Event(), asyncio.Event()
    _on_signals(stop, hurry, log)
    if worker is not None:
        worker.obey(stop, hurry)
    sources = Sources(
        clock=_now_us,
        rng=random.Random(),  # noqa: S311 - chance, not a secret; numpy's costs more for single numbers
        nonce=Nonces(_now_us),
        incident=lambda: secrets.token_hex(4),
        clock_s=time.monotonic,
        uniform=random.Random().random,  # noqa: S311 - chance, not a secret
    )
    async with (
        _opened(settings, log) as (store, archive),
        _spool(settings.spool) as spool,
        _connector(settings, log) as connect,
    ):
        fingerprint = fingerprint_key(settings.gateway, os.urandom) if settings.gateway.listen else b""
        keys = token_keys(settings.server, os.urandom)
        left = {file: partial(Journal.open, file, max_bytes=settings.spool.max_bytes) for file in settings.spool.left}
        files = LocalFiles(spool, _saved(settings), archive, left)
        inherited = ALONE if worker is None else worker.inherited
        providers = _providers(settings, connect)
        service = Service(settings, store, keys, sources, log, providers, fingerprint, connect, files, inherited)
        try:
            addresses = await _unless_stopped(service.start(), stop)
            if addresses is not None:
                if isinstance(store, SqliteStore):
                    store.note_address(addresses.grpc)
                _spare_collection()
                _tell_ready(addresses, settings, log, worker)
            await stop.wait()
            log.info("draining")
        finally:
            await service.stop(hurry, is_replaced=worker is not None and worker.is_replaced)
    log.info("stopped")


async def _unless_stopped(starting: Coroutine[Any, Any, Addresses], stop: asyncio.Event) -> Addresses | None:
    """Return where the service listens; None where it is told to stop first, and then begins nothing more.

    Tables of a PostgreSQL that are being changed are then as they were: the change is one transaction.
    """
    start, stopped = asyncio.create_task(starting), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((start, stopped), return_when=asyncio.FIRST_COMPLETED)
        return start.result() if start.done() else None
    finally:
        for task in (start, stopped):
            task.cancel()
        await asyncio.gather(start, stopped, return_exceptions=True)


def _tell_ready(addresses: Addresses, settings: Settings, log: FilteringBoundLogger, worker: Worker | None) -> None:
    log.info(
        "ready" if worker is None else "worker_ready",
        address=addresses.grpc,
        metrics=addresses.metrics,
        gateway=addresses.gateway,
        config=settings.digest,
    )
    if worker is not None:
        worker.tell_ready(addresses)


@asynccontextmanager
async def _opened(settings: Settings, log: FilteringBoundLogger) -> AsyncIterator[tuple[Store, Archive | None]]:
    """Yield the store, and what takes its log before it is dropped."""
    bucket_us, folder = round(settings.learning.bucket_s * 1e6), settings.store.export_folder
    store: MemoryStore | PostgresStore | SqliteStore
    archive: Archive | None = None
    if (postgres := settings.store.postgres) is not None:
        reach = Reach(postgres.url, postgres.connect_s, postgres.statement_s, postgres.connections)
        # Replicas whose chance gives them the same shard are only slower.
        store = postgres_store(
            reach, bucket_us=bucket_us, shard=secrets.randbits(16), waiting=lambda: log.info("waiting_for_tables")
        )
        archive = FolderArchive.of_database(folder, store.database) if folder else None
    elif settings.store.path == IN_MEMORY:
        store = MemoryStore(bucket_us=bucket_us)
    else:
        store = await SqliteStore.open(settings.store.path, bucket_us=bucket_us)
        # Beside the server's own connection: reading a day takes a while.
        archive = file_archive(folder, settings.store.path) if folder else None
    try:
        yield store, archive
    finally:
        await store.close()


def _saved(settings: Settings) -> SavedState | None:
    file = settings.store.snapshot_path
    return SnapshotFile(file, bucket_us=round(settings.learning.bucket_s * 1e6)) if file is not None else None


@asynccontextmanager
async def _spool(settings: SpoolSettings) -> AsyncIterator[Spool | None]:
    if settings.path is None:
        yield None
        return
    journal = await Journal.open(settings.path, max_bytes=settings.max_bytes)
    try:
        yield journal
    finally:
        await journal.close()


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


def _on_signals(stop: asyncio.Event, hurry: asyncio.Event, log: FilteringBoundLogger) -> None:
    def on_signal() -> None:
        (hurry if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    # Whoever closes a terminal means to end what runs in it; a service manager asks to reload.
    if not os.isatty(0):
        loop.add_signal_handler(
            signal.SIGHUP, lambda: log.warning("reload_ignored", hint="restart, or serve by workers")
        )
