"""`routeward db` on a SQLite file: it tells before it changes, and says who may use the tables."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapters.sql.sqlite import SqliteStore
from adapters.sql.versions import HEAD
from tests.unit.cli.test_operations import CONFIG

HOUR_US = 3_600_000_000
PLACE = {"backend": "sqlite", "store": "store.db"}


@pytest.fixture(autouse=True)
def configured(cli):  # noqa: ARG001 -- it brings the folder
    Path("routeward.toml").write_text(f"{CONFIG}\n[learning]\nbucket_seconds = 3600\n")


def plant(statement):
    with closing(sqlite3.connect("store.db")) as connection, connection:
        connection.executescript(statement)


def test_where_nothing_is_a_plan_tells_the_tables_and_an_upgrade_makes_them_once(cli):
    ended = cli("db", "status", "--json")
    assert ended.code == 1
    none: dict[str, Any] = {"schema": None, "known": HEAD, "oldest_code": None, "migrations": [], "lacking": []}
    assert ended.document == PLACE | {"state": "empty"} | none
    assert "CREATE TABLE signals" in cli("db", "plan").out
    assert not Path("store.db").exists()
    made: dict[str, Any] = PLACE | {"applied": True, "before": None, "after": HEAD, "migrations": []}
    assert cli("db", "upgrade", "--json").document == made
    again = cli("db", "upgrade", "--json")
    assert (again.code, again.document) == (0, made | {"applied": False, "before": HEAD})
    assert cli("db", "upgrade").out == f"already at {HEAD}: store.db\n"
    ended = cli("db", "status")
    assert ended.code == 0
    assert ended.out.splitlines() == [
        f"store.db: schema {HEAD}, this version knows {HEAD}",
        f"servers that know {HEAD} or newer may use it",
        "nothing is to be done",
    ]
    assert cli("db", "plan").out == f"nothing is to be done: store.db has schema {HEAD}\n"


def test_of_an_older_file_the_missing_migrations_are_told_with_what_they_do(cli):
    cli("db", "upgrade")
    plant("UPDATE alembic_version SET version_num = '0004'")
    ended = cli("db", "status", "--json")
    assert (ended.code, ended.document["state"], ended.document["migrations"]) == (1, "older", ["0005"])
    [step] = cli("db", "plan", "--json").document["migrations"]
    assert step["description"].startswith("Models, categories and profiles may change while servers run")
    assert (step["revision"], step["compatible_from"], step["sql"]) == ("0005", "0005", None)
    assert "servers that know 0005 or newer may go on after it" in cli("db", "plan").out


def test_a_newer_file_says_whether_this_version_may_use_it(cli):
    cli("db", "upgrade")
    plant("UPDATE alembic_version SET version_num = '9000'")
    assert cli("db", "status", "--json").document["state"] == "refused"
    for word in ("plan", "upgrade"):
        ended = cli("db", word, "--json")
        assert (ended.code, ended.document["error"]["reason"]) == (2, "STORE_REFUSED")
        assert f"has schema 9000, this version knows {HEAD}: upgrade routeward" in ended.document["error"]["message"]
    plant(f"INSERT INTO meta VALUES ('oldest_code', {int(HEAD)})")
    ended = cli("db", "status", "--json")
    assert (ended.code, ended.document["state"], ended.document["oldest_code"]) == (0, "newer", HEAD)
    assert cli("db", "upgrade").out == "already at 9000: store.db\n"


def test_a_file_that_lost_a_column_is_told(cli):
    cli("db", "upgrade")
    plant("ALTER TABLE signals DROP COLUMN bill_profile; DROP TABLE audit")
    ended = cli("db", "status")
    assert ended.code == 1
    assert ended.out.splitlines()[2:] == [
        "lacking: audit, signals.bill_profile",
        "it lacks what its version has: restore a backup",
    ]


def test_beside_a_server_the_tables_are_told_and_not_changed(cli):
    loop = asyncio.new_event_loop()
    store = loop.run_until_complete(SqliteStore.open("store.db", bucket_us=HOUR_US))
    try:
        assert cli("db", "status").code == 0
        ended = cli("db", "upgrade", "--json")
        assert (ended.code, ended.document["error"]["reason"]) == (2, "STORE_REFUSED")
        assert "store.db" in ended.document["error"]["message"]
    finally:
        loop.run_until_complete(store.close())
        loop.close()


@pytest.mark.parametrize("word", ["status", "plan", "upgrade"])
def test_a_store_in_memory_and_a_file_of_another_program_have_no_tables_of_ours(cli, word):
    with closing(sqlite3.connect("store.db")) as connection, connection:
        connection.execute("CREATE TABLE other (id INTEGER)")
    ended = cli("db", word, "--json")
    assert (ended.code, ended.document["error"]["reason"]) == (2, "STORE_REFUSED")
    assert "belongs to another program" in ended.document["error"]["message"]
    Path("routeward.toml").write_text(CONFIG.replace("store.db", ""))
    ended = cli("db", word, "--json")
    assert (ended.code, ended.document["error"]["reason"]) == (2, "NO_STORE")


@pytest.mark.parametrize("word", ["status", "plan", "upgrade"])
def test_a_postgresql_that_does_not_answer_is_told_without_its_password(cli, word, monkeypatch, tmp_path):
    monkeypatch.setenv("ROUTEWARD_POSTGRES", f"postgresql://me:hunter2@/db?host={tmp_path}")
    ended = cli("db", word, "--json")
    assert (ended.code, ended.document["error"]["reason"]) == (2, "STORE_UNAVAILABLE")
    assert "PostgreSQL does not answer" in ended.document["error"]["message"]
    assert "hunter2" not in ended.out + ended.err
