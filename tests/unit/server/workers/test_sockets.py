"""What a supervisor binds: for its workers, and for nobody else."""

import socket
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry, Gauge

from server.listening import StartError, grpc_server, listen, serve_metrics
from server.settings import GatewaySettings, ServerSettings, Settings
from server.workers.sockets import bind_all, metrics_addresses

TIMEOUT_S = 20.0


def settings(**changes: Any) -> Settings:
    server: dict[str, Any] = {"listen": "127.0.0.1:0", "metrics_listen": "127.0.0.1:0", "workers": 2, **changes}
    return Settings(server=ServerSettings(**server), gateway=GatewaySettings(listen="127.0.0.1:0"))


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


async def test_workers_share_the_port_of_rpcs_and_nobody_else_can_have_it(opened):
    bound = bind_all(settings(), opened)
    workers = [grpc_server(shares_port=True) for _ in range(2)]
    assert [listen(one, bound.listen, None, shares_port=True) for one in workers] == [bound.listen] * 2
    with pytest.raises(StartError, match=r"cannot listen on .* in use"):
        listen(grpc_server(shares_port=False), bound.listen, None)
    for one in workers:
        await one.stop(None)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_before_any_worker_listens_the_port_is_refused_to_a_server_and_to_a_second_supervisor(host, opened):
    bound = bind_all(settings(listen=f"{host}:0"), opened)
    with pytest.raises(StartError, match=r"cannot listen on .* in use"):
        listen(grpc_server(shares_port=False), bound.listen, None)
    with pytest.raises(StartError, match=r"cannot listen on .* in use"):
        bind_all(settings(listen=bound.listen), opened)


async def test_the_port_of_a_server_is_refused_to_a_supervisor(opened):
    server: grpc.aio.Server = grpc_server(shares_port=False)
    address = listen(server, "127.0.0.1:0", None)
    await server.start()
    with pytest.raises(StartError, match=r"change server\.listen"):
        bind_all(settings(listen=address), opened)
    await server.stop(None)


def test_the_reserved_port_takes_no_connection(opened):
    host, _, port = bind_all(settings(), opened).listen.rpartition(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


def test_every_worker_has_a_port_for_figures_and_all_have_one_for_the_gateway(opened):
    bound = bind_all(settings(workers=3), opened)
    assert len({address for address, _ in bound.metrics}) == 3
    assert bound.gateway is not None
    for address, _ in (*bound.metrics, bound.gateway):
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port))).close()


def test_figures_are_served_by_the_worker_that_stays(opened):
    address, shared = bind_all(settings(), opened).metrics[0]
    leaves, stays = CollectorRegistry(), CollectorRegistry()
    Gauge("stays", "whether it is that worker", registry=stays)
    stop, stop_last = (serve_metrics(address, one, shared.dup())[1] for one in (leaves, stays))
    stop()
    for _ in range(3):
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=TIMEOUT_S) as answer:
            assert b"stays 0.0" in answer.read()
    stop_last()


def test_ports_for_figures_follow_the_configured_one():
    three = settings(metrics_listen="[::1]:9464", workers=3)
    assert list(metrics_addresses(three)) == ["[::1]:9464", "[::1]:9465", "[::1]:9466"]


def test_ports_for_figures_that_do_not_exist_are_refused(opened):
    with pytest.raises(StartError, match="2 workers need as many ports"):
        bind_all(settings(metrics_listen="127.0.0.1:65535"), opened)


def test_a_taken_port_for_figures_is_named(opened):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(StartError, match=rf"{address}.*change server.metrics"):
            bind_all(settings(metrics_listen=address), opened)
