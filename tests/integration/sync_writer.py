"""A process that writes a few batches to a store or a journal whose disk may fail, and says what became of each.

Arguments: "store" or "journal", and its file. Every answer is one write to the pipe: what arrives is whole.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from adapters.ledger import StoreError
from adapters.sql.sqlite import Journal, SqliteStore
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Thumb

HOUR_US = 3_600_000_000
BATCHES = 20
BATCH = 3


def batch_of(number: int) -> list[SignalRecord]:
    """Return new thumbs of a batch."""
    decision = DecisionFacts("chat", f"model-{number % 3}", Kind.SAMPLED, number * HOUR_US)
    first = number * BATCH
    return [
        SignalRecord("acme", one.to_bytes(12, "big"), "thumb", Thumb(one % 2 == 0), 1, 1, decision, 0.5)
        for one in range(first, first + BATCH)
    ]


async def write(kind: str, file: Path) -> None:
    if kind == "store":
        store = await SqliteStore.open(file, bucket_us=HOUR_US)
        await told(store.write)
        await store.close()
    else:
        journal = await Journal.open(file, max_bytes=1 << 24)
        await told(journal.append)
        await journal.close()


async def told(take: Callable[[list[SignalRecord]], Awaitable[object]]) -> None:
    for number in range(BATCHES):
        try:
            await take(batch_of(number))
        except StoreError:
            os.write(1, f"refused {number}\n".encode())
        else:
            os.write(1, f"acknowledged {number}\n".encode())


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1], Path(sys.argv[2])))
