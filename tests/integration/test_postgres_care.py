"""A store in PostgreSQL destroys nothing: neither tables that it does not know, nor what others write meanwhile."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from adapters.ledger import StoreError, StoreUnavailableError
from adapters.sql import retention
from adapters.sql.postgres import tables
from adapters.sql.postgres.locks import Lock
from adapters.sql.postgres.reach import TELLING_S, Reach
from adapters.sql.postgres.store import PostgresStore
from adapters.sql.schema import signals
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Thumb
from bandit.votes import SignalStatus

HOUR_US = 3_600_000_000
DECIDED_US = 480_000 * HOUR_US
WAITING = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'")


def a_vote(number: int) -> SignalRecord:
    decision = DecisionFacts("chat", "large", Kind.SAMPLED, DECIDED_US, None)
    return SignalRecord("acme", number.to_bytes(12, "big"), "thumb", Thumb(True), 1, 1, decision, 0.5)


@pytest.fixture
async def store(database_url) -> AsyncIterator[PostgresStore]:
    opened = PostgresStore.connect(Reach(database_url), bucket_us=HOUR_US)
    await opened.prepare()
    yield opened
    await opened.close()


async def test_nothing_is_written_before_the_tables_were_found_to_be_those_of_this_version(store, database_url):
    stranger = PostgresStore.connect(Reach(database_url), bucket_us=HOUR_US * 2)
    try:
        with pytest.raises(StoreError, match="time buckets"):
            await stranger.prepare()
        for attempt in (stranger.write([a_vote(1)]), stranger.compact(DECIDED_US), stranger.retain(1)):
            with pytest.raises(StoreUnavailableError, match="nobody has looked"):
                await attempt
        assert (await store.load("acme")).revision == 0
    finally:
        await stranger.close()


async def test_merging_rows_waits_for_a_replica_that_drops_signals_so_that_what_they_taught_is_kept(store):
    later_us = DECIDED_US + 90 * 24 * HOUR_US
    # So that the days have their partitions, which dropping would hold up.
    await store.compact(later_us)
    await store.write([a_vote(number) for number in range(3)])
    await store.retain(DECIDED_US - 1)
    rest = tables.of_partition(signals, tables.partition(signals, None))
    async with store.database.connection() as connection, asyncio.timeout(20.0):
        dropping = await connection.begin()
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({int(Lock.UPKEEP)})"))
        await connection.run_sync(retention.drop_signals, DECIDED_US + 1, bucket_us=HOUR_US, log=rest)
        merging = asyncio.create_task(store.compact(later_us))
        while not await store.database.run(lambda other: other.scalar(WAITING)):
            assert not merging.done()
        await dropping.commit()
        await merging
    assert await store.verify() == {}
    assert sum(moments.n for moments in (await store.load("acme")).rows.values()) == 3


async def test_the_revision_of_a_write_includes_it_whatever_others_write_meanwhile(database_url, store):
    others = [PostgresStore.connect(Reach(database_url), bucket_us=HOUR_US, shard=shard) for shard in range(1, 4)]
    try:
        for other in others:
            await other.prepare()
        answers = await asyncio.gather(
            *(one.write([a_vote(number)]) for number, one in enumerate([store, *others] * 10))
        )
        revisions = [answer.changes["acme"].revision for answer in answers]
        assert max(revisions) == 40
        # The n-th to be answered counts at least n.
        assert all(revision >= place for place, revision in enumerate(sorted(revisions), start=1))
    finally:
        for other in others:
            await other.close()


async def test_a_clock_that_is_ahead_drops_and_merges_nothing_that_the_database_knows_to_be_young(store):
    year_us = 365 * 24 * HOUR_US
    now_us = await store.database.run(lambda one: one.scalar(text("SELECT (extract(epoch FROM now()) * 1e6)::bigint")))
    vote = a_vote(1)
    ahead = vote.decision._replace(decided_us=now_us + year_us)
    await store.write([vote._replace(decision=ahead)])
    assert abs(await store.newest_us() - now_us) < HOUR_US
    await store.compact(now_us + year_us)
    mark = await store.database.run(lambda one: one.scalar(text("SELECT value FROM meta WHERE name = 'compacted_us'")))
    assert abs(mark - now_us) < HOUR_US


@pytest.mark.usefixtures("store")
async def test_a_write_has_as_long_as_the_longest_statement_leaves_it(database_url, monkeypatch):
    monkeypatch.setattr("adapters.sql.postgres.reach.WRITE_S", 0.0)
    short, long = (
        PostgresStore.connect(Reach(database_url, statement_s=TELLING_S + more_s), bucket_us=HOUR_US)
        for more_s in (0.0, 30.0)
    )
    for one in (short, long):
        await one.prepare()
    assert (await long.write([a_vote(1)])).statuses == (SignalStatus.APPLIED,)
    with pytest.raises(StoreUnavailableError, match="within the time"):
        await short.write([a_vote(2)])
    for one in (short, long):
        await one.close()
