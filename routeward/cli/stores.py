"""Opening the store that a configuration names, for commands that operate it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from routeward.cli.output import WRONG_USE, CommandError

if TYPE_CHECKING:
    from adapters.sql.postgres import Reach
    from adapters.sql.store import SqlStore
    from server.settings import PostgresSettings, Settings

T = TypeVar("T")

STATEMENT_S: Final = 3600.0
"""Longest wait for one statement of PostgreSQL: some read or write all that there is."""
CONNECTIONS: Final = 2


def run_on(settings: "Settings", work: "Callable[[SqlStore], Coroutine[Any, Any, T]]", *, alone: bool = False) -> T:
    """Run work on the store: what only reads also beside its servers, and `alone` what writes.

    A server that has the store in a file must be stopped for the latter. Raises CommandError.
    """

    async def running() -> T:
        async with (writing if alone else reading)(settings) as store:
            return await work(store)

    with told(settings.store.path):
        return asyncio.run(running())


@asynccontextmanager
async def reading(settings: "Settings") -> "AsyncIterator[SqlStore]":
    """Open the store to read it."""
    from adapters.sql.sqlite.inspection import InspectedFile
    from adapters.sql.store import SqlStore

    require_store(settings)
    if settings.store.postgres is not None:
        async with attached(settings.store.postgres) as store:
            yield store
        return
    file, bucket_us = known_file(settings)
    yield SqlStore(InspectedFile(file), bucket_us=bucket_us)


@asynccontextmanager
async def writing(settings: "Settings") -> "AsyncIterator[SqlStore]":
    """Open the store to change it."""
    from adapters.sql.sqlite import SqliteStore

    require_store(settings)
    if settings.store.postgres is not None:
        async with attached(settings.store.postgres) as store:
            yield store
        return
    file, bucket_us = known_file(settings)
    store = await SqliteStore.open(file, bucket_us=bucket_us)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def attached(postgres: "PostgresSettings") -> "AsyncIterator[SqlStore]":
    """Open the store in PostgreSQL, also beside its servers; no table is made or changed."""
    from adapters.sql.postgres import attach

    store = await attach(patient(postgres))
    try:
        yield store
    finally:
        await store.close()


def patient(postgres: "PostgresSettings") -> "Reach":
    """Return how to reach PostgreSQL for work that takes much longer than what a server asks."""
    from adapters.sql.postgres import Reach

    return Reach(postgres.url, postgres.connect_s, STATEMENT_S, CONNECTIONS)


def known_file(settings: "Settings") -> tuple[Path, int]:
    """Return the file of the store and its bucket width. Raises CommandError unless this version can read it."""
    from adapters.sql.sqlite.inspection import facts_of
    from adapters.sql.versions import HEAD

    file = settings.store.path
    if not file.is_file():
        raise CommandError("NO_STORE", f"there is no store at {file}", exit_code=WRONG_USE)
    facts = facts_of(file)
    if facts.version is None or facts.bucket_us is None:
        raise CommandError("NO_STORE", f"{file} is empty: no server ever opened it", exit_code=WRONG_USE)
    if facts.version < HEAD:
        message = f"{file} has schema {facts.version}, this version reads {HEAD}: upgrade it first"
        raise CommandError("STORE_REFUSED", message, exit_code=WRONG_USE)
    return file, facts.bucket_us


def require_store(settings: "Settings") -> None:
    """Raise CommandError where what is learned is only kept in memory."""
    if settings.store.in_memory:
        raise CommandError("NO_STORE", "this server keeps nothing on disk (store.path is empty)", exit_code=WRONG_USE)


@contextmanager
def told(store: Path | None = None) -> Iterator[None]:
    """Tell what a store refuses as an error of a command; `store` is its file, where it has one."""
    from adapters.ledger import (
        StoreError,
        StoreForbiddenError,
        StoreLockedError,
        StoreMissingError,
        StoreUnavailableError,
    )

    try:
        yield
    except StoreLockedError as error:
        # The lock's own advice is for a server that starts.
        message = f"{store or 'the store'} is in use by a server; stop its server first"
        raise CommandError("STORE_REFUSED", message, exit_code=WRONG_USE) from error
    except StoreMissingError as error:
        raise CommandError("NO_STORE", str(error), exit_code=WRONG_USE) from error
    except StoreUnavailableError as error:
        reason = "STORE_REFUSED" if isinstance(error, StoreForbiddenError) else "STORE_UNAVAILABLE"
        raise CommandError(reason, str(error), exit_code=WRONG_USE) from error
    except StoreError as error:
        raise CommandError("STORE_REFUSED", str(error), exit_code=WRONG_USE) from error


@contextmanager
def progress_of(title: str) -> Iterator[Callable[[int, int], None]]:
    """Give a callback that shows how far work has come."""
    from routeward.cli.output import console
    from simulations.progress import shown_progress

    with shown_progress(console(stderr=True), title, in_percent=True) as progress:
        yield progress
