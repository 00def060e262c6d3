"""The tables are those of the migrations, and a start migrates only when it must."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from adapters.ledger import StoreSchemaError
from adapters.registry import Entry, EntryKey, EntryKind, Registry
from adapters.sql.migrating import upgrade
from adapters.sql.schema import metadata
from adapters.sql.sqlite import SqliteStore
from adapters.sql.sqlite.database import APPLICATION_ID
from adapters.sql.sqlite.traffic import decisions_of
from adapters.sql.versions import HEAD, MIGRATIONS
from bandit.records import ModelForecast, SignalRecord
from bandit.signals import DecisionFacts, Kind, Outcome, Status, Thumb
from bandit.spend import Bill, SpendKey, Tally

ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


async def made(file: Path) -> None:
    await (await SqliteStore.open(file, bucket_us=1)).close()


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


MODELS_OF_OLD = """
CREATE TABLE models (
    id VARCHAR PRIMARY KEY NOT NULL, input_usd_per_mtok DOUBLE NOT NULL, output_usd_per_mtok DOUBLE NOT NULL,
    cached_input_usd_per_mtok DOUBLE, family VARCHAR NOT NULL, provider VARCHAR NOT NULL, region VARCHAR NOT NULL,
    context_tokens BIGINT, max_output_tokens BIGINT, capabilities JSON NOT NULL, enabled BOOLEAN NOT NULL,
    managed_by VARCHAR NOT NULL
)
"""


async def test_a_store_of_the_second_version_keeps_its_decisions_and_logs_what_was_intended(file, a_decision):
    store = await SqliteStore.open(file, bucket_us=1)
    await store.log_decisions([a_decision])
    await store.close()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("ALTER TABLE distributions DROP COLUMN intended")
        connection.execute("ALTER TABLE categories DROP COLUMN changed")
        for table in ("registry", "audit"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("DELETE FROM meta WHERE name = 'registry_version'")
        connection.execute(MODELS_OF_OLD)
        large = ("large", 2.5, 10, None, "large", "acme", "", 8000, None, '["tools"]', 0, "file")
        connection.execute("INSERT INTO models VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", large)
        connection.execute("UPDATE alembic_version SET version_num = '0002'")
    store = await SqliteStore.open(file, bucket_us=1)
    drawn_from = a_decision.distribution._replace(intended={"large": 0.25, "small": 0.75})
    newer = a_decision._replace(nonce=b"m" * 12, decided_us=6, distribution=drawn_from)
    await store.log_decisions([newer])
    assert [record async for record in store.decisions()] == [a_decision, newer]
    settings = {
        "input_usd_per_mtok": 2.5,
        "output_usd_per_mtok": 10.0,
        "provider": "acme",
        "context_tokens": 8000,
        "capabilities": ["tools"],
        "enabled": False,
    }
    moved = Entry(EntryKey(EntryKind.MODEL, "", "large"), settings, "file")
    assert await store.registry() == Registry(0, {moved.key: moved})
    await store.close()


async def test_decisions_logged_before_a_number_was_kept_are_read_without_it(file, a_decision):
    expected = ModelForecast(0.75, 0.9, 0.002, 1.5, 0.01, 0.003, 40.0, 12.0, 0.1, 0.2, 0.3)
    drawn_from = a_decision.distribution._replace(forecasts={"large": expected})
    store = await SqliteStore.open(file, bucket_us=1)
    await store.log_decisions([a_decision._replace(distribution=drawn_from)])
    await store.close()
    with closing(sqlite3.connect(file)) as connection, connection:
        ((columns,),) = connection.execute("SELECT forecasts FROM distributions")
        first_five = {name: json.loads(columns)[name] for name in ("model", *ModelForecast._fields[:5])}
        connection.execute("UPDATE distributions SET forecasts = ?", [json.dumps(first_five)])
    store = await SqliteStore.open(file, bucket_us=1)
    found = await store.decision("acme", a_decision.nonce, 5)
    assert found is not None
    assert found.distribution.forecasts == {"large": ModelForecast(*expected[:5])}
    await store.close()


async def test_opening_again_changes_nothing(file):
    await made(file)
    before = file.read_bytes()
    await made(file)
    assert file.read_bytes() == before


def test_a_start_that_has_nothing_to_migrate_does_not_load_alembic(file):
    code = f"""
import asyncio, sys
from adapters.sql.sqlite import SqliteStore
from adapters.sql.sqlite.database import APPLICATION_ID

async def main():
    for _ in range(2):
        await (await SqliteStore.open({str(file)!r}, bucket_us=1)).close()

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
    with pytest.raises(StoreSchemaError, match=f"schema 9999, this version knows {HEAD}: upgrade routeward"):
        await SqliteStore.open(file, bucket_us=1)
    assert file.read_bytes() == before


async def test_a_store_of_the_first_version_keeps_its_signals_and_decisions_and_can_be_written_to(file):
    engine = create_engine(f"sqlite:///{file}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    thumb = SignalRecord(
        "acme", b"n" * 12, "thumb", Thumb(True), 7, 8, DecisionFacts("chat", "m", Kind.SAMPLED, 6), 0.5
    )
    with closing(sqlite3.connect(file)) as plain, plain:
        plain.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        plain.execute("INSERT INTO meta VALUES ('bucket_us', 1)")
        columns = "namespace, nonce, signal, observed_us, received_us, category, model, kind, decided_us, propensity"
        plain.execute(
            f"INSERT INTO signals ({columns}, parent, client, rater, retracted, up)"
            " VALUES ('acme', ?, 'thumb', 7, 8, 'chat', 'm', 1, 6, 0.5, x'', '', '', 0, 1)",
            (b"n" * 12,),
        )
        nothing = json.dumps({name: [] for name in ("model", *ModelForecast._fields)})
        drawn = "namespace, id, used_us, revision, snapshot_us, config_hash, answer_value_usd, second_value_usd"
        plain.execute(
            f"INSERT INTO distributions ({drawn}, forecasts, exclusions, cached_model)"
            " VALUES ('acme', x'00', 6, 0, 0, '', 0, 0, ?, '{}', '')",
            (nothing,),
        )
        plain.execute(
            "INSERT INTO decisions VALUES (6, 'acme', ?, 'chat', 'm', 1, 0.5, 0.5, '', '', x'00', 1, 1, 1, '', '', '')",
            (b"n" * 12,),
        )
    [found] = decisions_of(file, 0, 9)
    assert found.judgements == {"thumb": (1.0, 7)}
    store = await SqliteStore.open(file, bucket_us=1)
    assert [record async for record in store.signals()] == [thumb]
    assert [record.distribution.budget_price async for record in store.decisions()] == [0.0]
    bill = Bill("fast", True, 5)
    paid = SignalRecord("acme", b"p" * 12, "outcome", Outcome(Status.OK), 7, 8, thumb.decision, 0.5, bill=bill)
    await store.write([paid])
    assert (await store.load("acme")).spend == {SpendKey("chat", "fast", True, 0): Tally(1, 5)}
    await store.close()
