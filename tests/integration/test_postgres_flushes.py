"""Many flush into one PostgreSQL at once, the same signals among them, and nobody waits in a circle."""

import asyncio
from itertools import chain
from urllib.parse import urlsplit

import numpy as np

from adapters.ledger import fold
from adapters.sql.postgres.reach import Reach
from adapters.sql.postgres.store import PostgresStore
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Thumb
from bandit.votes import resolve

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
    name = urlsplit(database_url).path.removeprefix("/")
    assert postgres.psql(f"SELECT deadlocks FROM pg_stat_database WHERE datname = '{name}'") == "0"
