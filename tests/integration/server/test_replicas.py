"""Servers over one PostgreSQL learn the same, and it is what one server would have learned."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from adapters.sql.postgres.reach import Reach
from adapters.sql.postgres.store import PostgresStore
from benchmarks.replicas import Replica, Verdict, converge, run
from routeward.v1 import registry_pb2 as pb
from routeward.v1 import routing_service_pb2 as pb_routing
from server.settings import PostgresSettings
from tests.integration.server.conftest import BUCKET_US, TOKEN_KEYS

UP = pb_routing.Signal(thumb=pb_routing.THUMB_UP)


@pytest.fixture
def shared(serve, settings, database_url):
    """Run servers over one database; they look at it and publish every so many seconds."""

    async def begin(stack, count, *, every_s, metrics_listen=""):
        shared = replace(
            settings,
            server=replace(settings.server, metrics_listen=metrics_listen),
            learning=replace(settings.learning, refresh_s=every_s),
            store=replace(settings.store, postgres=PostgresSettings(database_url, sync_s=every_s)),
        )
        stores = [PostgresStore.connect(Reach(database_url), bucket_us=BUCKET_US, shard=i) for i in range(count)]
        return [await stack.enter_async_context(serve(shared, store=store)) for store in stores]

    return begin


def is_perfect(verdict: Verdict) -> bool:
    wrong = (verdict.digests_differing, verdict.rows_differing, verdict.misjudged)
    return wrong == (0, 0, 0) and None not in (verdict.agreed_s, verdict.registered_s)


async def test_two_replicas_that_are_told_things_repeatedly_and_in_disorder_learn_what_one_would_have(
    shared, database_url
):
    async with AsyncExitStack() as stack:
        both = await shared(stack, 2, every_s=0.05, metrics_listen="127.0.0.1:0")
        reached = [Replica(one.addresses.grpc, one.addresses.metrics) for one in both]
        verdict = await converge(reached, database_url, TOKEN_KEYS, 300, seed=7)
        assert verdict.deliveries > 600
        assert is_perfect(verdict)
        assert [event for one in both for event in one.events if event["level"] == "error"] == []


@pytest.mark.slow
async def test_three_processes_that_are_told_things_repeatedly_and_in_disorder_learn_what_one_would_have(database_url):
    verdict = await asyncio.to_thread(run, 3, database_url, 5000)
    assert verdict.deliveries > 10_000
    assert is_perfect(verdict)


async def test_what_one_replica_is_told_the_other_knows_when_it_has_looked(shared):
    async with AsyncExitStack() as stack:
        first, second = await shared(stack, 2, every_s=3600.0)
        told, asked = first.client(), second.client()
        decision = await told.route()
        # Feedback for the decision of one may go to the other.
        await asked.feedback(decision.decision_id, UP)
        tiny = pb.Model(id="tiny", input_usd_per_mtok=0.01, output_usd_per_mtok=0.02)
        await told.call(told.admin.UpsertModel, pb.UpsertModelRequest(model=tiny))
        assert (await told.route(model="tiny")).model == "tiny"
        assert (await asked.route(model="tiny")).reason == "MODEL_UNKNOWN"
        for one in (first, second):
            await one.service.follower.look()
            await one.publish()
            assert one.namespace().published.snapshot.revision == 1
        assert (await asked.route(model="tiny")).model == "tiny"
        assert first.namespace().sums.rows() == second.namespace().sums.rows()
        await asked.call(asked.admin.DeleteModel, pb.DeleteModelRequest(id="tiny"))
        await first.service.follower.look()
        assert (await told.route(model="tiny")).reason == "MODEL_UNKNOWN"
