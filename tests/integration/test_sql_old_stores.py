"""What stores of earlier versions hold is there after their upgrade; and a file says which servers may use it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from adapters.ledger import StoredSums, StoreSchemaError
from adapters.registry import Entry, EntryKey, EntryKind
from adapters.sql import preparing
from adapters.sql.preparing import Upgraded
from adapters.sql.sqlite import SqliteStore
from adapters.sql.sqlite.database import APPLICATION_ID, SqliteDatabase
from adapters.sql.sqlite.inspection import facts_of, standing_of
from adapters.sql.standing import State
from adapters.sql.versions import HEAD, MIGRATIONS
from bandit.spend import SpendKey, Tally
from bandit.sums import Moments, RowKey
from tests.integration.newer_code import NEXT, newer_code

BUCKET_US = 10_000_000

FILLED = """
INSERT INTO meta VALUES ('bucket_us', 10000000), ('compacted_us', 70000000), ('retained_us', 50000000);
INSERT INTO sums VALUES ('acme', 'chat', 'large', 'quality', 'thumb', 7, 9000000001, -3, 4194304);
INSERT INTO sums VALUES ('acme', 'chat', 'large', 'error', '', 8, 5, 1048576, 1048576);
INSERT INTO sums VALUES ('globex', 'code', 'small', 'latency', '', 7, 1, -9223372036854775807, 9223372036854775807);
INSERT INTO sums_base VALUES ('acme', 'chat', 'large', 'quality', 'thumb', 7, 4, 2, 1);
INSERT INTO spend VALUES ('acme', 'chat', '', 0, 11, 2, 1234), ('acme', 'chat', 'fast', 1, 12, 3, 9223372036854775807);
INSERT INTO spend_base VALUES ('acme', 'chat', '', 0, 11, 1, 1000);
INSERT INTO revisions VALUES ('acme', 12), ('globex', 1);
INSERT INTO categories VALUES ('acme', 'chat', 'file'), ('acme', 'poetry', 'auto'), ('globex', 'code', 'auto');
INSERT INTO models VALUES ('large', 2.5, 10, 0.5, 'gpt', 'acme', 'eu', 8000, 4000, '["tools"]', 0, 'file');
INSERT INTO models VALUES ('small', 0.1, 0.4, NULL, 'small', '', '', NULL, NULL, '[]', 1, 'file');
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def made_at(file: Path, revision: str, content: str) -> None:
    """Make a store with the tables of an earlier version."""
    engine, config = create_engine(f"sqlite:///{file}"), Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
    with closing(sqlite3.connect(file)) as plain, plain:
        plain.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        plain.executescript(content)


def rows(file: Path, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(statement).fetchall()


async def test_a_store_of_the_third_version_keeps_what_it_learned_and_knows(file):
    made_at(file, "0003", FILLED)
    assert (standing_of(file).state, standing_of(file).schema.version) == (State.OLDER, "0003")
    store = await SqliteStore.open(file, bucket_us=BUCKET_US)
    assert await store.load("acme") == StoredSums(
        12,
        {
            RowKey("chat", "large", "error", "", 8): Moments(5, 1048576, 1048576),
            RowKey("chat", "large", "quality", "thumb", 7): Moments(9000000001, -3, 4194304),
        },
        ("chat", "poetry"),
        {SpendKey("chat", "", False, 11): Tally(2, 1234), SpendKey("chat", "fast", True, 12): Tally(3, 2**63 - 1)},
    )
    extreme = {RowKey("code", "small", "latency", "", 7): Moments(1, 1 - 2**63, 2**63 - 1)}
    assert await store.load("globex") == StoredSums(1, extreme, ("code",))
    found = await store.registry()
    large = {
        "input_usd_per_mtok": 2.5,
        "output_usd_per_mtok": 10.0,
        "cached_input_usd_per_mtok": 0.5,
        "family": "gpt",
        "provider": "acme",
        "region": "eu",
        "context_tokens": 8000,
        "max_output_tokens": 4000,
        "capabilities": ["tools"],
        "enabled": False,
    }
    small = {"input_usd_per_mtok": 0.1, "output_usd_per_mtok": 0.4}
    entries = [
        Entry(EntryKey(EntryKind.MODEL, "", name), settings, "file")
        for name, settings in (("large", large), ("small", small))
    ]
    assert found.entries == {entry.key: entry for entry in entries}
    await store.close()
    assert rows(file, "SELECT * FROM sums_base") == [("acme", "chat", "large", "quality", "thumb", 7, 0, 4, 2, 1)]
    assert rows(file, "SELECT * FROM spend_base") == [("acme", "chat", "", 0, 11, 0, 1, 1000)]
    assert rows(file, "SELECT DISTINCT shard, changed FROM sums") == [(0, 0)]
    assert rows(file, "SELECT managed_by FROM categories ORDER BY name") == [("file",), ("auto",), ("auto",)]
    marks = {"bucket_us": 10_000_000, "compacted_us": 70_000_000, "retained_us": 50_000_000, "registry_version": 0}
    assert dict(rows(file, "SELECT name, value FROM meta")) == marks
    assert facts_of(file).version == HEAD


async def by_newer(file: Path, folder: Path, compatible_from: str | None) -> Upgraded:
    """Have a newer version upgrade a file."""
    code = newer_code(folder, compatible_from=compatible_from)
    database = await SqliteDatabase.open(file, busy_timeout_s=5.0)
    try:
        return await database.run(preparing.prepare, bucket_us=BUCKET_US, code=code)
    finally:
        await database.close()


async def test_this_version_uses_a_file_that_a_newer_one_changed_and_lets_it_use(file, tmp_path):
    await (await SqliteStore.open(file, bucket_us=BUCKET_US)).close()
    assert await by_newer(file, tmp_path / "migrations", HEAD) == Upgraded(HEAD, NEXT, (NEXT,))
    store = await SqliteStore.open(file, bucket_us=BUCKET_US)
    assert await store.prepare() == NEXT
    await store.close()
    assert standing_of(file).state is State.NEWER
    assert facts_of(file).version == NEXT
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DROP TABLE categories")
    assert (standing_of(file).state, standing_of(file).lacking) == (State.DAMAGED, ("categories",))


@pytest.mark.parametrize("compatible_from", [NEXT, None])
async def test_this_version_refuses_a_file_that_a_newer_one_does_not_let_it_use(file, tmp_path, compatible_from):
    await (await SqliteStore.open(file, bucket_us=BUCKET_US)).close()
    await by_newer(file, tmp_path / "migrations", compatible_from)
    assert standing_of(file).state is State.REFUSED
    words = f"has schema {NEXT}, this version knows {HEAD}: upgrade routeward"
    with pytest.raises(StoreSchemaError, match=words):
        await SqliteStore.open(file, bucket_us=BUCKET_US)
    with pytest.raises(StoreSchemaError, match=words):
        facts_of(file)
