"""Servers of two versions on one PostgreSQL: through an upgrade, after it, and where the tables are not theirs."""

import asyncio
from dataclasses import replace

import grpc
import pytest

from adapters.ledger import StoreSchemaError
from adapters.sql.postgres import connect
from adapters.sql.postgres.reach import Reach
from adapters.sql.postgres.upgrading import upgrade
from adapters.sql.versions import HEAD
from bandit.sums import digest_of
from routeward.v1 import routing_service_pb2 as pb
from server.settings import PostgresSettings, StoreSettings
from tests.integration.newer_code import NEXT, newer_code

BUCKET_US = 10_000_000
UP = pb.Signal(thumb=pb.THUMB_UP)


@pytest.fixture
def shared(settings, database_url):
    store = StoreSettings(postgres=PostgresSettings(database_url, sync_s=3600.0))
    return replace(settings, store=store)


@pytest.fixture
def replica(serve, shared, database_url):
    """Run a service of this version on the database."""
    return lambda: serve(shared, store=connect(Reach(database_url), bucket_us=BUCKET_US))


async def fed_until(stop, client):
    """Send feedback until told to stop; return what was answered."""
    answers = []
    while not stop.is_set():
        decision = await client.route()
        answers.append(await client.feedback(decision.decision_id, UP))
    return answers


async def digest(running):
    """Return the digest of what a server knows of the store now."""
    await running.service.follower.look()
    await running.publish()
    return digest_of(running.namespace().published.sums)


async def test_a_server_goes_on_through_an_upgrade_that_lets_it_and_another_of_its_version_starts_after_it(
    replica, database_url, tmp_path
):
    async with replica() as running:
        client, stop = running.client(), asyncio.Event()
        assert (await client.feedback((await client.route()).decision_id, UP)).revision == 1
        feeding = asyncio.create_task(fed_until(stop, client))
        newer = newer_code(tmp_path / "migrations")
        done = await upgrade(Reach(database_url), bucket_us=BUCKET_US, code=newer)
        assert done.migrations == (NEXT,)
        decision = await client.route()
        assert (await client.feedback(decision.decision_id, UP)).results[0].status == pb.SIGNAL_STATUS_APPLIED
        stop.set()
        answers = await feeding
        assert {type(answer) for answer in answers} == {pb.FeedbackResponse}
        async with replica() as another:
            events = [event for event in another.events if event["event"] == "newer_schema"]
            assert [(event["level"], event["schema"]) for event in events] == [("warning", NEXT)]
            told = another.client()
            assert (await told.feedback((await told.route()).decision_id, UP)).results
            assert await digest(another) == await digest(running)
            assert running.namespace().published.sums.moments.any()
            assert await another.store.verify() == {}
            stored = await another.store.load("default")
            assert stored.revision == len(answers) + 3


async def test_a_server_does_not_start_where_a_newer_version_does_not_let_it(replica, database_url, tmp_path):
    newer = newer_code(tmp_path / "migrations", compatible_from=NEXT)
    async with replica():
        await upgrade(Reach(database_url), bucket_us=BUCKET_US, code=newer)
    with pytest.raises(StoreSchemaError, match=f"has schema {NEXT}, this version knows {HEAD}: upgrade routeward"):
        async with replica():
            pass


async def test_where_tables_vanish_route_goes_on_and_feedback_is_unavailable_until_they_are_back(
    replica, database_url, postgres
):
    database = database_url.partition("?")[0].rpartition("/")[2]
    async with replica() as running:
        client = running.client()
        decision = await client.route()
        for away, back in (
            ("ALTER TABLE signals RENAME TO gone", "ALTER TABLE gone RENAME TO signals"),
            ("ALTER TABLE sums RENAME COLUMN yy TO gone", "ALTER TABLE sums RENAME COLUMN gone TO yy"),
        ):
            postgres.psql(away, database)
            failure = await client.feedback(decision.decision_id, UP)
            assert (failure.code, failure.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
            assert "grpc-retry-pushback-ms" in failure.everything
            assert (await client.route()).model
            postgres.psql(back, database)
        assert (await client.feedback(decision.decision_id, UP)).revision == 1
