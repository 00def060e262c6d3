"""`doctor` looks at the machine and at the files."""

import asyncio
import dataclasses
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapters.sql.sqlite import SqliteStore, library
from adapters.sql.sqlite.lock import Holder
from adapters.sql.versions import HEAD
from routeward.cli import checks
from routeward.cli.checks import Check, Verdict
from routeward.cli.disk_checks import disks
from routeward.cli.file_checks import database_in_use, files, holder_of
from routeward.cli.port_checks import Found, Listener
from server.settings import PostgresSettings, ServerSettings, Settings, SpoolSettings, StoreSettings, TokenKey

Cli = Callable[..., Any]

NOW_S = 2e9
CONFIG = """\
[server]
listen = "127.0.0.1:0"
metrics = "127.0.0.1:0"
[[models]]
id = "small"
input_usd_per_mtok = 1
output_usd_per_mtok = 1
"""


def settings_in(folder: Path, **changes: Any) -> Settings:
    server = ServerSettings(listen="127.0.0.1:0", token_key_file=folder / "routeward.keys")
    store = StoreSettings(path=folder / "routeward.db", min_free_bytes=1)
    return dataclasses.replace(Settings(server=server, store=store), **changes)


def named(name: str, found: Iterator[Check]) -> Check:
    [check] = [check for check in found if check.name == name]
    return check


def file_check(name: str, settings: Settings, listener: Listener = Listener.NOBODY) -> Check:
    return named(name, files(settings, NOW_S, holder_of(settings), Found(listener)))


def store_in(folder: Path, *, bucket_us: int = 10_000_000) -> None:
    """Make a store as a server does."""

    async def made() -> None:
        await (await SqliteStore.open(folder / "routeward.db", bucket_us=bucket_us)).close()

    asyncio.run(made())


def test_a_fresh_folder_is_healthy(cli: Cli) -> None:
    Path("routeward.toml").write_text(CONFIG)
    ended = cli("doctor", "--json")
    assert (ended.code, ended.document["healthy"]) == (0, True)
    names = [check["name"] for check in ended.document["checks"]]
    assert names == ["clock", "configuration", "disk", "database", "signing keys", "server", "metrics", "sqlite"]
    shown = cli("doctor").out
    assert "routeward.db will be made at the first start" in shown


def test_a_broken_configuration_is_a_problem_and_a_command_that_tells_all_of_it(cli: Cli) -> None:
    Path("routeward.toml").write_text("lissen = 1\n")
    ended = cli("doctor")
    assert ended.code == 1
    assert "failed" in ended.out
    assert "routeward.toml: 2 problems in the configuration" in ended.out
    assert "run  routeward config check  to read what is wrong" in ended.out
    assert "did you mean" not in ended.out


@pytest.mark.parametrize(
    ("version", "damaging"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 0), True),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
    ],
)
def test_only_versions_of_sqlite_with_the_bug_are_remarked_upon(
    version: library.Version, damaging: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "version", lambda: version)
    check = checks.library()
    assert check.verdict is Verdict.OK
    assert ("only if another program writes to the file while the server runs" in check.advice) == damaging
    assert ("3.51.3, 3.50.7 or 3.44.6" in check.advice) == damaging


def test_the_version_of_sqlite_is_the_one_in_use() -> None:
    assert library.version() == sqlite3.sqlite_version_info[:3]


def test_a_clock_before_the_installation_is_wrong() -> None:
    assert checks.clock(0.0).verdict is Verdict.FAILED
    assert checks.clock(NOW_S).verdict is Verdict.OK


def test_too_little_space_is_a_problem(tmp_path: Path) -> None:
    store = StoreSettings(path=tmp_path / "routeward.db", min_free_bytes=2**62)
    assert file_check("disk", settings_in(tmp_path, store=store)).verdict is Verdict.FAILED
    assert file_check("disk", settings_in(tmp_path)).verdict is Verdict.OK


NOWHERE = PostgresSettings("postgresql://127.0.0.1:1/nowhere")


def test_a_server_on_postgresql_needs_room_for_what_it_keeps_itself(tmp_path: Path) -> None:
    for least, verdict in ((1, Verdict.OK), (2**62, Verdict.FAILED)):
        snapshot = tmp_path / "snapshot.json"
        store = StoreSettings(postgres=NOWHERE, snapshot_path=snapshot, export_folder=tmp_path, min_free_bytes=least)
        settings = settings_in(tmp_path, store=store, spool=SpoolSettings(tmp_path / "spool.db", 1))
        found = {check.name: check for check in disks(settings)}
        assert {name: check.verdict for name, check in found.items()} == dict.fromkeys(
            ["spool disk", "snapshot disk", "export disk"], verdict
        )
        assert all(f"MB free in {tmp_path}" in check.detail for check in found.values())


