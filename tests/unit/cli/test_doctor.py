"""`doctor`."""

import dataclasses
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from adapters.sql import library
from routeward.cli import checks
from routeward.cli.checks import Check, Verdict
from server.settings import ServerSettings, Settings, StoreSettings, TlsFiles, TokenKey

Cli = Callable[..., Any]

NOW_S = 2e9
CONFIG = """\
[server]
listen = "127.0.0.1:0"
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


@contextmanager
def health_server(*failing: str) -> Iterator[str]:
    """A server on this machine that serves everything but what is `failing`; gives its address."""
    servicer = health.HealthServicer()
    for name in checks.SERVICES:
        status = (
            health_pb2.HealthCheckResponse.NOT_SERVING if name in failing else health_pb2.HealthCheckResponse.SERVING
        )
        servicer.set(name, status)
    with ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


def server_check(listen: str, **changes: Any) -> Check:
    return named("server", checks.network(Settings(server=ServerSettings(listen=listen, **changes))))


def test_a_fresh_folder_is_healthy(cli: Cli) -> None:
    Path("routeward.toml").write_text(CONFIG)
    ended = cli("doctor", "--json")
    assert (ended.code, ended.document["healthy"]) == (0, True)
    names = [check["name"] for check in ended.document["checks"]]
    assert names == ["sqlite", "clock", "configuration", "disk", "database", "signing keys", "server"]
    shown = cli("doctor").out
    assert "routeward.db will be made at the first start" in shown


def test_a_broken_configuration_is_a_problem_with_its_line(cli: Cli) -> None:
    Path("routeward.toml").write_text("lissen = 1\n")
    ended = cli("doctor")
    assert ended.code == 1
    assert "failed" in ended.out
    assert 'routeward.toml:1: unknown key "lissen"' in ended.out


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
def test_only_versions_of_sqlite_with_the_bug_are_warned_of(
    version: library.Version, damaging: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "version", lambda: version)
    check = named("sqlite", checks.machine(NOW_S))
    assert check.verdict is (Verdict.WARNING if damaging else Verdict.OK)
    assert ("3.51.3, 3.50.7 or 3.44.6" in check.advice) == damaging


def test_the_version_of_sqlite_is_the_one_in_use() -> None:
    import sqlite3

    assert library.version() == sqlite3.sqlite_version_info[:3]


def test_a_clock_before_the_installation_is_wrong() -> None:
    assert named("clock", checks.machine(0.0)).verdict is Verdict.FAILED
    assert named("clock", checks.machine(NOW_S)).verdict is Verdict.OK


def test_too_little_space_is_a_problem(tmp_path: Path) -> None:
    store = StoreSettings(path=tmp_path / "routeward.db", min_free_bytes=2**62)
    assert named("disk", checks.files(settings_in(tmp_path, store=store), NOW_S)).verdict is Verdict.FAILED
    assert named("disk", checks.files(settings_in(tmp_path), NOW_S)).verdict is Verdict.OK


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
    assert named("database", checks.files(settings_in(tmp_path), NOW_S)).verdict is verdict


def test_a_store_in_memory_is_warned_of(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, store=StoreSettings(path=Path()))
    assert named("database", checks.files(settings, NOW_S)).verdict is Verdict.WARNING


def test_a_key_file_that_others_can_read_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "routeward.keys"
    path.write_text("a:" + "0" * 64)
    path.chmod(0o600)
    assert named("signing keys", checks.files(settings_in(tmp_path), NOW_S)).verdict is Verdict.OK
    path.chmod(0o640)
    check = named("signing keys", checks.files(settings_in(tmp_path), NOW_S))
    assert (check.verdict, "chmod 600" in check.detail) == (Verdict.FAILED, True)


def test_signing_keys_of_the_environment_are_counted(tmp_path: Path) -> None:
    server = ServerSettings(token_keys=(TokenKey("a", bytes(32)),))
    check = named("signing keys", checks.files(settings_in(tmp_path, server=server), NOW_S))
    assert check.detail == "1 in ROUTEWARD_TOKEN_KEYS"


def test_a_free_port_is_fine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    check = server_check(f"127.0.0.1:{port}")
    assert (check.verdict, check.detail) == (Verdict.OK, f"none runs; 127.0.0.1:{port} is free")


def test_an_address_of_another_machine_is_a_problem() -> None:
    check = server_check("192.0.2.1:7443")
    assert check.verdict is Verdict.FAILED
    assert "nobody can listen on 192.0.2.1:7443" in check.detail


def test_a_server_that_serves_is_fine() -> None:
    with health_server() as address:
        assert server_check(address) == Check("server", Verdict.OK, f"runs on {address}, and serves")


def test_a_server_that_cannot_store_is_a_problem() -> None:
    with health_server("routeward.v1.FeedbackService") as address:
        check = server_check(address)
    assert check.verdict is Verdict.FAILED
    assert check.detail == f"runs on {address}, but does not serve routeward.v1.FeedbackService"


def test_a_stranger_on_the_port_is_a_problem() -> None:
    with ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        check = server_check(f"127.0.0.1:{port}")
        server.stop(None).wait()
    assert check.verdict is Verdict.FAILED
    assert "is no routeward server" in check.detail


def test_the_health_of_a_server_with_tls_is_not_asked(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        check = server_check(address, tls=TlsFiles(tmp_path / "tls.crt", tmp_path / "tls.key"))
    assert (check.verdict, "not asked through TLS" in check.detail) == (Verdict.OK, True)


def test_keys_sent_in_clear_are_warned_of() -> None:
    settings = Settings(server=ServerSettings(listen="0.0.0.0:0"))
    assert named("tls", checks.network(settings)).verdict is Verdict.WARNING
