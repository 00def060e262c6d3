"""Whatever happens to PostgreSQL, Route answers, feedback is refused or spooled, and nothing is lost or counted twice.

Two replicas meet each fault: one has a spool, the other has not.
"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from adapters.ledger import StoreForbiddenError, StoreUnavailableError
from adapters.registry import Registry
from adapters.sql.postgres.reach import Reach
from adapters.sql.postgres.store import PostgresStore
from adapters.sql.sqlite import Journal
from benchmarks._postgres import PostgresServer
from routeward.v1 import routing_service_pb2 as pb
from server.health import FEEDBACK, ROUTING
from server.settings import PostgresSettings, StoreSettings
from tests.integration.server.conftest import BUCKET_US
from tests.integration.server.database_faults import FAULTS, GUEST, PASSWORD, frozen, read_only, stopped

UP = pb.Signal(thumb=pb.THUMB_UP)
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
PATIENCE_S = 20.0
QUICK = {stopped, read_only}
TYPED = {StoreUnavailableError, StoreForbiddenError}


@pytest.fixture(scope="module")
def server():
    server = PostgresServer.start(fsync="off")
    try:
        server.psql(f"CREATE ROLE {GUEST} LOGIN")
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def database(server):
    """A database that all tests here share: each reports about decisions of its own."""
    name = server.create_database()
    server.psql(f"ALTER DATABASE {name} OWNER TO {GUEST}")
    return name


@pytest.fixture
def connect(server, database):
    def connect(url=None):
        return PostgresStore.connect(Reach(url or server.url(database, GUEST), 1.0, 1.0), bucket_us=BUCKET_US)

    return connect


@pytest.fixture
async def spool(tmp_path, monkeypatch):
    # The service drains at the word of a test only.
    monkeypatch.setattr("server.spooling.RETRY_EVERY_S", 36_000.0)
    journal = await Journal.open(tmp_path / "spool.db", max_bytes=1 << 20)
    yield journal
    await journal.close()


@pytest.fixture
async def stack():
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def shared(settings):
    """Settings of a replica, which follows the store at the word of a test only."""
    store = StoreSettings(postgres=PostgresSettings("postgresql://db/routeward", 3600.0))
    # Without figures, whose thread takes a while to stop.
    return replace(settings, store=store, server=replace(settings.server, metrics_listen=""))


def statuses(answer):
    return {pb.SignalStatus.Name(result.status).removeprefix("SIGNAL_STATUS_") for result in answer.results}


async def health(client, service):
    stub = health_pb2_grpc.HealthStub(client.channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status


async def decisions(client, count):
    return [(await client.route()).decision_id for _ in range(count)]


async def pressed(running):
    """Have everything that uses the store use it at once, more often than there are connections."""
    follower = running.service.follower
    uses = (running.log_decisions, running.check, follower.look, running.store.registry)
    return await asyncio.gather(*(use() for use in uses * 3), return_exceptions=True)


async def judged(running, revision):
    """Assert that a replica knows all that is stored, and that this is what was acknowledged."""
    await running.service.follower.look()
    await running.publish()
    stored = await running.store.load("default")
    assert stored.revision == revision
    assert running.namespace().sums.rows() == stored.rows
    assert await running.store.verify() == {}


@pytest.mark.parametrize("fault", [pytest.param(one, marks=() if one in QUICK else pytest.mark.slow) for one in FAULTS])
async def test_through_a_fault_route_answers_and_all_that_is_acknowledged_counts_once(
    fault, serve, shared, connect, server, database, spool
):
    tasks = len(asyncio.all_tasks())
    async with (
        serve(shared, store=connect(), spool=spool) as spooling,
        serve(shared, store=connect()) as refusing,
    ):
        before = (await refusing.store.load("default")).revision
        patient, plain = spooling.client(), refusing.client()
        own, others = await decisions(patient, 5), await decisions(plain, 5)
        assert statuses(await patient.feedback(own[0], UP)) == {"APPLIED"}
        assert statuses(await plain.feedback(others[0], UP)) == {"APPLIED"}
        with fault(server, database):
            reports = asyncio.gather(
                *(patient.feedback(one, UP) for one in own), *(plain.feedback(one, UP) for one in others)
            )
            for client in (patient, plain):
                assert len(await decisions(client, 20)) == 20
                assert await health(client, ROUTING) == SERVING
            if fault is frozen:
                assert not reports.done()
            answers = await reports
            assert set().union(*map(statuses, answers[:5])) == {"SPOOLED"}
            assert {(one.code.name, one.reason) for one in answers[5:]} == {("UNAVAILABLE", "STORE_UNAVAILABLE")}
            assert all("grpc-retry-pushback-ms" in one.everything for one in answers[5:])
            assert await health(patient, FEEDBACK) == SERVING
            assert await health(plain, FEEDBACK) == NOT_SERVING
            assert {type(one) for one in await pressed(refusing)} <= {type(None), Registry, *TYPED}
        for one in others:
            assert statuses(await plain.feedback(one, UP)) <= {"APPLIED", "DUPLICATE"}
        assert await health(plain, FEEDBACK) == SERVING
        await spooling.drain()
        for running in (spooling, refusing):
            await running.log_decisions()
            await judged(running, before + 10)
            assert not running.store.database._running
    assert len(asyncio.all_tasks()) == tasks


@pytest.mark.slow
async def test_a_server_stops_in_time_while_its_database_is_frozen_and_keeps_its_spool(
    serve, shared, connect, server, spool
):
    async with asyncio.timeout(PATIENCE_S), serve(shared, store=connect(), spool=spool) as running:
        client = running.client()
        [decision] = await decisions(client, 1)
        server.freeze()
        try:
            assert statuses(await client.feedback(decision, UP)) == {"SPOOLED"}
            under_way = asyncio.gather(pressed(running))
            await running.service.stop(asyncio.Event())
            await running.store.close()
            await under_way
        finally:
            server.thaw()
    (kept, _) = await spool.oldest(10)
    assert [record.signal for record in kept] == ["thumb"]


async def test_a_replica_that_nobody_writes_to_notices_that_its_database_is_gone_and_is_back(
    serve, shared, connect, server
):
    often = replace(shared.store.postgres, sync_s=0.01)
    shared = replace(shared, store=replace(shared.store, postgres=often))
    async with asyncio.timeout(PATIENCE_S), serve(shared, store=connect()) as running:
        client = running.client()
        with stopped(server, ""):
            while await health(client, FEEDBACK) == SERVING:
                pass
            assert await health(client, ROUTING) == SERVING
        while await health(client, FEEDBACK) == NOT_SERVING:
            pass


async def test_a_server_that_started_without_its_database_finds_it_by_itself(
    serve, shared, connect, server, stack, monkeypatch
):
    monkeypatch.setattr("server.opening.RETRY_EVERY_S", 0.01)
    often = replace(shared.store.postgres, sync_s=0.01)
    shared = replace(shared, store=replace(shared.store, postgres=often))
    server.halt()
    try:
        running = await stack.enter_async_context(serve(shared, store=connect()))
        client = running.client()
        degraded = await client.route()
        assert degraded.reason == pb.ROUTE_REASON_DEGRADED
        assert (await client.feedback(degraded.decision_id, UP)).reason == "STORE_UNAVAILABLE"
    finally:
        server.resume()
    async with asyncio.timeout(PATIENCE_S):
        while (await client.route()).reason == pb.ROUTE_REASON_DEGRADED:
            pass
    assert statuses(await client.feedback(degraded.decision_id, UP)) == {"APPLIED"}


@pytest.mark.parametrize(
    ("database", "words"), [("elsewhere", "does not have this database"), ("postgres", "does not grant what is needed")]
)
async def test_a_server_that_its_database_does_not_let_in_refuses_to_start(
    database, words, serve, shared, connect, server
):
    with pytest.raises(StoreForbiddenError, match=words):
        async with serve(shared, store=connect(server.url(database, GUEST))):
            pass


async def test_a_server_with_a_wrong_password_refuses_to_start_and_keeps_it_to_itself(
    serve, shared, connect, server, database
):
    rules = server.data / "pg_hba.conf"
    trusting = rules.read_text()
    rules.write_text(f"local all {GUEST} scram-sha-256\n{trusting}")
    server.psql("SELECT pg_reload_conf()")
    try:
        url = server.url(database, GUEST).replace("@", f":{PASSWORD}@")
        with pytest.raises(StoreForbiddenError, match="check user and password") as refusal:
            async with serve(shared, store=connect(url)):
                pass
        assert PASSWORD not in str(refusal.value)
    finally:
        rules.write_text(trusting)
        server.psql("SELECT pg_reload_conf()")
