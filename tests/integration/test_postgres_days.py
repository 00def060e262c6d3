"""Days of the log in PostgreSQL: restored into partitions, exported, dropped whole, and nothing learned is lost."""

import pytest
from sqlalchemy import event

from adapters.exclusion import Exclusion, exclude
from adapters.sql.archive import FolderArchive
from adapters.sql.postgres import Reach, days, portable, tables
from adapters.sql.postgres.locks import Lock
from adapters.sql.postgres.store import PostgresStore
from adapters.sql.schema import decisions, signals
from adapters.sql.sqlite import SqliteStore
from adapters.traffic.formats import open_log
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Outcome, Status, Thumb
from bandit.spend import Bill

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
FIRST = 20_000
FIRST_US = FIRST * DAY_US


async def fill(store, a_decision, hours):
    for hour in hours:
        time_us, nonce = FIRST_US + hour * HOUR_US, hour.to_bytes(12, "big", signed=True)
        facts, bill = DecisionFacts("chat", "large", Kind.SAMPLED, time_us), Bill("", True, 900 + hour)
        await store.log_decisions([a_decision._replace(nonce=nonce, decided_us=time_us)])
        outcome = Outcome(Status.OK, 1_000_000 + hour)
        await store.write(
            [
                SignalRecord("acme", nonce, "outcome", outcome, time_us, time_us, facts, 0.75, bill=bill),
                SignalRecord("acme", nonce, "thumb", Thumb(hour % 3 == 0), time_us, time_us, facts, 0.75),
            ]
        )


@pytest.fixture
async def store(database_url):
    store = PostgresStore.connect(Reach(database_url), bucket_us=HOUR_US)
    await store.prepare()
    yield store
    await store.close()


async def of_days(store, log):
    """The days that have a partition, and how many rows each has."""
    partitions = await store.database.run(tables.days_of, log)
    counted = await store.database.run(
        lambda connection: {
            day: connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar() for day, name in partitions.items()
        }
    )
    return {day - FIRST: count for day, count in counted.items()}


async def test_a_day_is_exported_then_dropped_with_its_partition_and_what_it_taught_stays(store, a_decision, tmp_path):
    for day in (FIRST, FIRST + 1, FIRST + 2):
        for log in tables.LOGS:
            await store.database.run_locked(Lock.SCHEMA, tables.make_partition, log, day)
    # The fourth day has no partition of its own, and neither has the one before the first.
    await fill(store, a_decision, range(-8, 96, 8))
    archive = FolderArchive.of_database(tmp_path, store.database)
    assert await store.verify() == {}
    before, seen = await store.load("acme"), await store.follow(None, billed_since_us={})
    assert await of_days(store, signals) == {0: 6, 1: 6, 2: 6}
    kept_us = await archive.keep(FIRST_US + 2 * DAY_US + 5 * HOUR_US)
    assert kept_us == FIRST_US + 2 * DAY_US
    assert await store.retain(kept_us) == 7 * 3
    assert await of_days(store, signals) == {2: 6}
    assert await of_days(store, decisions) == {2: 3}
    assert [call.time_us for call in open_log(tmp_path).calls()] == [
        FIRST_US + hour * HOUR_US for hour in range(-8, 48, 8)
    ]
    assert await store.verify() == {}
    assert await store.load("acme") == before
    after = await store.follow(seen.position, billed_since_us={})
    assert {name: stored.rows for name, stored in after.namespaces.items()} in (
        {},
        {name: stored.rows for name, stored in seen.namespaces.items()},
    )
    assert await archive.keep(FIRST_US + 4 * DAY_US) == FIRST_US + 4 * DAY_US
    # A mark moves by a day at a time.
    for _ in range(2):
        await store.retain(FIRST_US + 4 * DAY_US)
    assert [record async for record in store.signals()] == [record async for record in store.decisions()] == []
    assert len(list(open_log(tmp_path).calls())) == 13
    assert await store.verify() == {}
    assert await store.load("acme") == before


async def test_a_day_is_dropped_however_long_a_statement_over_the_whole_of_it_would_take(store, a_decision):
    for log in tables.LOGS:
        await store.database.run_locked(Lock.SCHEMA, tables.make_partition, log, FIRST)
    await fill(store, a_decision, range(24))
    looks = []
    event.listen(store.database._engine.sync_engine, "before_cursor_execute", lambda *told: looks.append(told[2:4]))
    assert await store.retain(FIRST_US + DAY_US) == 3 * 24
    counted = [values for text, values in looks if "count(" in text and "_20241004" in text]
    assert len(counted) == DAY_US // days.SPAN_US
    assert {end_us - start_us for start_us, end_us in counted} == {days.SPAN_US - 1}
    assert await of_days(store, signals) == await of_days(store, decisions) == {}
    assert await store.verify() == {}


async def test_a_backup_is_restored_into_partitions_of_its_days(store, a_decision, tmp_path):
    source = await SqliteStore.open(tmp_path / "store.db", bucket_us=HOUR_US)
    await fill(source, a_decision, range(0, 96, 8))
    await fill(source, a_decision, [-24 * 100, 24 * 10**6])
    await source.close()
    await store.database.run_alone(portable.load, tmp_path / "store.db", lambda *_: None)
    assert await of_days(store, signals) == {-100: 2, 0: 6, 1: 6, 2: 6, 3: 6}
    assert await of_days(store, decisions) == {-100: 1, 0: 3, 1: 3, 2: 3, 3: 3}
    await days.make_ahead(store.database, FIRST_US + 3 * DAY_US + 20 * HOUR_US)
    assert [*(await of_days(store, signals))] == [-100, 0, 1, 2, 3, 4, 5]
    assert await store.verify() == {}


async def test_what_a_day_still_holds_of_a_time_that_is_to_be_dropped_is_out_of_reach(store, a_decision):
    await store.database.run_locked(Lock.SCHEMA, tables.make_partition, signals, FIRST)
    await fill(store, a_decision, [0, 8, 16])
    await store.retain(FIRST_US + 10 * HOUR_US)
    assert await of_days(store, signals) == {0: 6}
    everyones = Exclusion(since_us=0)
    assert await store.count_matching(everyones) == 2
    assert (await exclude(store, everyones)).signals == 2
    assert (await exclude(store, everyones)).signals == 0
    assert await store.out_of_reach(everyones, age_us=0) == 6
    assert await store.out_of_reach(Exclusion(clients=frozenset({"nobody"})), age_us=0) == 0
    assert sum(moments.n for moments in (await store.load("acme")).rows.values()) == 6
    await store.retain(FIRST_US + DAY_US)
    assert await of_days(store, signals) == {}
    assert await store.out_of_reach(everyones, age_us=0) == 6
    assert await store.verify() == {}
