"""What can be told of a store's file without opening the store."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from adapters.ledger import StoreError, StoreSchemaError
from adapters.sql.facts import StoreFacts
from adapters.sql.sqlite import SqliteStore
from adapters.sql.sqlite.inspection import facts_of, holder_of
from adapters.sql.sqlite.lock import Holder
from adapters.sql.versions import HEAD

HOUR_US = 3_600_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def made(file: Path) -> None:
    await (await SqliteStore.open(file, bucket_us=HOUR_US)).close()


async def test_a_store_tells_its_version_and_bucket_width_and_stays_as_it_was(file, tmp_path):
    await made(file)
    before = contents(tmp_path)
    assert facts_of(file) == StoreFacts(HEAD, HOUR_US)
    assert holder_of(file) is None
    assert contents(tmp_path) == before


def test_an_empty_file_tells_nothing_and_stays_empty(file, tmp_path):
    file.touch()
    assert facts_of(file) == StoreFacts()
    assert holder_of(file) is None
    assert contents(tmp_path) == {"store.db": b""}


async def test_what_a_crash_left_in_the_log_is_read(file, tmp_path):
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in ("store.db", "store.db-wal"):
        shutil.copy(tmp_path / name, crashed)
    await store.close()
    before = contents(crashed)
    assert facts_of(crashed / "store.db") == StoreFacts(HEAD, HOUR_US)
    assert before.items() <= contents(crashed).items()


async def test_a_store_that_a_server_has_is_in_use_by_whatever_name(file, tmp_path):
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    (tmp_path / "alias.db").symlink_to(file)
    assert holder_of(file) == holder_of(tmp_path / "alias.db") == Holder(os.getpid())
    await store.close()
    assert holder_of(file) is None


async def test_a_server_that_has_a_store_says_where_it_listens_and_the_next_one_does_not_inherit_that(file):
    first = await SqliteStore.open(file, bucket_us=HOUR_US)
    first.note_address("127.0.0.1:7443")
    assert holder_of(file) == Holder(os.getpid(), "127.0.0.1:7443")
    await first.close()
    second = await SqliteStore.open(file, bucket_us=HOUR_US)
    assert holder_of(file) == Holder(os.getpid())
    await second.close()


async def test_a_lock_whose_note_cannot_be_read_still_says_that_a_store_is_in_use(file, tmp_path):
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    (tmp_path / "store.db.lock").write_bytes(b"\xff")
    assert holder_of(file) == Holder()
    await store.close()


async def test_a_store_of_a_newer_version_says_to_upgrade(file):
    await made(file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9000'")
        connection.commit()
    with pytest.raises(StoreSchemaError, match=f"has schema 9000, this version knows {HEAD}: upgrade routeward"):
        facts_of(file)


def test_what_is_no_store_of_ours_is_refused_and_left_as_it_was(file, tmp_path):
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE diary (entry)")
    other = tmp_path / "diary.txt"
    other.write_bytes(b"Dear diary, " * 100)
    before = contents(tmp_path)
    with pytest.raises(StoreError, match="belongs to another program"):
        facts_of(file)
    with pytest.raises(StoreError, match="is not a SQLite database"):
        facts_of(other)
    assert contents(tmp_path) == before


async def test_a_store_with_a_second_name_is_refused_as_at_a_start(file, tmp_path):
    await made(file)
    (tmp_path / "other.db").hardlink_to(file)
    with pytest.raises(StoreError, match="second name"):
        facts_of(file)
