"""Days get partitions of their own while feedback about them is written."""

import asyncio

from sqlalchemy import text

from adapters.sql.postgres import tables
from adapters.sql.postgres.reach import Reach
from adapters.sql.postgres.store import PostgresStore
from adapters.sql.schema import signals
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Thumb
from bandit.votes import SignalStatus

DECIDED_US = 1_700_000_000_000_000
WAITING = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = CAST('signals_default' AS regclass)")


def a_vote():
    decision = DecisionFacts("chat", "large", Kind.SAMPLED, DECIDED_US, None)
    return SignalRecord("acme", b"n" * 12, "thumb", Thumb(True), DECIDED_US, DECIDED_US, decision, 0.5)


async def test_feedback_about_a_day_that_just_gets_its_partition_waits_and_is_stored_there(database_url):
    store = PostgresStore.connect(Reach(database_url), bucket_us=10_000_000)
    try:
        await store.prepare()
        day = DECIDED_US // tables.DAY_US
        async with store.database.connection() as connection, asyncio.timeout(20.0):
            making = await connection.begin()
            await connection.run_sync(tables.make_partition, signals, day)
            writing = asyncio.create_task(store.write([a_vote()]))
            while not await store.database.run(lambda other: other.scalar(WAITING)):
                assert not writing.done()
            await making.commit()
            written = await writing
        assert written.statuses == (SignalStatus.APPLIED,)
        count = text(f"SELECT count(*) FROM {tables.partition(signals, day)}")
        assert await store.database.run(lambda other: other.scalar(count)) == 1
    finally:
        await store.close()
