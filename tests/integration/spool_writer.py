"""A process that appends to a journal until it is killed, twenty signals at a time from a number on.

After every append it prints up to where signals are acknowledged.
"""

import asyncio
import sys
from itertools import count
from pathlib import Path

from adapters.sql.sqlite import Journal
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Thumb

DECISION = DecisionFacts("chat", "large", Kind.SAMPLED, 1)


async def append(file: Path, first: int) -> None:
    journal = await Journal.open(file, max_bytes=1 << 30)
    for start in count(first, 20):
        await journal.append(
            [
                SignalRecord("acme", number.to_bytes(12, "big"), "thumb", Thumb(True), 1, 1, DECISION, 0.5)
                for number in range(start, start + 20)
            ]
        )
        # One write to the pipe per line: what arrives is whole.
        sys.stdout.write(f"{start + 20}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(append(Path(sys.argv[1]), int(sys.argv[2])))