def test_a_spool_that_cannot_become_as_large_as_it_may_is_warned_of(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    store = StoreSettings(postgres=NOWHERE, min_free_bytes=1)
    for workers, verdict in ((1, Verdict.OK), (4, Verdict.WARNING)):
        server = ServerSettings(workers=workers)
        spool = SpoolSettings(tmp_path / "spool.db", free // 2)
        check = named("spool disk", disks(settings_in(tmp_path, server=server, store=store, spool=spool)))
        assert (check.verdict, "lower spool.max_mb" in check.advice) == (verdict, workers == 4)


@pytest.mark.parametrize(
    ("mode", "modified_s", "verdict"),
    [(0o600, NOW_S, Verdict.OK), (0o644, NOW_S, Verdict.WARNING), (0o600, NOW_S + 3600, Verdict.FAILED)],
)
def test_the_database_belongs_to_its_owner_and_to_the_past(
    mode: int, modified_s: float, verdict: Verdict, tmp_path: Path
) -> None:
    path = tmp_path / "routeward.db"
    path.touch(mode)
    path.chmod(mode)
    os.utime(path, (modified_s, modified_s))
    assert file_check("database", settings_in(tmp_path)).verdict is verdict


def test_a_store_tells_its_schema_and_is_left_as_it_is(tmp_path: Path) -> None:
    store_in(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    check = file_check("database", settings_in(tmp_path))
    assert (check.verdict, check.detail.endswith(f" MB, schema {HEAD}")) == (Verdict.OK, True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_missing_store_is_not_made(tmp_path: Path) -> None:
    assert "will be made at the first start" in file_check("database", settings_in(tmp_path)).detail
    assert list(tmp_path.iterdir()) == []


def test_a_store_of_a_newer_version_is_a_problem(tmp_path: Path) -> None:
    store_in(tmp_path)
    with closing(sqlite3.connect(tmp_path / "routeward.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9000'")
        connection.commit()
    check = file_check("database", settings_in(tmp_path))
    assert (check.verdict, "upgrade routeward" in check.detail) == (Verdict.FAILED, True)


def test_a_file_that_is_no_store_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "routeward.db").write_text("Dear diary, " * 100)
    check = file_check("database", settings_in(tmp_path))
    assert check.verdict is Verdict.FAILED
    assert "is not a SQLite database: give the store another path" in check.detail


def test_a_store_with_other_time_buckets_is_a_problem(tmp_path: Path) -> None:
    store_in(tmp_path, bucket_us=60_000_000)
    check = file_check("database", settings_in(tmp_path))
    assert (check.verdict, check.advice) == (Verdict.FAILED, "set bucket_seconds = 60 in [learning]")


@pytest.mark.parametrize(
    ("listener", "verdict", "told"),
    [
        (Listener.ROUTEWARD, Verdict.OK, "in use by the server on 127.0.0.1:5"),
        (Listener.UNASKED, Verdict.OK, "in use by the server on 127.0.0.1:5"),
        (Listener.NOBODY, Verdict.FAILED, "that does not answer on 127.0.0.1:5"),
        (Listener.STRANGER, Verdict.FAILED, "that does not answer on 127.0.0.1:5"),
    ],
)
async def test_that_a_server_has_the_store_is_news_only_if_it_does_not_answer(
    listener: Listener, verdict: Verdict, told: str, tmp_path: Path
) -> None:
    store = await SqliteStore.open(tmp_path / "routeward.db", bucket_us=10_000_000)
    store.note_address("127.0.0.1:5")
    check = file_check("database", settings_in(tmp_path), listener)
    assert (check.verdict, told in check.detail) == (verdict, True)
    assert (f"process {os.getpid()}" in check.detail) == (verdict is Verdict.FAILED)
    assert database_in_use(settings_in(tmp_path))
    await store.close()
    assert database_in_use(settings_in(tmp_path)) is False


def test_a_server_that_does_not_say_where_it_is_should_be_where_the_configuration_says(tmp_path: Path) -> None:
    (tmp_path / "routeward.db").touch(0o600)
    check = named("database", files(settings_in(tmp_path), NOW_S, Holder(), Found(Listener.NOBODY)))
    assert check.detail.endswith("is in use by a server that does not answer on 127.0.0.1:0")


def test_a_store_in_memory_is_warned_of(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, store=StoreSettings(path=Path()))
    assert file_check("database", settings).verdict is Verdict.WARNING


def test_a_key_file_that_others_can_read_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "routeward.keys"
    path.write_text("a:" + "0" * 64)
    path.chmod(0o600)
    assert file_check("signing keys", settings_in(tmp_path)).verdict is Verdict.OK
    path.chmod(0o640)
    check = file_check("signing keys", settings_in(tmp_path))
    assert (check.verdict, "chmod 600" in check.detail) == (Verdict.FAILED, True)


def test_signing_keys_of_the_environment_are_counted(tmp_path: Path) -> None:
    server = ServerSettings(token_keys=(TokenKey("a", bytes(32)),))
    check = file_check("signing keys", settings_in(tmp_path, server=server))
    assert check.detail == "1 in ROUTEWARD_TOKEN_KEYS"
