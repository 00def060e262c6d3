"""On PostgreSQL one process changes the tables, whoever else tries, and nobody waits for the dead."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from adapters.ledger import StoreError, StoreUnavailableError
from adapters.sql import migrating, versions
from adapters.sql.migrating import Migration
from adapters.sql.postgres import tables
from adapters.sql.postgres.database import PostgresDatabase
from adapters.sql.postgres.locks import Lock
from adapters.sql.postgres.reach import Reach
from adapters.sql.postgres.upgrading import upgrade
from adapters.sql.preparing import Upgraded
from adapters.sql.schema import CHANGED, metadata
from adapters.sql.standing import State, standing
from adapters.sql.versions import HEAD
from tests.integration.newer_code import NEXT, newer_code

ROOT = Path(__file__).parents[2]
BUCKET_US = 10_000_000

ONLY_IN_POSTGRESQL = {
    *("signals_default", "decisions_default", "signals_default_decided_us_idx"),
    *(f"ix_{name}_{CHANGED}" for name in ("sums", "spend", "revisions")),
}

UNDO_0005 = """
DROP TABLE registry; DROP TABLE audit; DELETE FROM meta WHERE name = 'registry_version';
CREATE TABLE models (
    id VARCHAR PRIMARY KEY, input_usd_per_mtok DOUBLE PRECISION NOT NULL, output_usd_per_mtok DOUBLE PRECISION NOT NULL,
    cached_input_usd_per_mtok DOUBLE PRECISION, family VARCHAR NOT NULL, provider VARCHAR NOT NULL,
    region VARCHAR NOT NULL, context_tokens BIGINT, max_output_tokens BIGINT, capabilities JSON NOT NULL,
    enabled BOOLEAN NOT NULL, managed_by VARCHAR NOT NULL
);
INSERT INTO models VALUES ('large', 2.5, 10, NULL, 'large', 'acme', '', 8000, NULL, '["tools"]', false, 'file');
UPDATE alembic_version SET version_num = '0004';
"""


@pytest.fixture
def reach(database_url):
    return Reach(database_url)


async def on(reach, work):
    database = PostgresDatabase(reach)
    try:
        return await database.run(work)
    finally:
        await database.close()


def where(connection):
    return standing(connection), list(compare_metadata(MigrationContext.configure(connection), metadata))


async def test_a_new_database_has_the_tables_of_the_schema_and_migrates_once_whoever_tries(reach, tmp_path):
    done = await asyncio.gather(*(upgrade(reach, bucket_us=BUCKET_US) for _ in range(4)))
    assert sorted(done, key=lambda one: one.applied)[3] == Upgraded(None, HEAD)
    assert [one.applied for one in done].count(True) == 1
    found, differences = await on(reach, where)
    assert (found.state, found.lacking) == (State.CURRENT, ())
    # Partitions are tables of their own; replicas find what changed by an index that SQLite does without.
    assert {kind for kind, *_ in differences} == {"remove_table", "remove_index"}
    assert {what.name for _, what in differences} == ONLY_IN_POSTGRESQL

    newer = newer_code(tmp_path / "migrations")
    done = await asyncio.gather(*(upgrade(reach, bucket_us=BUCKET_US, code=newer) for _ in range(4)))
    assert sorted(done) == [Upgraded(HEAD, NEXT, (NEXT,)), *[Upgraded(NEXT, NEXT)] * 3]
    assert await on(reach, lambda connection: connection.scalar(text("SELECT count(*) FROM notes"))) == 1
    assert (await on(reach, standing)).state is State.NEWER


async def test_an_upgrade_waits_for_another_tells_so_and_can_be_given_up(reach):
    holder, told = PostgresDatabase(reach), asyncio.Event()
    try:
        async with holder.connection() as connection:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({int(Lock.SCHEMA)})"))
            waiting = asyncio.create_task(upgrade(reach, bucket_us=BUCKET_US, waiting=told.set))
            await asyncio.wait_for(told.wait(), 20)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            told.clear()
            waiting = asyncio.create_task(upgrade(reach, bucket_us=BUCKET_US, waiting=told.set))
            await asyncio.wait_for(told.wait(), 20)
            assert (await on(reach, standing)).state is State.EMPTY
        assert (await asyncio.wait_for(waiting, 20)).applied
    finally:
        await holder.close()


async def test_an_upgrade_does_not_wait_for_a_process_that_was_frozen_while_it_changed_tables(reach):
    frozen = PostgresDatabase(Reach(reach.url, statement_s=0.5))
    try:
        async with asyncio.timeout(20):
            async with frozen.connection() as connection:
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({int(Lock.SCHEMA)})"))
                await connection.execute(text("CREATE TABLE half (done INTEGER)"))
                assert (await upgrade(reach, bucket_us=BUCKET_US)).applied
                await connection.invalidate()
        assert (await on(reach, standing)).state is State.CURRENT
        assert await on(reach, lambda connection: connection.scalar(text("SELECT to_regclass('half')"))) is None
    finally:
        await frozen.close()


async def test_a_table_that_stays_in_use_ends_an_upgrade_and_nothing_was_changed(reach, tmp_path, monkeypatch):
    monkeypatch.setattr("adapters.sql.postgres.upgrading.ATTEMPTS", 2)
    monkeypatch.setattr("adapters.sql.postgres.upgrading.LOCK_S", 0.05)
    await upgrade(reach, bucket_us=BUCKET_US)
    newer, reader = newer_code(tmp_path / "migrations"), PostgresDatabase(reach)
    try:
        async with reader.connection() as connection:
            await connection.execute(text("SELECT count(*) FROM signals"))
            with pytest.raises(StoreUnavailableError, match="end long transactions on it"):
                await upgrade(reach, bucket_us=BUCKET_US, code=newer)
        assert (await on(reach, standing)).state is State.CURRENT
        assert (await upgrade(reach, bucket_us=BUCKET_US, code=newer)).migrations == (NEXT,)
    finally:
        await reader.close()


async def test_a_database_of_another_program_is_left_alone(reach):
    await on(reach, lambda connection: connection.execute(text("CREATE TABLE signals (id INTEGER)")))
    with pytest.raises(StoreError, match=r"tables that we would make \(signals\)"):
        await upgrade(reach, bucket_us=BUCKET_US)
    assert not (await on(reach, standing)).schema.version


def test_a_plan_tells_the_statements_of_a_migration_and_of_a_new_store(tmp_path):
    code = newer_code(tmp_path / "migrations")
    [step] = migrating.pending(HEAD, code)
    assert step == Migration(NEXT, HEAD, "Notes on signals. Add a column and a table.", HEAD)
    sql = migrating.sql_of(step, "postgresql+asyncpg", code)
    assert "ALTER TABLE signals ADD COLUMN note VARCHAR;" in sql
    noted = f"UPDATE alembic_version SET version_num='{NEXT}' WHERE alembic_version.version_num = '{HEAD}';"
    assert sql.endswith(noted)
    assert "COMMIT" not in sql
    assert "PARTITION BY RANGE (decided_us)" in migrating.sql_of_new("postgresql+asyncpg", tables.create)


def test_the_code_names_the_oldest_version_that_its_migrations_leave_running():
    assert migrating.oldest_code() == versions.COMPATIBLE_FROM


def db(*words: str, url: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, "ROUTEWARD_POSTGRES": url, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "routeward", "db", *words, "--json", "--config", str(folder / "routeward.toml")]
    return subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, check=False)


def configure(folder: Path) -> None:
    (folder / "routeward.toml").write_text(
        '[[models]]\nid = "small"\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 2\n', encoding="utf-8"
    )


def at_once(processes: int, run: "Callable[[int], subprocess.CompletedProcess[str]]") -> list[Any]:
    with ThreadPoolExecutor(processes) as threads:
        ended = list(threads.map(run, range(processes)))
    assert [one.returncode for one in ended] == [0] * processes, [one.stdout + one.stderr for one in ended]
    return [json.loads(one.stdout) for one in ended]


@pytest.mark.slow
@pytest.mark.parametrize("before", [None, "0004"])
def test_of_eight_commands_on_a_new_or_an_older_database_one_applies_and_seven_wait(
    before, database_url, tmp_path, postgres
):
    configure(tmp_path)
    database = database_url.partition("?")[0].rpartition("/")[2]
    if before:
        assert db("upgrade", url=database_url, folder=tmp_path).returncode == 0
        postgres.psql(UNDO_0005, database)
    told = at_once(8, lambda _: db("upgrade", url=database_url, folder=tmp_path))
    [applied] = [one for one in told if one["applied"]]
    place = {"backend": "postgresql", "store": "PostgreSQL"}
    assert applied == place | {
        "applied": True,
        "before": before,
        "after": HEAD,
        "migrations": [HEAD] if before else [],
    }
    waited = place | {"applied": False, "before": HEAD, "after": HEAD, "migrations": []}
    assert [one for one in told if not one["applied"]] == [waited] * 7
    status = db("status", url=database_url, folder=tmp_path)
    assert (status.returncode, json.loads(status.stdout)["state"]) == (0, "current")
    models = postgres.psql("SELECT name, settings->>'provider' FROM registry", database)
    assert models == ("large|acme" if before else "")
