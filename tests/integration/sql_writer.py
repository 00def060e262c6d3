"""A server's half of the crash tests: writes numbered signals and says which of them are stored, until killed.

Arguments: the file of the store, the number to begin with. Signals are numbered so that the other half can
tell what they were.
"""

import asyncio
import sys
from itertools import count
from pathlib import Path

from adapters.sql.sqlite import SqliteStore
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Outcome, Status, Thumb

HOUR_US = 3_600_000_000


def signal(number: int) -> SignalRecord:
    fact = Thumb(number % 3 == 0) if number % 2 else Outcome(Status.OK, 1000 + number, output_tokens=number)
    decision = DecisionFacts(f"category-{number % 3}", f"model-{number % 7}", Kind.SAMPLED, number * HOUR_US // 1000)
    return SignalRecord("acme", number.to_bytes(12, "big"), fact.signal, fact, number, number, decision, 0.5)


async def write(file: Path, first: int) -> None:
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    for start in count(first, 20):
        fresh = [signal(number) for number in range(start, start + 20)]
        repeated = [signal(start * prime % (start + 20)) for prime in (3, 7919, 104_729)]
        await store.write(fresh + repeated)
        # One write to the pipe per line: what arrives is whole.
        sys.stdout.write(f"{start + 20}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), int(sys.argv[2])))
