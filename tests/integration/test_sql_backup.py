"""Copies of a store: of one moment beside a server that writes, whole, and from one database to another."""

import asyncio
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from adapters.ledger import StoreError
from adapters.registry import MANAGED_BY_API, Edit, Entry, EntryKey, EntryKind
from adapters.sql.dumping import dump_namespace
from adapters.sql.postgres import Reach, portable
from adapters.sql.postgres.store import PostgresStore
from adapters.sql.sqlite import SqliteStore
from adapters.sql.sqlite.copying import copy_file, proved, scratch, upgrade_copy
from adapters.sql.sqlite.database import APPLICATION_ID
from adapters.sql.sqlite.inspection import InspectedFile, facts_of
from adapters.sql.store import SqlStore
from adapters.sql.versions import HEAD, MIGRATIONS
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Outcome, Status, Thumb
from bandit.spend import Bill

HOUR_US = 3_600_000_000
START_US = 480_000 * HOUR_US


def said(place: int, namespace: str = "acme") -> list[SignalRecord]:
    time_us, nonce = START_US + place * HOUR_US, place.to_bytes(12, "big")
    facts = DecisionFacts("chat", "large", Kind.SAMPLED, time_us, 100)
    outcome, bill = Outcome(Status.OK, 1_000_000 + place, output_tokens=50), Bill("", place % 2 == 0, 900)
    return [
        SignalRecord(namespace, nonce, "outcome", outcome, time_us, time_us, facts, 0.75, b"", "alice", "", bill),
        SignalRecord(
            namespace, nonce, "thumb", Thumb(place % 3 == 0), time_us, time_us, facts, 0.75, b"p", "bob", "r1"
        ),
    ]


async def filled(file: Path, a_decision) -> SqliteStore:
    """A store with every kind of row: also bases, merged rows, and two namespaces."""
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    for namespace in ("acme", "umbrella"):
        await store.add_categories(namespace, ["chat"], managed_by="auto")
        await store.write([record for place in range(60) for record in said(place, namespace)])
        logged = a_decision._replace(namespace=namespace, decided_us=START_US + 30 * HOUR_US)
        await store.log_decisions([logged, logged._replace(nonce=b"m" * 12, kind=Kind.FALLBACK, uniform=None)])
    await store.retain(START_US + 10 * HOUR_US)
    await store.compact(START_US + 60 * HOUR_US)
    return store


async def everything(store: SqlStore):
    """All that a store says of itself."""
    return [
        [await store.load(namespace) for namespace in await store.namespaces()],
        [record async for record in store.signals()],
        [record async for record in store.decisions()],
        await store.registry(),
        await store.verify(),
        [one._replace(revision=0) for one in await store.namespace_summaries()],
    ]


def ignored(*_: object) -> None:
    """Take a report of progress."""


async def test_a_copy_beside_a_server_that_writes_is_of_one_moment(tmp_path, a_decision):
    store = await filled(tmp_path / "store.db", a_decision)
    target, halfway = tmp_path / "copy.db", asyncio.Event()
    loop, go_on = asyncio.get_running_loop(), asyncio.Event()

    def midway(*_: object) -> None:
        loop.call_soon_threadsafe(halfway.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(30)

    before = await everything(store)
    copying = asyncio.create_task(asyncio.to_thread(copy_file, tmp_path / "store.db", target, midway))
    await halfway.wait()
    await store.write(said(70))
    go_on.set()
    await copying
    assert proved(target, ignored).differing == 0
    assert await everything(SqlStore(InspectedFile(target), bucket_us=HOUR_US)) == before
    assert await everything(store) != before
    await store.close()


def unfinished(path: Path) -> None:
    with scratch(path) as file:
        file.write_text("half")
        raise OSError(28, "No space left on device")


def test_a_file_that_is_not_finished_leaves_nothing(tmp_path):
    with pytest.raises(StoreError, match="nothing that was there is lost"):
        unfinished(tmp_path / "b.db")
    assert list(tmp_path.iterdir()) == []


def test_a_copy_of_an_earlier_version_is_not_compared_until_it_is_upgraded(tmp_path):
    file = tmp_path / "old.db"
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        connection.execute(text(f"PRAGMA application_id = {APPLICATION_ID}"))
        connection.execute(text("INSERT INTO meta VALUES ('bucket_us', 3600000000)"))
    engine.dispose()
    assert (proved(file, ignored).version, proved(file, ignored).differing) == ("0003", None)
    upgrade_copy(file)
    assert (proved(file, ignored).version, proved(file, ignored).differing) == (HEAD, 0)
    assert facts_of(file).bucket_us == HOUR_US


@pytest.fixture
async def postgres_store(database_url):
    store = PostgresStore.connect(Reach(database_url), bucket_us=HOUR_US)
    await store.prepare()
    yield store
    await store.close()


async def test_a_store_moves_to_postgresql_and_back_to_the_bit(tmp_path, a_decision, postgres_store):
    store = await filled(tmp_path / "store.db", a_decision)
    before = await everything(store)
    await store.close()
    counts = await postgres_store.change(portable.load, tmp_path / "store.db", ignored)
    assert await everything(postgres_store) == before
    assert await postgres_store.read(portable.dump, tmp_path / "back.db", ignored) == counts
    assert proved(tmp_path / "back.db", ignored).differing == 0
    assert await everything(SqlStore(InspectedFile(tmp_path / "back.db"), bucket_us=HOUR_US)) == before
    (tmp_path / "out").mkdir()
    dumped = await postgres_store.read(dump_namespace, "acme", tmp_path / "out")
    assert dumped["signals"] == len((tmp_path / "out/signals.jsonl").read_text().splitlines()) == 100


async def test_a_store_that_holds_something_or_counts_in_other_buckets_takes_no_backup(
    tmp_path, a_decision, postgres_store
):
    await (await filled(tmp_path / "store.db", a_decision)).close()
    await (await SqliteStore.open(tmp_path / "other.db", bucket_us=1)).close()
    with pytest.raises(StoreError, match="time buckets of 1 us, the store of 3600000000 us"):
        await postgres_store.change(portable.load, tmp_path / "other.db", ignored)
    model = Entry(EntryKey(EntryKind.MODEL, "", "large"), {}, MANAGED_BY_API)
    await postgres_store.edit_registry(0, [Edit(None, model)], time_us=1, client="ann")
    with pytest.raises(StoreError, match=r"holds a registry already \(large\)"):
        await postgres_store.change(portable.load, tmp_path / "store.db", ignored)
    await postgres_store.write(said(1, "initech"))
    before = await everything(postgres_store)
    with pytest.raises(StoreError, match=r"holds namespaces already \(initech\)"):
        await postgres_store.change(portable.load, tmp_path / "store.db", ignored)
    assert await everything(postgres_store) == before
