"""Files that cannot be a store, disks that fail, callers that give up."""

import asyncio
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from adapters.ledger import StoreError, StoreLockedError, StoreUnavailableError
from adapters.registry import MANAGED_BY_API, Edit, Entry, EntryKey, EntryKind
from adapters.sql.preparing import prepare
from adapters.sql.sqlite import SqliteStore
from adapters.sql.sqlite.database import SqliteDatabase
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Thumb

HOUR_US = 3_600_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def thumbs(first: int, number: int = 1) -> list[SignalRecord]:
    decision = DecisionFacts("chat", "large", Kind.SAMPLED, HOUR_US)
    return [
        SignalRecord("acme", n.to_bytes(12, "big"), "thumb", Thumb(True), 1, 1, decision, 0.5, rater="r" * 64)
        for n in range(first, first + number)
    ]


async def counted(store: SqliteStore) -> int:
    assert await store.verify() == {}
    return sum(moments.n for moments in (await store.load("acme")).rows.values())


async def test_what_was_written_is_there_when_the_store_is_opened_again(file):
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    await store.write(thumbs(0, 3))
    before = await store.load("acme")
    await store.close()
    store = await SqliteStore.open(str(file), bucket_us=HOUR_US)
    assert await store.load("acme") == before
    await store.close()


async def test_only_the_owner_may_read_the_file(file):
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    assert file.stat().st_mode & 0o777 == 0o600
    await store.close()


async def test_a_second_store_on_the_same_file_is_refused_whatever_it_is_called(file, tmp_path):
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    (tmp_path / "alias.db").symlink_to(file)
    for name in ("store.db", "alias.db", "./store.db"):
        with pytest.raises(StoreLockedError):
            await SqliteStore.open(tmp_path / name, bucket_us=HOUR_US)
    await store.close()


async def test_another_bucket_width_is_refused_and_the_file_left_usable(file):
    await (await SqliteStore.open(file, bucket_us=HOUR_US)).close()
    with pytest.raises(StoreError, match="keeps time buckets of 3600000000 us and is asked for 60000000 us"):
        await SqliteStore.open(file, bucket_us=60_000_000)
    await (await SqliteStore.open(file, bucket_us=HOUR_US)).close()


async def test_a_file_that_is_no_database_is_refused_and_left_as_it_was(file):
    file.write_bytes(b"Dear diary, " * 100)
    with pytest.raises(StoreError, match="is not a SQLite database"):
        await SqliteStore.open(file, bucket_us=HOUR_US)
    assert file.read_bytes() == b"Dear diary, " * 100


async def test_a_database_of_another_program_is_refused_and_left_as_it_was(file):
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE diary (entry)")
    before = file.read_bytes()
    with pytest.raises(StoreError, match="belongs to another program"):
        await SqliteStore.open(file, bucket_us=HOUR_US)
    assert file.read_bytes() == before


async def test_a_damaged_store_is_refused(file):
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    await store.write(thumbs(0, 500))
    await store.close()
    content = bytearray(file.read_bytes())
    content[200:] = np.random.default_rng(0).bytes(len(content) - 200)
    file.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged: restore it"):
        await SqliteStore.open(file, bucket_us=HOUR_US)


async def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"missing/store\.db cannot be opened: No such file or directory"):
        await SqliteStore.open(tmp_path / "missing" / "store.db", bucket_us=HOUR_US)


async def test_a_closed_store_says_so(file):
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    await store.close()
    with pytest.raises(StoreUnavailableError, match="was closed"):
        await store.load("acme")


