"""How fast PostgreSQL takes signals: from the store port alone, by how many flush at once and in how many processes.

    python -m benchmarks.flushes [--rounds 5] [--batches 24]

PostgreSQL runs on this machine, beside those who write to it, with every sync that it makes by default: a batch is
acknowledged when it is durable. Signals are those of `benchmarks.store`, of decisions of their own, 1,000 at a time.
Every flusher has a shard of its own, as every process of the service has. Each figure is a median over rounds in which
all arrangements are measured one after the other, each on a new database.
"""

import argparse
import asyncio
import gc
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from statistics import median
from typing import Any, Final, NamedTuple

import numpy as np

from adapters.sql.postgres.reach import Reach
from adapters.sql.postgres.store import PostgresStore
from bandit.records import SignalRecord
from benchmarks._pipes import heard, told
from benchmarks._postgres import PostgresServer
from benchmarks.store import BUCKET_US, START_US, signals

BATCH: Final = 1000
STATEMENT_S: Final = 30.0


class Arrangement(NamedTuple):
    """How many flush at once in each of how many processes."""

    processes: int
    flushers: int


ARRANGEMENTS: Final = tuple(Arrangement(*one) for one in ((1, 1), (1, 4), (1, 8), (2, 1), (2, 2), (4, 1), (4, 2)))


class Order(NamedTuple):
    """What one process is to do: `number` distinguishes its signals and shards from those of others."""

    url: str
    number: int
    flushers: int
    batches: int


def batches_of(order: Order) -> list[list[list[SignalRecord]]]:
    """Make what each flusher writes: all of it new, of moments that all flushers share."""
    return [
        [
            signals(BATCH, np.random.default_rng((order.number, flusher, batch)), first=batch * BATCH)
            for batch in range(order.batches + 1)
        ]
        for flusher in range(order.flushers)
    ]


async def flushed(order: Order) -> None:
    """Get ready, say so, wait for the word, write, and say when it was done."""
    work = batches_of(order)
    first = order.number * order.flushers
    reach = Reach(order.url, statement_s=STATEMENT_S, connections=2)
    stores = [PostgresStore.connect(reach, bucket_us=BUCKET_US, shard=first + n) for n in range(order.flushers)]
    for store in stores:
        await store.prepare()
    await asyncio.gather(*(store.write(own[0]) for store, own in zip(stores, work, strict=True)))
    # Batches that wait are the benchmark's own: looking them through for garbage would be counted.
    gc.collect()
    gc.freeze()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await asyncio.gather(*(write(store, own[1:]) for store, own in zip(stores, work, strict=True)))
    print(time.monotonic(), time.process_time(), flush=True)
    await asyncio.gather(*(store.close() for store in stores))


async def write(store: PostgresStore, batches: Sequence[Sequence[SignalRecord]]) -> None:
    for batch in batches:
        await store.write(batch)


def measured(server: PostgresServer, arrangement: Arrangement, batches: int) -> float:
    """Return signals per second of an arrangement, on a new database."""
    name = server.create_database()
    try:
        asyncio.run(prepared(server.url(name)))
        return rate(server.url(name), arrangement, batches)
    finally:
        server.drop_database(name)


async def prepared(url: str) -> None:
    """Make the tables, and the partitions of the day that is written to."""
    store = PostgresStore.connect(Reach(url, statement_s=STATEMENT_S), bucket_us=BUCKET_US)
    await store.prepare()
    await store.compact(START_US)
    await store.close()


def rate(url: str, arrangement: Arrangement, batches: int) -> float:
    processes, flushers = arrangement
    each = batches // (processes * flushers)
    with ExitStack() as stack:
        writers = [stack.enter_context(writer(Order(url, number, flushers, each))) for number in range(processes)]
        for one in writers:
            heard(one)
        began = time.monotonic()
        for one in writers:
            told(one)
        ended = max(float(heard(one).split()[0]) for one in writers)
    return each * processes * flushers * BATCH / (ended - began)


def writer(order: Order) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks.flushes", "--order", json.dumps(order)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def figures(rounds: int, batches: int, command: str) -> list[dict[str, Any]]:
    """Measure every arrangement as often; return the medians, and the best of them."""
    found: dict[Arrangement, list[float]] = defaultdict(list)
    server = PostgresServer.start(shared_buffers="256MB", max_wal_size="4GB")
    try:
        for _ in range(rounds):
            for arrangement in ARRANGEMENTS:
                found[arrangement].append(measured(server, arrangement, batches))
    finally:
        server.stop()
    rates = {arrangement: median(values) for arrangement, values in found.items()}
    named = {f"{p} processes, {f} flushers each": value for (p, f), value in rates.items()}
    named["the best arrangement"] = max(rates.values())
    return [
        {"name": f"signals into PostgreSQL, {name}", "value": round(value), "unit": "signals/s", "command": command}
        for name, value in named.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Write signals to PostgreSQL.")
    parser.add_argument("--data", help="not used")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=96)
    parser.add_argument("--order", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.order:
        asyncio.run(flushed(Order(*json.loads(options.order))))
        return
    command = f"python -m benchmarks.flushes --rounds {options.rounds} --batches {options.batches}"
    print(json.dumps(figures(options.rounds, options.batches, command), indent=1))


if __name__ == "__main__":
    main()
