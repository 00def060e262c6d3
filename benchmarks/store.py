"""What storing signals costs: throughput of large batches, processor time of small ones, starting, loading.

Medians of five runs, each on a new file. Signals are outcomes of which everything is known, five events each,
and as many thumbs. The last figures say why transactions run in a thread of our own and not statement by
statement through SQLAlchemy's asyncio extension and aiosqlite: each statement crosses threads several times.
"""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.sql import writing
from adapters.sql.sqlite import SqliteStore
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Outcome, Status, Thumb

COMMAND = "python -m benchmarks.store"
RUNS = 5
BUCKET_US = 10_000_000
START_US = 1_700_000_000_000_000

Write = Callable[[Sequence[SignalRecord]], Awaitable[object]]
Cost = tuple[float, float]
"""Wall and processor seconds."""

Measure = Callable[[Path, np.random.Generator], Coroutine[Any, Any, tuple[float, ...]]]


def signals(number: int, rng: np.random.Generator, *, first: int = 0, by_time: bool = True) -> list[SignalRecord]:
    """Outcomes and thumbs in turn, of five categories and ten models, a hundred decisions per second.

    The names of decisions begin with their time, or are random: then each lands on a page of its own.
    """
    latencies = rng.lognormal(14, 1, number).astype(int).tolist()
    tokens = rng.integers(10, 2000, number).tolist()
    found = []
    for i in range(number):
        decided_us = START_US + (first + i) * 10_000
        nonce = decided_us.to_bytes(8, "big") + rng.bytes(4) if by_time else rng.bytes(12)
        found.append(signal(first + i, nonce, decided_us, latencies[i], tokens[i]))
    return found


def signal(number: int, nonce: bytes, decided_us: int, latency_us: int, tokens: int) -> SignalRecord:
    fact = Thumb(number % 4 == 1) if number % 2 else Outcome(Status.OK, latency_us, latency_us // 3, 900, 0, tokens, 1)
    decision = DecisionFacts(f"category-{number % 5}", f"model-{number // 2 % 10}", Kind.SAMPLED, decided_us, 1000)
    return SignalRecord("default", nonce, fact.signal, fact, decided_us, decided_us, decision, 0.25)


async def cost_per_signal(write: Write, batches: Sequence[Sequence[SignalRecord]]) -> Cost:
    """Write batches; the first is not counted."""
    await write(batches[0])
    # Batches that wait are the benchmark's own: looking them through for garbage would be counted.
    gc.collect()
    gc.freeze()
    wall, processor = time.perf_counter(), time.process_time()
    for batch in batches[1:]:
        await write(batch)
    count = sum(map(len, batches[1:]))
    return (time.perf_counter() - wall) / count, (time.process_time() - processor) / count


def batches_of(size: int, count: int, rng: np.random.Generator, *, by_time: bool = True) -> list[list[SignalRecord]]:
    return [signals(size, rng, first=i * size, by_time=by_time) for i in range(count + 1)]


async def in_our_thread(file: Path, rng: np.random.Generator, *, size: int, count: int, by_time: bool = True) -> Cost:
    batches = batches_of(size, count, rng, by_time=by_time)
    store = await SqliteStore.open(file, bucket_us=BUCKET_US)
    try:
        return await cost_per_signal(store.write, batches)
    finally:
        await store.close()


async def through_aiosqlite(file: Path, rng: np.random.Generator, *, size: int, count: int) -> Cost:
    """The same transactions, each statement by itself in the thread of aiosqlite."""
    await (await SqliteStore.open(file, bucket_us=BUCKET_US)).close()
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}")
    event.listen(engine.sync_engine, "connect", take_over_transactions)
    event.listen(engine.sync_engine, "begin", begin)
    try:
        async with engine.connect() as connection:

            async def write(records: Sequence[SignalRecord]) -> None:
                async with connection.begin():
                    await connection.run_sync(partial(writing.write, records=records, bucket_us=BUCKET_US))

            return await cost_per_signal(write, batches_of(size, count, rng))
    finally:
        await engine.dispose()


def take_over_transactions(connection: Any, _: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


async def start_and_load(file: Path, rng: np.random.Generator) -> tuple[float, float, float]:
    """Return seconds to make a store, to open it again, and to load a row of its sums."""
    began = time.perf_counter()
    store = await SqliteStore.open(file, bucket_us=BUCKET_US)
    made = time.perf_counter()
    for second in range(0, 500, 10):
        await store.write(signals(200, rng, first=second * 100))
    await store.close()
    closed = time.perf_counter()
    store = await SqliteStore.open(file, bucket_us=BUCKET_US)
    opened = time.perf_counter()
    loaded = await store.load("default")
    read = time.perf_counter()
    await store.close()
    return made - began, opened - closed, (read - opened) / len(loaded.rows)


def medians(measure: Measure) -> tuple[float, ...]:
    """Measure on new files and return the median of each number."""
    with TemporaryDirectory() as folder:
        files = [Path(folder) / f"{run}.db" for run in range(RUNS)]
        runs = [asyncio.run(measure(file, np.random.default_rng(seed))) for seed, file in enumerate(files)]
    return tuple(map(median, zip(*runs, strict=True)))


def figure(name: str, value: float, unit: str, **more: str) -> dict[str, Any]:
    return {"name": name, "value": float(f"{value:.4g}"), "unit": unit, "command": COMMAND, **more}


def main() -> list[dict[str, Any]]:
    figures = []
    for size, count, by_time in ((1000, 12, False), (1000, 12, True), (64, 40, True), (1, 200, True)):
        wall, processor = medians(partial(in_our_thread, size=size, count=count, by_time=by_time))
        what = f"{size} at a time" if by_time else f"{size} at a time, named at random"
        figures += [
            figure(f"signals stored durably, {what}", 1 / wall, "signals/s"),
            figure(f"processor time of a stored signal, {what}", processor * 1e6, "us"),
        ]
    through = medians(partial(through_aiosqlite, size=1, count=200))[1]
    figures += [
        figure("processor time of a stored signal, 1 at a time, through aiosqlite", through * 1e6, "us"),
        figure("processor time through aiosqlite", through / processor, "ratio", ratio_to="our thread"),
    ]
    made, opened, loaded = medians(start_and_load)
    return [
        *figures,
        figure("making a store", made * 1e3, "ms"),
        figure("opening a store", opened * 1e3, "ms"),
        figure("loading a row of sums", loaded * 1e6, "us"),
    ]


if __name__ == "__main__":
    json.dump(main(), sys.stdout, indent=1)
    print()
