"""A server's life, from the outside: start, refusal to start, drain, crash, restart."""

import asyncio
import json
import os
import signal
import sqlite3
import threading
import urllib.request
from contextlib import closing

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks._processes import ServiceEndedError, ServiceProcess
from routeward import AsyncClient, thumbs_up
from routeward.v1 import routing_service_pb2 as pb
from routeward.v1.admin_service_pb2 import GetPosteriorRequest
from routeward.v1.admin_service_pb2_grpc import AdminServiceStub
from routeward.v1.routing_service_pb2_grpc import RoutingServiceStub
from tests import forked

UP = pb.Signal(thumb=pb.THUMB_UP)
TIMEOUT_S = 20.0
SIGNALS, DECISIONS = "SELECT count(*) FROM signals", "SELECT count(*) FROM decisions"


def teach(stub, category="chat", signals=(UP,)):
    decision = stub.Route(pb.RouteRequest(category=category), timeout=TIMEOUT_S)
    message = pb.FeedbackRequest(decision_id=decision.decision_id, signals=signals)
    return decision, stub.Feedback(message, timeout=TIMEOUT_S)


def learned(channel):
    response = AdminServiceStub(channel).GetPosterior(GetPosteriorRequest(), timeout=TIMEOUT_S)
    return {one.category: sum(model.quality_count for model in one.models) for one in response.categories}


def test_a_program_that_is_started_names_its_addresses_is_healthy_and_ends_well(configured, connect):
    with ServiceProcess(configured()) as service:
        health = health_pb2_grpc.HealthStub(connect(service.address))
        for name in ("", "routeward.v1.RoutingService", "routeward.v1.FeedbackService"):
            answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=TIMEOUT_S)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        assert service.metrics.startswith("127.0.0.1:")
        assert service.stop() == 0


def test_the_thread_that_serves_is_not_interrupted_by_those_that_wake(start, configured):
    service = start(configured())
    assert os.sched_getscheduler(service.process.pid) == os.SCHED_BATCH


def test_a_scrape_shows_what_was_served(start, configured, connect):
    service = start(configured())
    decision, _ = teach(RoutingServiceStub(connect(service.address)))
    with urllib.request.urlopen(f"http://{service.metrics}/metrics", timeout=TIMEOUT_S) as response:
        lines = response.read().decode().splitlines()
    assert 'routeward_grpc_server_handled_total{code="OK",method="Route"} 1.0' in lines
    assert 'routeward_feedback_total{result="APPLIED",signal="thumb"} 1.0' in lines
    assert any(line.startswith("routeward_decisions_total") and decision.model in line for line in lines)
    families = {line.split()[2] for line in lines if line.startswith("# TYPE routeward_")}
    assert len(families) >= 14
    assert any(line.startswith("process_resident_memory_bytes ") for line in lines)


def test_what_was_learned_outlives_kill_9(start, configured, connect):
    configuration = configured()
    service = start(configuration)
    stub = RoutingServiceStub(connect(service.address))
    taught = [teach(stub, category) for category in ("chat", "poetry") for _ in range(10)]
    service.kill()
    again = start(configuration)
    channel = connect(again.address)
    assert learned(channel) == {"chat": 10.0, "poetry": 10.0}
    retract = pb.Signal(retract=pb.Retract(signal="thumb"))
    message = pb.FeedbackRequest(decision_id=taught[0][0].decision_id, signals=[retract])
    answer = RoutingServiceStub(channel).Feedback(message, timeout=TIMEOUT_S)
    assert answer.results[0].status == pb.SIGNAL_STATUS_RETRACTED
    assert answer.revision == 21


def test_a_hang_up_ends_nothing_and_a_drain_ends_with_exit_code_0_and_keeps_the_decision_log(
    start, configured, connect, tmp_path
):
    service = start(configured())
    service.process.send_signal(signal.SIGHUP)
    stub = RoutingServiceStub(connect(service.address))
    for _ in range(20):
        teach(stub)
    assert service.stop() == 0
    events = [event["event"] for event in service.events]
    assert ("reload_ignored" in events, events[-2:]) == (True, ["draining", "stopped"])
    assert rows(tmp_path, DECISIONS) == rows(tmp_path, SIGNALS) == 20


def rows(folder, query):
    with closing(sqlite3.connect(folder / "routeward.db")) as connection:
        return connection.execute(query).fetchone()[0]


def test_under_load_a_drain_loses_nothing_that_was_acknowledged(start, configured, connect, tmp_path):
    service = start(configured(drain_seconds=0.2))
    acknowledged, under_way = [], threading.Event()

    def client():
        stub = RoutingServiceStub(connect(service.address))
        while True:
            try:
                acknowledged.append(teach(stub)[0].decision_id)
            except grpc.RpcError:
                return
            if len(acknowledged) > 50:
                under_way.set()

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    under_way.wait(TIMEOUT_S)
    assert service.stop() == 0
    for thread in threads:
        thread.join(TIMEOUT_S)
    assert rows(tmp_path, SIGNALS) >= len(acknowledged) > 50


def test_a_second_sigterm_does_not_wait_for_the_first_ones_patience(start, configured):
    service = start(configured(drain_seconds=60))
    service.process.terminate()
    while not any(event["event"] == "draining" for event in service.events):
        service.process.poll()
    assert service.stop() == 0


def test_a_second_server_on_the_same_store_is_refused_with_advice(start, configured):
    configuration = configured()
    start(configuration)
    with pytest.raises(ServiceEndedError) as refused:
        start(configuration)
    event = json.loads(str(refused.value).splitlines()[-1])
    assert event["event"] == "refused_to_start"
    assert "in use by another server; stop that one or give this one another file" in event["error"]


def test_a_second_server_on_the_same_port_is_refused_with_advice_and_exit_code_2(start, configured, tmp_path):
    service = start(configured())
    other = tmp_path / "other"
    other.mkdir()
    configuration = configured(listen=service.address).rename(other / "routeward.toml")
    ended = forked.run("server", "--config", str(configuration))
    assert ended.returncode == 2
    assert f"cannot listen on {service.address}" in ended.stderr
    assert "change server.listen" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_broken_configuration_is_refused_with_file_line_and_exit_code_2(tmp_path):
    broken = tmp_path / "routeward.toml"
    broken.write_text('[server]\nlisten = "nowhere"\n')
    ended = forked.run("server", "--config", str(broken))
    assert ended.returncode == 2
    assert f"{broken}:2" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_a_path_the_store_lives_in_memory(start, configured, connect, tmp_path):
    configuration = configured()
    configuration.write_text(configuration.read_text().replace("[store]", '[store]\npath = ""'))
    service = start(configuration)
    _, told = teach(RoutingServiceStub(connect(service.address)))
    assert told.revision == 1
    assert service.stop() == 0
    assert not list(tmp_path.glob("*.db"))


async def test_two_hundred_callers_at_once_on_one_connection_are_all_answered(start, configured):
    service = start(configured())
    answered = 0
    async with AsyncClient(service.address, route_timeout=TIMEOUT_S, feedback_timeout=TIMEOUT_S) as client:

        async def call_and_judge() -> None:
            nonlocal answered
            for _ in range(3):
                decision = await client.route("chat")
                await client.feedback(decision, thumbs_up())
                answered += 1

        await asyncio.gather(*(call_and_judge() for _ in range(200)))
    assert answered == 600
