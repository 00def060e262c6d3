"""Several processes behind one address, from the outside: start, crash, replacement under load, stop."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from benchmarks._processes import ServiceProcess, write_configuration
from benchmarks.rolling import KEY, under_load
from routeward import Client
from tests import forked

ENDED_S = 20.0
WAIT_S = 10.0


def configured(folder: Path, more: str = "") -> Path:
    path = write_configuration(folder)
    text = path.read_text().replace("[server]", f"[server]\nworkers = 2\n{more}")
    path.write_text(text)
    return path


def children(service: ServiceProcess) -> set[int]:
    return {one.pid for one in psutil.Process(service.process.pid).children()}


@pytest.fixture(scope="module")
def environment(postgres) -> Iterator[dict[str, str]]:
    name = postgres.create_database()
    yield {"ROUTEWARD_POSTGRES": postgres.url(name), "ROUTEWARD_TOKEN_KEYS": KEY}
    postgres.drop_database(name)


@pytest.fixture(scope="module")
def configuration(tmp_path_factory) -> Path:
    return configured(tmp_path_factory.mktemp("workers"))


@pytest.fixture(scope="module")
def service(environment, configuration) -> Iterator[ServiceProcess]:
    """Two workers, for tests that leave two behind."""
    with ServiceProcess(configuration, environment, forked.service) as started:
        yield started


def test_the_log_names_one_address_and_the_figures_of_each_worker(service):
    ready = service.await_event("ready")
    of_workers = [event for event in service.events if event["event"] == "worker_ready"]
    assert {event["worker"] for event in of_workers} == {0, 1}
    assert {event["address"] for event in of_workers} == {ready["address"]}
    assert sorted(event["metrics"] for event in of_workers) == sorted(ready["metrics"])
    assert len(set(ready["metrics"])) == ready["workers"] == len(children(service)) == 2


async def test_workers_are_replaced_under_load_without_a_failed_call(service):
    before = children(service)

    async def restart(_number: int) -> None:
        service.process.send_signal(signal.SIGHUP)
        await asyncio.to_thread(service.await_event, "restarted_workers")

    traffic = await under_load(service.address, restart, calls=100, restarts=1)
    assert traffic.failures == []
    assert traffic.acknowledged
    assert not before & children(service)
    assert len(children(service)) == 2


def test_a_worker_that_dies_is_restarted_while_another_one_serves(service):
    one, _ = children(service)
    ready = sum(event["event"] == "worker_ready" for event in service.events)
    psutil.Process(one).kill()
    with Client(service.address, route_timeout=WAIT_S) as client:
        client.route("chat")
    assert service.await_event("worker_ended")["pid"] == one
    service.await_event("worker_ready", ready + 1)
    assert len(children(service)) == 2


def test_a_configuration_that_went_wrong_replaces_nobody(service, configuration):
    text, before = configuration.read_text(), children(service)
    configuration.write_text(text.replace("min_free_mb = 1", "min_free_mb = -1"))
    service.process.send_signal(signal.SIGHUP)
    error = service.await_event("restart_abandoned")["error"]
    configuration.write_text(text)
    assert "min_free_mb" in error
    assert children(service) == before


def test_workers_stop_together_with_exit_code_0(service):
    workers = [psutil.Process(pid) for pid in children(service)]
    assert service.stop() == 0
    assert sum(event["event"] == "stopped" for event in service.events) >= 1 + len(workers)
    assert not [one for one in workers if one.is_running()]


@pytest.mark.slow
def test_workers_end_with_a_supervisor_that_is_killed(environment, tmp_path):
    service = ServiceProcess(configured(tmp_path), environment)
    workers = [psutil.Process(pid) for pid in children(service)]
    service.kill()
    _, alive = psutil.wait_procs(workers, ENDED_S)
    assert alive == []


@pytest.mark.slow
def test_what_a_worker_refuses_at_the_start_ends_them_all_with_its_words(environment, tmp_path):
    (tmp_path / "tls").write_text("no certificate")
    path = configured(tmp_path, 'tls_certificate = "tls"\ntls_key = "tls"\n')
    command = [sys.executable, "-m", "server", "--config", str(path)]
    ended = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert '"refused_to_start"' in ended.stderr.splitlines()[-1]
    assert "cannot speak TLS" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
