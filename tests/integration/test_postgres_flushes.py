"""Many flush into one PostgreSQL at once, the same signals among them, and nobody waits in a circle."""

import asyncio
from itertools import chain
from urllib.parse import urlsplit

import asyncpg
import numpy as np
import pytest

from adapters.ledger import StoreError, fold
from adapters.sql.postgres.flush import Batch, Expected, flush
from adapters.sql.postgres.reach import Reach
from adapters.sql.postgres.store import PostgresStore
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Thumb
from bandit.votes import SignalStatus, resolve

HOUR_US = 3_600_000_000
FLUSHERS = 8
SHARDS = 2
BATCHES = 12
BATCH = 60
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


async def test_flushers_that_take_the_same_signals_of_several_days_for_new_never_deadlock(
    store, database_url, postgres
):
    # Days with partitions of their own: copies go to one partition after the other.
    await store.compact(3 * 24 * HOUR_US)
    days = int(
        postgres.psql("SELECT count(*) FROM pg_inherits WHERE inhparent = 'signals'::regclass", name(database_url))
    )
    assert days > 2

    async def flush_all(seed: int) -> None:
        rng = np.random.default_rng(seed)
        connection = await asyncpg.connect(database_url)
        try:
            for _ in range(BATCHES):
                numbers = rng.permutation(days * 24 * 50)[:BATCH].tolist()
                records = [vote(number, 1, up=True) for number in numbers]
                await flush(connection, Batch(records, HOUR_US, seed), Expected())
        finally:
            await connection.close()

    async with asyncio.TaskGroup() as tasks:
        for seed in range(FLUSHERS):
            tasks.create_task(flush_all(seed))
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
