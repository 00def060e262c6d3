"""Every test here runs over every store; what is true of one is true of all."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from adapters.memory import MemoryStore
from adapters.sql.postgres.reach import Reach
from adapters.sql.postgres.store import PostgresStore
from adapters.sql.schema import metadata
from adapters.sql.sqlite import SqliteStore
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Fact, Kind
from bandit.spend import SpendKey, Tally
from bandit.sums import Moments, RowKey
from benchmarks._postgres import PostgresServer
from server.ports import Store

HOUR_US = 3_600_000_000
DECIDED_US = 480_000 * HOUR_US
PLANT_SUMS = """INSERT OR REPLACE INTO sums (namespace, category, model, signal, source, bucket, n, y, yy)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
PLANT_SPEND = """INSERT OR REPLACE INTO spend (namespace, category, profile, priced, minute, n, nano_usd)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""
PLANT_SUMS_THERE = """INSERT INTO sums (namespace, category, model, signal, source, bucket, n, y, yy)
    VALUES ('{}', '{}', '{}', '{}', '{}', {}, {}, {}, {})"""
PLANT_SPEND_THERE = """INSERT INTO spend (namespace, category, profile, priced, minute, n, nano_usd)
    VALUES ('{}', '{}', '{}', {}, {}, {}, {})"""


@dataclass(frozen=True)
class Backend:
    """A kind of store: how to get an empty one, and how to corrupt a row of its sums or spend behind its back.

    `run` runs a coroutine that opens it, again and again.
    """

    opened: Callable[[], AbstractAsyncContextManager[Store]]
    plant: Callable[[Store, str, RowKey, Moments], None]
    plant_spend: Callable[[Store, str, SpendKey, Tally], None]
    run: Callable[[Coroutine[Any, Any, Any]], Any] = asyncio.run


def memory_backend() -> Backend:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Store]:
        yield MemoryStore(bucket_us=HOUR_US)

    def plant(store: Store, namespace: str, key: RowKey, moments: Moments) -> None:
        assert isinstance(store, MemoryStore)
        store._sums.setdefault(namespace, {})[key] = moments

    def plant_spend(store: Store, namespace: str, key: SpendKey, tally: Tally) -> None:
        assert isinstance(store, MemoryStore)
        store._spend[namespace] = {**store._spend[namespace], key: tally}

    return Backend(opened, plant, plant_spend)


def sqlite_backend(folder: Path) -> Backend:
    numbers = count()
    files: dict[int, Path] = {}

    @asynccontextmanager
    async def opened() -> AsyncIterator[Store]:
        file = folder / f"{next(numbers)}.db"
        store = await SqliteStore.open(file, bucket_us=HOUR_US)
        files[id(store)] = file
        try:
            yield store
        finally:
            await store.close()

    def plant(store: Store, namespace: str, key: RowKey, moments: Moments) -> None:
        with closing(sqlite3.connect(files[id(store)], isolation_level=None)) as connection:
            connection.execute(PLANT_SUMS, (namespace, *key, *moments))

    def plant_spend(store: Store, namespace: str, key: SpendKey, tally: Tally) -> None:
        with closing(sqlite3.connect(files[id(store)], isolation_level=None)) as connection:
            connection.execute(PLANT_SPEND, (namespace, *key, *tally))

    return Backend(opened, plant, plant_spend)


def emptied(connection: Connection) -> None:
    for name in metadata.tables.keys() - {"meta"}:
        connection.execute(text(f"DELETE FROM {name}"))
    connection.execute(text("UPDATE meta SET value = 0 WHERE name = 'registry_version'"))
    connection.execute(text("DELETE FROM meta WHERE name NOT IN ('bucket_us', 'registry_version')"))


def postgres_backend(server: PostgresServer, database: str) -> Iterator[Backend]:
    numbers = count()
    kept: dict[asyncio.AbstractEventLoop, PostgresStore] = {}

    async def connected() -> PostgresStore:
        store = PostgresStore.connect(Reach(server.url(database)), bucket_us=HOUR_US, shard=next(numbers))
        await store.prepare()
        return store

    @asynccontextmanager
    async def opened() -> AsyncIterator[Store]:
        loop = asyncio.get_running_loop()
        store = kept.get(loop) or await connected()
        if loop is runner.get_loop():
            kept[loop] = store
        await store.database.run(emptied)
        try:
            yield store
        finally:
            if loop not in kept:
                await store.close()

    async def closed() -> None:
        for store in kept.values():
            await store.close()

    def plant(_: Store, namespace: str, key: RowKey, moments: Moments) -> None:
        same = " AND ".join(f"{name} = '{value}'" for name, value in key._asdict().items())
        server.psql(f"DELETE FROM sums WHERE namespace = '{namespace}' AND {same}", database)
        server.psql(PLANT_SUMS_THERE.format(namespace, *key, *moments), database)

    def plant_spend(_: Store, namespace: str, key: SpendKey, tally: Tally) -> None:
        same = " AND ".join(f"{name} = '{value}'" for name, value in key._asdict().items())
        server.psql(f"DELETE FROM spend WHERE namespace = '{namespace}' AND {same}", database)
        server.psql(PLANT_SPEND_THERE.format(namespace, *key, *tally), database)

    with asyncio.Runner() as runner:
        # Connecting anew for each of the examples of a property would take most of its time.
        yield Backend(opened, plant, plant_spend, runner.run)
        runner.run(closed())


@pytest.fixture(scope="session")
def emptied_database(postgres: PostgresServer) -> str:
    """One database for all tests here: making tables takes longer than most of them."""
    return postgres.create_database()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def backend(request, tmp_path) -> Iterator[Backend]:
    if request.param == "memory":
        yield memory_backend()
    elif request.param == "sqlite":
        yield sqlite_backend(tmp_path)
    else:
        yield from postgres_backend(request.getfixturevalue("postgres"), request.getfixturevalue("emptied_database"))


@pytest.fixture
async def store(backend) -> AsyncIterator[Store]:
    async with backend.opened() as store:
        yield store


@pytest.fixture
def a_signal() -> Callable[..., SignalRecord]:
    """A signal about a decision of its own, and how it differs from the usual one."""
    nonces = count()

    def build(fact: Fact | None, *, signal: str = "", **changes: Any) -> SignalRecord:
        usual: dict[str, Any] = {"category": "chat", "model": "large", "kind": Kind.SAMPLED, "decided_us": DECIDED_US}
        decision = DecisionFacts(**{name: changes.pop(name, value) for name, value in usual.items()}, input_tokens=100)
        fields: dict[str, Any] = {
            "namespace": "acme",
            "nonce": next(nonces).to_bytes(12, "big"),
            "signal": fact.signal if fact else signal,
            "fact": fact,
            "observed_us": DECIDED_US + 1,
            "received_us": DECIDED_US + 2,
            "decision": decision,
            "propensity": 0.25,
        }
        return SignalRecord(**fields | changes)

    return build


@pytest.fixture
def kept() -> Callable[[Store], Awaitable[list[SignalRecord]]]:
    async def read(store: Store) -> list[SignalRecord]:
        return [record async for record in store.signals()]

    return read
