"""What operators do to a PostgreSQL reaches the replicas that run on it at their next look."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from adapters.exclusion import Exclusion, exclude
from adapters.sql.postgres import Reach, attach, connect
from routeward.v1 import routing_service_pb2 as pb
from server.settings import PostgresSettings, StoreSettings
from tests.integration.server.conftest import BUCKET_US

THUMB = pb.Signal(thumb=pb.THUMB_UP)
HOUR_S = 3600.0


@pytest.fixture
async def replicas(serve, settings, database_url):
    """Two services on one database; each looks at it at the word of a test."""
    shared = replace(settings, store=StoreSettings(postgres=PostgresSettings(database_url, sync_s=HOUR_S)))
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                serve(shared, store=connect(Reach(database_url), bucket_us=BUCKET_US, shard=shard))
            )
            for shard in range(2)
        ]


@pytest.fixture
async def operated(database_url, replicas):  # noqa: ARG001 -- they make its tables
    """The store as a command opens it."""
    store = await attach(Reach(database_url))
    yield store
    await store.close()


def learned(replica):
    return int(replica.namespace().published.sums.moments[0].sum())


async def looked(replicas):
    """Have each replica look at the store and publish; return how many observations each knows."""
    for replica in replicas:
        await replica.service.follower.look()
        await replica.publish()
    return [learned(replica) for replica in replicas]


async def said(replicas, count, **fields):
    """Have replicas take turns to decide, and to hear of what the other one decided."""
    for place in range(count):
        decided, told = (replicas[(place + turn) % 2].client() for turn in range(2))
        answer = await decided.route()
        heard = await told.feedback(answer.decision_id, THUMB, **fields)
        assert [one.status for one in heard.results] == [pb.SIGNAL_STATUS_APPLIED]


async def test_replicas_follow_a_rebuild_a_repair_and_the_removal_of_a_namespace(replicas, operated):
    await said(replicas, 4)
    await said(replicas, 3, rater="mallory")
    assert await looked(replicas) == [7, 7]
    assert (await exclude(operated, Exclusion(raters=frozenset({"mallory"})))).signals == 3
    assert await looked(replicas) == [4, 4]
    assert await operated.verify() == {}
    await operated.change(lambda connection: connection.exec_driver_sql("UPDATE sums SET n = n + 5, changed = 0"))
    found = await operated.repair()
    assert sum(map(len, found.values())) > 0
    assert await looked(replicas) == [4, 4]
    removed = await operated.remove_namespace("default", time_us=5)
    assert removed["signals"] == 7
    assert await looked(replicas) == [0, 0]
    await said(replicas, 2)
    assert await looked(replicas) == [2, 2]
    assert await operated.verify() == {}


async def test_a_store_is_proved_and_cleaned_while_replicas_write(replicas, operated):
    await said(replicas, 4, rater="mallory")
    going_on = asyncio.create_task(said(replicas, 20))
    assert await operated.verify() == {}
    assert (await exclude(operated, Exclusion(raters=frozenset({"mallory"})))).signals == 4
    assert await operated.repair() == {}
    await going_on
    assert await looked(replicas) == [20, 20]
    assert await operated.verify() == {}
