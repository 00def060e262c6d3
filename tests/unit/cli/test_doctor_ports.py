"""`doctor` looks who listens, and who may call."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from routeward.cli.checks import Check, Verdict
from routeward.cli.port_checks import SERVICES, found_at, network
from server.settings import ServerSettings, TlsFiles


@contextmanager
def health_server(*failing: str) -> Iterator[str]:
    """A server on this machine that serves everything but what is `failing`; gives its address."""
    servicer = health.HealthServicer()
    for name in SERVICES:
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


def server_check(listen: str, *, in_use: bool | None = None, **changes: Any) -> Check:
    return check_of("server", ServerSettings(listen=listen, **changes), in_use=in_use)


def check_of(name: str, server: ServerSettings, *, in_use: bool | None = None) -> Check:
    [check] = [check for check in network(server, found_at(server), database_in_use=in_use) if check.name == name]
    return check


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
    assert check_of("tls", ServerSettings(listen="0.0.0.0:0")).verdict is Verdict.WARNING


@pytest.mark.parametrize(
    ("in_use", "verdict"), [(True, Verdict.OK), (None, Verdict.OK), (False, Verdict.FAILED)], ids=str
)
def test_a_server_with_another_database_is_in_the_way(in_use: bool | None, verdict: Verdict, tmp_path: Path) -> None:
    with health_server() as address:
        check = server_check(address, in_use=in_use)
    assert (check.verdict, "not with this database" in check.detail) == (verdict, verdict is Verdict.FAILED)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        tls = TlsFiles(tmp_path / "tls.crt", tmp_path / "tls.key")
        assert server_check(address, in_use=in_use, tls=tls).verdict is verdict


def test_a_taken_port_for_figures_is_a_problem_unless_the_server_runs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, health_server() as address:
        metrics = f"127.0.0.1:{taken.getsockname()[1]}"
        check = check_of("metrics", ServerSettings("127.0.0.1:0", metrics))
        assert (check.verdict, check.advice) == (
            Verdict.FAILED,
            "change metrics in [server], or stop what uses it",
        )
        running = ServerSettings(address, metrics)
        assert [one.name for one in network(running, found_at(running), database_in_use=True)] == ["server", "metrics"]