async def test_a_full_disk_refuses_the_write_and_nothing_else(file):
    database = await SqliteDatabase.open(file, busy_timeout_s=1)
    await database.run(prepare, bucket_us=HOUR_US)
    store = SqliteStore(database, bucket_us=HOUR_US)
    await store.write(thumbs(0, 10))
    await database.run(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 1").close())
    with pytest.raises(StoreUnavailableError, match="has no space left"):
        await store.write(thumbs(10, 2000))
    assert await counted(store) == 10
    await database.run(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 100000").close())
    await store.write(thumbs(10, 2000))
    assert await counted(store) == 2010
    await store.close()


@contextmanager
def failing_writes_to(file: Path) -> Iterator[None]:
    """The log of the file cannot grow, as on a broken disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.with_name(f"{file.name}-wal").stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_after_a_failed_write_to_disk_the_store_recovers(file):
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    await store.write(thumbs(0, 500))
    with failing_writes_to(file):
        with pytest.raises(StoreUnavailableError, match="check the disk"):
            await store.write(thumbs(500, 500))
        assert await counted(store) == 500
    await store.write(thumbs(500, 500))
    assert await counted(store) == 1000
    await store.close()


async def test_a_store_that_vanished_is_not_replaced_by_an_empty_one(file):
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    await store.write(thumbs(0, 500))
    with failing_writes_to(file), pytest.raises(StoreUnavailableError):
        await store.write(thumbs(500, 500))
    file.unlink()
    for _ in range(2):
        with pytest.raises(StoreUnavailableError, match="is gone"):
            await store.write(thumbs(1000))
    assert not file.exists()
    await store.close()


async def test_another_program_that_writes_makes_the_store_unavailable_for_that_long(file):
    store = await SqliteStore.open(file, bucket_us=HOUR_US, busy_timeout_s=0.01)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError, match="is locked"):
            await store.write(thumbs(0))
    await store.write(thumbs(0))
    assert await counted(store) == 1
    await store.close()


async def test_callers_that_give_up_leave_whole_writes_or_none(file):
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    size = 50
    tasks = [asyncio.create_task(store.write(thumbs(i * size, size))) for i in range(40)]
    for running in range(0, 40, 4):
        tasks[running].cancel()
        tasks[running + 2].cancel()
        await tasks[running + 3]
    stored = [int.from_bytes(record.nonce, "big") // size async for record in store.signals()]
    assert set(stored) >= {i for i in range(40) if i % 2}
    assert all(stored.count(i) == size for i in set(stored))
    assert await counted(store) == len(stored)
    await store.close()


async def test_giving_up_on_opening_leaves_the_file_free(file):
    opening = asyncio.create_task(SqliteStore.open(file, bucket_us=HOUR_US))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await (await SqliteStore.open(file, bucket_us=HOUR_US)).close()


async def test_compaction_leaves_no_empty_rows_in_the_file(file):
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    await store.write(thumbs(0, 3))
    await store.write([thumb._replace(fact=None, observed_us=2) for thumb in thumbs(0, 3)])
    for now in (0, 1, 1000):
        await store.compact(now * HOUR_US)
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("SELECT count(*) FROM sums").fetchone() == (0,)
    await store.close()


async def test_free_space_is_told(file):
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    free = await store.free_bytes()
    assert 0 < free < 2**60
    await store.close()


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_file_that_was_taken_away_is_not_written_to_any_more(file, replaced):
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    await store.write(thumbs(0))
    file.rename(file.with_suffix(".moved"))
    if replaced:
        file.write_bytes(b"")
    with pytest.raises(StoreUnavailableError, match="replaced" if replaced else "gone"):
        await store.write(thumbs(1))
    file.unlink(missing_ok=True)
    file.with_suffix(".moved").rename(file)
    await store.write(thumbs(2))
    assert await counted(store) == 2
    await store.close()


async def test_a_file_with_a_second_name_is_refused(file):
    await (await SqliteStore.open(file, bucket_us=HOUR_US)).close()
    file.with_suffix(".other").hardlink_to(file)
    with pytest.raises(StoreError, match="hard link"):
        await SqliteStore.open(file, bucket_us=HOUR_US)


@pytest.mark.parametrize("companion", ["-wal", ".lock"])
async def test_without_its_log_of_writes_or_its_lock_a_file_is_not_written_to_any_more(file, companion):
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    await store.write(thumbs(0, 3))
    file.with_name(file.name + companion).unlink()
    with pytest.raises(StoreUnavailableError, match=f"{companion} is gone"):
        await store.write(thumbs(3, 3))
    await store.close()


async def test_a_path_that_leads_to_itself_is_named(tmp_path):
    loop = tmp_path / "loop.db"
    loop.symlink_to(loop)
    with pytest.raises(StoreError, match="a link that leads to itself"):
        await SqliteStore.open(loop, bucket_us=HOUR_US)


async def test_a_distribution_goes_with_the_last_decision_that_names_it(file, a_decision):
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    other = a_decision.distribution._replace(revision=8)
    await store.log_decisions([a_decision, a_decision._replace(decided_us=9, distribution=other)])
    assert rows(file, "distributions") == 2
    await store.retain(9)
    assert (rows(file, "decisions"), rows(file, "distributions")) == (1, 1)
    await store.close()


def rows(file: Path, table: str) -> int:
    with closing(sqlite3.connect(file)) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(count)


@pytest.mark.parametrize("settings", ["'{\"input_usd_per_mtok\": '", "x'ff'"])
async def test_an_entry_of_the_registry_that_is_no_json_is_named_with_what_to_do(file, settings):
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    entry = Entry(EntryKey(EntryKind.MODEL, "", "large"), {}, MANAGED_BY_API)
    other = Entry(EntryKey(EntryKind.MODEL, "", "a-number"), {}, MANAGED_BY_API)
    await store.edit_registry(0, [Edit(None, other), Edit(None, entry)], time_us=1, client="ann")
    await store.close()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE registry SET settings = 7 WHERE name = 'a-number'")
        connection.execute(f"UPDATE registry SET settings = {settings} WHERE name = 'large'")
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    with pytest.raises(StoreError, match="the settings of model large are no JSON; restore a backup, or mend"):
        await store.registry()
    await store.close()
