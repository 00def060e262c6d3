"""Many flush into one PostgreSQL at once, the same signals among them, and nobody waits in a circle."""

import asyncio
from contextlib import AsyncExitStack
from itertools import chain
from urllib.parse import urlsplit

import asyncpg
import numpy as np
import pytest

from adapters.ledger import StoreError, StoreUnavailableError, Written, fold
from adapters.sql.postgres.flush import Batch, Expected, flush
from adapters.sql.postgres.reach import Reach
from adapters.sql.postgres.store import PostgresStore
from adapters.sql.rows import signal_row
from adapters.sql.schema import signals
from adapters.sql.statements import given_columns
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Thumb
from bandit.votes import SignalStatus, resolve

HOUR_US = 3_600_000_000
FLUSHERS = 8
SHARDS = 2
BATCHES = 12
BATCH = 80
DECISIONS = 200


def vote(number: int, observed_us: int, up: bool | None) -> SignalRecord:
    """Something said of one of few decisions; None takes it back."""
    decision = DecisionFacts(f"category-{number % 3}", f"model-{number % 5}", Kind.SAMPLED, number * HOUR_US // 50)
    fact = None if up is None else Thumb(up)
    return SignalRecord("acme", number.to_bytes(12, "big"), "thumb", fact, observed_us, 1, decision, 0.5)


def batches(rng: np.random.Generator) -> list[list[SignalRecord]]:
    """What one flusher writes: first votes, amendments, retractions and repetitions, in an order of its own."""
    drawn = rng.integers(0, (DECISIONS, 8, 3), (BATCHES, BATCH, 3)).tolist()
    return [[vote(number, at, (True, False, None)[said]) for number, at, said in batch] for batch in drawn]


async def test_eight_flushers_that_share_rows_never_deadlock_and_count_each_vote_once(database_url, postgres):
    work = [batches(np.random.default_rng(seed)) for seed in range(FLUSHERS)]
    stores = [
        PostgresStore.connect(Reach(database_url, connections=2), bucket_us=HOUR_US, shard=number % SHARDS)
        for number in range(FLUSHERS)
    ]
    for store in stores:
        await store.prepare()

    async def flush(store: PostgresStore, own: list[list[SignalRecord]]) -> None:
        for batch in own:
            await store.write(batch)

    try:
        async with asyncio.TaskGroup() as tasks:
            for store, own in zip(stores, work, strict=True):
                tasks.create_task(flush(store, own))
        kept = {record.nonce: record async for record in stores[0].signals()}
        state = await stores[0].load("acme")
        assert await stores[0].verify() == {}
    finally:
        for store in stores:
            await store.close()
    best: dict[bytes, SignalRecord] = {}
    for record in chain.from_iterable(chain.from_iterable(work)):
        best[record.nonce] = resolve(best.get(record.nonce), record).kept
    assert {nonce: record.fact for nonce, record in kept.items()} == {n: record.fact for n, record in best.items()}
    assert state.rows == fold(best.values(), HOUR_US)
    assert postgres.psql(f"SELECT deadlocks FROM pg_stat_database WHERE datname = '{name(database_url)}'") == "0"


@pytest.fixture
async def store(database_url):
    store = PostgresStore.connect(Reach(database_url, connections=2), bucket_us=HOUR_US)
    await store.prepare()
    yield store
    await store.close()


# In the second, days without a partition of their own lie on both sides of one that has it.
@pytest.mark.parametrize("named", [{3600: 0, 3601: 2, 3602: 3, 6000: 1}, {1: 0, 3601: 2, 3600: 1, 9000: 3}])
async def test_copies_that_meet_wait_for_each_other_day_by_day_whatever_the_order_of_their_keys(
    named, store, database_url, postgres
):
    await store.compact(3 * 24 * HOUR_US)
    first, second, third, later = (vote(n, 1, up=True)._replace(nonce=bytes([at] * 12)) for n, at in named.items())
    async with AsyncExitStack() as opened:
        holder, *others = [await asyncpg.connect(database_url) for _ in range(3)]
        for connection in (holder, *others):
            opened.push_async_callback(connection.close)
        held = holder.transaction()
        await held.start()
        await holder.copy_records_to_table("signals", columns=given_columns(signals), records=[signal_row(third, bool)])
        flushes = []
        for waiting, (other, records) in enumerate(
            zip(others, ([first, second, third, later], [second, later]), strict=True), start=1
        ):
            flushes.append(asyncio.create_task(flush(other, Batch(records, HOUR_US, 0), Expected())))
            async with asyncio.timeout(20.0):
                while await holder.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted") < waiting:
                    if flushes[-1].done():
                        break
        assert not flushes[0].done()
        await held.rollback()
        await asyncio.gather(*flushes)
    assert await store.verify() == {}
    assert postgres.psql(f"SELECT deadlocks FROM pg_stat_database WHERE datname = '{name(database_url)}'") == "0"


async def test_what_is_told_again_is_met_with_care_until_all_is_new_again(store, database_url):
    connection = await asyncpg.connect(database_url)
    try:
        first = Batch([vote(1, 1, up=True), vote(2, 1, up=True)], HOUR_US, 0)
        written, expected = await flush(connection, first, Expected())
        assert (written.statuses, expected) == ((SignalStatus.APPLIED,) * 2, Expected(0, are_new=True))
        again = Batch([vote(2, 1, up=True), vote(3, 1, up=True)], HOUR_US, 0)
        written, expected = await flush(connection, again, expected)
        assert (written.statuses, expected.are_new) == ((SignalStatus.DUPLICATE, SignalStatus.APPLIED), False)
        written, expected = await flush(connection, Batch([vote(4, 1, up=True)], HOUR_US, 0), expected)
        assert (written.statuses, expected.are_new) == ((SignalStatus.APPLIED,), True)
    finally:
        await connection.close()
    assert (await store.load("acme")).revision == 4
    assert await store.verify() == {}


@pytest.mark.parametrize("signal", ["\ud800", "a\0b"])
async def test_a_signal_that_cannot_be_stored_is_an_error_of_its_own_and_leaves_the_store_well(store, signal):
    with pytest.raises(StoreError, match="PostgreSQL"):
        await store.write([vote(1, 1, up=True)._replace(signal=signal)])
    assert (await store.write([vote(1, 1, up=True)])).statuses == (SignalStatus.APPLIED,)
    assert await store.verify() == {}


def name(database_url: str) -> str:
    return urlsplit(database_url).path.removeprefix("/")


async def test_whatever_interrupts_a_flush_its_connection_is_outside_a_transaction_after_it(database_url):
    store = PostgresStore.connect(Reach(database_url, connections=2), bucket_us=HOUR_US)
    await store.prepare()
    try:
        await store.write([vote(1, 1, up=True)])
        await store.database.run(lambda connection: connection.exec_driver_sql("UPDATE signals SET kind = 9"))
        with pytest.raises(StoreError, match="cannot be read by this version"):
            await store.write([vote(1, 2, up=False)])
        assert (await store.write([vote(2, 1, up=True)])).statuses == (SignalStatus.APPLIED,)
    finally:
        await store.close()


async def test_a_connection_that_is_ended_in_the_middle_of_a_flush_is_an_error_of_the_store(database_url, postgres):
    store = PostgresStore.connect(Reach(database_url, connections=2), bucket_us=HOUR_US)
    await store.prepare()
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'routeward' AND datname = "
    try:
        refused = 0
        for start in range(0, 12_000, 1000):
            write = asyncio.create_task(store.write([vote(n, 1, up=True) for n in range(start, start + 1000)]))
            await asyncio.to_thread(postgres.psql, f"{end}'{name(database_url)}'")
            (error,) = await asyncio.gather(write, return_exceptions=True)
            refused += isinstance(error, StoreUnavailableError)
            assert isinstance(error, StoreUnavailableError | Written)
        assert refused
        for start in range(0, 12_000, 1000):
            await store.write([vote(n, 1, up=True) for n in range(start, start + 1000)])
        assert await store.verify() == {}
    finally:
        await store.close()
