"""A store and a spool that fail as a test says, and a signal to write to them."""

import asyncio
from collections import deque

from adapters.ledger import SpoolFullError, StoreError, StoreUnavailableError
from adapters.memory import MemoryStore
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Thumb

BUCKET_US = 10_000_000
START_US = 1_700_000_000_000_000


class FragileStore(MemoryStore):
    """Fails when a test says so, before it writes or after; refuses some raters for good."""

    def __init__(self) -> None:
        super().__init__(bucket_us=BUCKET_US)
        self.error: Exception | None = None
        self.silent = False
        self.refused: dict[str, Exception] = {}
        self.attempts = 0
        self.sizes: list[int] = []
        self.hanging: asyncio.Event | None = None
        self.waiting = False

    async def write(self, records):
        self.attempts += 1
        self.sizes.append(len(records))
        if self.hanging:
            self.waiting = True
            await self.hanging.wait()
        if self.error:
            raise self.error
        for record in records:
            if record.rater in self.refused:
                raise self.refused[record.rater]
        written = await super().write(records)
        if self.silent:
            raise StoreUnavailableError("the answer was lost")
        return written


class MemorySpool:
    """A `server.ports.Spool` that lives as long as a test."""

    def __init__(self, room: int = 100_000) -> None:
        self.room = room
        self.kept: deque[tuple[int, SignalRecord]] = deque()
        self.next = 1
        self.broken = False
        self.forgets = True
        self.damaged: set[int] = set()
        self.immeasurable = False

    async def append(self, records):
        await self._answer()
        if len(self.kept) + len(records) > self.room:
            raise SpoolFullError("full")
        for record in records:
            self.kept.append((self.next, record))
            self.next += 1

    async def oldest(self, count):
        await self._answer()
        found = list(self.kept)[:count]
        if any(place in self.damaged for place, _ in found):
            raise StoreError("the spool is damaged")
        return [record for _, record in found], found[-1][0] + 1 if found else 0

    async def forget(self, place):
        await self._answer()
        if not self.forgets:
            raise StoreUnavailableError("the disk of the spool")
        while self.kept and self.kept[0][0] < place:
            self.kept.popleft()

    async def step_over(self):
        await self._answer()
        before = len(self.kept)
        while self.kept and self.kept[0][0] in self.damaged:
            self.kept.popleft()
        return before - len(self.kept)

    async def extent(self):
        if self.immeasurable:
            raise StoreError("the spool is damaged")
        return len(self.kept), 100 * len(self.kept)

    async def _answer(self):
        await asyncio.sleep(0)
        if self.broken:
            raise StoreUnavailableError("the disk of the spool is broken")

    async def close(self):
        """Do nothing."""


def a_thumb(number, *, up=True, observed_us=START_US, rater="", namespace="acme"):
    return SignalRecord(
        namespace=namespace,
        nonce=number.to_bytes(12, "big"),
        signal="thumb",
        fact=Thumb(up),
        observed_us=observed_us,
        received_us=START_US,
        decision=DecisionFacts("chat", "small", Kind.SAMPLED, START_US),
        propensity=0.5,
        rater=rater,
    )
