"""The tables are those of the migrations, and a start migrates only when it must."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from adapters.ledger import StoreSchemaError
from adapters.sql import SqlStore
from adapters.sql.schema import metadata
from adapters.sql.versions import HEAD, MIGRATIONS, upgrade

ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


async def made(file: Path) -> None:
    await (await SqlStore.open(file, bucket_us=1)).close()


def tables(file: Path) -> dict[str, object]:
    """Columns, and whatever else the text of a table says: a migration adds columns behind the constraints."""
    with closing(sqlite3.connect(file)) as connection:
        found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql != ''").fetchall()
        return {
            name: (connection.execute(f"PRAGMA table_xinfo({name})").fetchall(), sorted(parts(sql)))
            for name, sql in found
        }


def parts(sql: str) -> list[str]:
    return " ".join(sql.replace("(", " ").replace(")", " ").replace(",", " ").split()).split(" ")


def test_the_tables_are_what_the_migrations_make(file):
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        upgrade(connection, None)
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


async def test_a_new_store_has_the_tables_that_migrations_make(file, tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'migrated.db'}")
    with engine.begin() as connection:
        upgrade(connection, None)
    engine.dispose()
    await made(file)
    assert tables(file) == tables(tmp_path / "migrated.db")


def test_the_newest_migration_is_the_one_the_code_names():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


async def test_a_store_of_the_first_version_keeps_its_decisions_and_logs_what_was_intended(file, a_decision):
    store = await SqlStore.open(file, bucket_us=1)
    await store.log_decisions([a_decision])
    await store.close()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("ALTER TABLE distributions DROP COLUMN intended")
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    store = await SqlStore.open(file, bucket_us=1)
    drawn_from = a_decision.distribution._replace(intended={"large": 0.25, "small": 0.75})
    newer = a_decision._replace(nonce=b"m" * 12, decided_us=6, distribution=drawn_from)
    await store.log_decisions([newer])
    assert [record async for record in store.decisions()] == [a_decision, newer]
    await store.close()


async def test_opening_again_changes_nothing(file):
    await made(file)
    before = file.read_bytes()
    await made(file)
    assert file.read_bytes() == before


def test_a_start_that_has_nothing_to_migrate_does_not_load_alembic(file):
    code = f"""
import asyncio, sys
from adapters.sql import SqlStore

async def main():
    for _ in range(2):
        await (await SqlStore.open({str(file)!r}, bucket_us=1)).close()

asyncio.run(main())
print("alembic" in sys.modules)
"""
    finished = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "False"


async def test_a_store_of_a_newer_version_is_refused_and_left_as_it_was(file):
    await made(file)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = file.read_bytes()
    with pytest.raises(StoreSchemaError, match=f"schema 9999, this version knows {HEAD}; upgrade routeward"):
        await SqlStore.open(file, bucket_us=1)
    assert file.read_bytes() == before
