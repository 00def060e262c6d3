"""With a spool, feedback is acknowledged while the database is away, and counted once when it is back."""

import asyncio
from dataclasses import replace

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from adapters.ledger import StoredSums, StoreUnavailableError
from adapters.saved import Saved
from adapters.snapshot_file import SnapshotFile
from adapters.sql.sqlite import Journal, SqliteStore
from routeward.v1 import routing_service_pb2 as pb
from server.health import FEEDBACK
from server.settings import PostgresSettings, StoreSettings
from tests.integration.server.conftest import BUCKET_US
from tests.integration.server.fragile_store import FragileStore

UP = pb.Signal(thumb=pb.THUMB_UP)
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
async def store(tmp_path):
    return FragileStore(await SqliteStore.open(tmp_path / "fragile.db", bucket_us=BUCKET_US))


@pytest.fixture
async def spool(tmp_path, monkeypatch):
    # Beyond its first attempt, the service drains at the word of a test only.
    monkeypatch.setattr("server.spooling.RETRY_EVERY_S", 36_000.0)
    journal = await Journal.open(tmp_path / "spool.db", max_bytes=1 << 20)
    yield journal
    await journal.close()


@pytest.fixture
def shared(settings):
    """Settings of a server whose store others share: it may be late."""
    return replace(settings, store=StoreSettings(postgres=PostgresSettings("postgresql://db/routeward")))


def statuses(answer):
    return [pb.SignalStatus.Name(result.status).removeprefix("SIGNAL_STATUS_") for result in answer.results]


async def feedback_health(client):
    stub = health_pb2_grpc.HealthStub(client.channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=FEEDBACK))).status


async def test_through_an_outage_every_feedback_is_acknowledged_and_counted_once(serve, settings, store, spool):
    async with serve(settings, store=store, spool=spool) as running:
        client = running.client()
        decisions = [(await client.route()).decision_id for _ in range(30)]
        assert statuses(await client.feedback(decisions[0], UP)) == ["APPLIED"]
        store.down = True
        answers = await asyncio.gather(*(client.feedback(one, UP) for one in decisions))
        assert {status for answer in answers for status in statuses(answer)} == {"SPOOLED"}
        assert (await client.route()).model
        assert await feedback_health(client) == SERVING
        store.down = False
        late = await asyncio.gather(running.drain(), *(client.feedback(one, UP) for one in decisions))
        assert {status for answer in late[1:] for status in statuses(answer)} <= {"SPOOLED", "DUPLICATE"}
        await running.drain()
        assert statuses(await client.feedback(decisions[-1], UP)) == ["DUPLICATE"]
        await running.publish()
        assert running.namespace().sums.rows() == (await store.load("default")).rows
        assert (await store.load("default")).revision == 30
        assert await store.verify() == {}


async def test_what_a_server_left_in_its_spool_is_counted_by_the_next_one(serve, settings, tmp_path, spool):
    store = FragileStore(await SqliteStore.open(tmp_path / "fragile.db", bucket_us=BUCKET_US))
    async with serve(settings, store=store, spool=spool) as running:
        client = running.client()
        decision = await client.route()
        store.down = True
        assert statuses(await client.feedback(decision.decision_id, UP)) == ["SPOOLED"]
    async with serve(
        settings, store=await SqliteStore.open(tmp_path / "fragile.db", bucket_us=BUCKET_US), spool=spool
    ) as running:
        await running.drain()
        assert statuses(await running.client().feedback(decision.decision_id, UP)) == ["DUPLICATE"]
        assert (await running.store.load("default")).revision == 1


async def test_a_full_spool_refuses_with_a_time_to_retry_until_it_is_drained(
    serve, settings, store, spool, monkeypatch
):
    async with serve(settings, store=store, spool=spool) as running:
        client = running.client()
        decision = await client.route()
        store.down = True
        monkeypatch.setattr(spool, "_max_bytes", 0)
        failure = await client.feedback(decision.decision_id, UP)
        assert (failure.code.name, failure.reason) == ("RESOURCE_EXHAUSTED", "SPOOL_FULL")
        assert "grpc-retry-pushback-ms" in failure.everything
        assert await feedback_health(client) == NOT_SERVING
        assert (await client.route()).model
        monkeypatch.setattr(spool, "_max_bytes", 1 << 20)
        assert statuses(await client.feedback(decision.decision_id, UP)) == ["SPOOLED"]
        assert await feedback_health(client) == SERVING


async def test_a_server_starts_without_its_database_from_what_was_saved_and_says_so(serve, shared, tmp_path, spool):
    saved = SnapshotFile(tmp_path / "snapshot.json", bucket_us=BUCKET_US)
    first = FragileStore(await SqliteStore.open(tmp_path / "fragile.db", bucket_us=BUCKET_US))
    async with serve(shared, store=first, spool=spool, saved=saved) as running:
        client = running.client()
        decision = await client.route()
        assert decision.reason == pb.ROUTE_REASON_UNSPECIFIED
        await client.feedback(decision.decision_id, UP)
        await running.publish()
    store = FragileStore(await SqliteStore.open(tmp_path / "fragile.db", bucket_us=BUCKET_US))
    store.down = True
    async with serve(shared, store=store, spool=spool, saved=saved) as running:
        client = running.client()
        degraded = await client.route()
        assert (degraded.reason, degraded.kind) == (pb.ROUTE_REASON_DEGRADED, pb.DECISION_KIND_SAMPLED)
        assert degraded.revision == 1
        assert statuses(await client.feedback(degraded.decision_id, UP)) == ["SPOOLED"]
        store.down = False
        await running.drain()
        await running.publish()
        after = await client.route()
        assert (after.reason, after.revision) == (pb.ROUTE_REASON_UNSPECIFIED, 2)
        assert await store.verify() == {}


async def test_a_degraded_server_without_a_spool_says_that_it_takes_no_feedback(serve, shared, store):
    store.down = True
    async with serve(shared, store=store) as running:
        client = running.client()
        decision = await client.route()
        assert decision.reason == pb.ROUTE_REASON_DEGRADED
        assert await feedback_health(client) == NOT_SERVING
        assert (await client.feedback(decision.decision_id, UP)).reason == "STORE_UNAVAILABLE"
        store.down = False
        assert statuses(await client.feedback(decision.decision_id, UP)) == ["APPLIED"]
        assert await feedback_health(client) == SERVING


async def test_a_start_that_fails_leaves_what_was_saved(serve, settings, tmp_path, spool, monkeypatch):
    saved = SnapshotFile(tmp_path / "snapshot.json", bucket_us=BUCKET_US)
    saved.write(Saved({"default": StoredSums(revision=3)}))

    async def fail(_count: int) -> None:
        raise StoreUnavailableError("the disk of the spool")

    monkeypatch.setattr(spool, "oldest", fail)
    with pytest.raises(StoreUnavailableError):
        async with serve(settings, spool=spool, saved=saved):
            pass
    assert saved.read().namespaces["default"].revision == 3
