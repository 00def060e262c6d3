"""Callers in a closed loop: each sends its next call when the last one was answered."""

import asyncio
import time
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

from benchmarks._gateway.http import Connection, LostError, Reply, chat_request, nonce

UNANSWERED_S = 30.0


class Call(NamedTuple):
    """One call: when it began (CLOCK_MONOTONIC), how long it took, whether its own answer came, and what did else."""

    begun_s: float
    seconds: float
    status: int
    is_right: bool
    complaint: str = ""


class Load(NamedTuple):
    """What callers met in so many seconds."""

    calls: list[Call]
    seconds: float

    @property
    def failed(self) -> int:
        """Calls that were not answered, or not with their own answer."""
        return sum(not call.is_right for call in self.calls)

    @property
    def calls_per_s(self) -> float:
        """Right answers a second."""
        return (len(self.calls) - self.failed) / self.seconds

    def latency_ms(self, share: float) -> float:
        """Return the latency that this share of the right answers stayed within."""
        taken = sorted(call.seconds for call in self.calls if call.is_right)
        return 1e3 * taken[min(int(len(taken) * share), len(taken) - 1)] if taken else float("inf")


class Callers:
    """Callers of one address, who stay connected, and expect the same `answer` always, or their own nonce.

    `headers` are whole lines.
    """

    def __init__(self, address: str, *, answer: bytes = b"", pause_s: float = 0.0, headers: str = "") -> None:
        self.address, self.answer, self.pause_s, self.headers = address, answer, pause_s, headers
        self._numbers: Iterator[int] = count(1)

    async def call(self, connections: int, seconds: float) -> Load:
        """Let so many callers call for so long."""
        calls: list[Call] = []
        begun = time.monotonic()
        await asyncio.gather(*(self._caller(calls, begun + seconds) for _ in range(connections)))
        return Load(calls, time.monotonic() - begun)

    async def _caller(self, calls: list[Call], end_s: float) -> None:
        connection = await Connection.open(self.address)
        while time.monotonic() < end_s:
            if connection.transport.is_closing():
                connection = await Connection.open(self.address)
            calls.append(await self._one(connection))
            if self.pause_s:
                await asyncio.sleep(self.pause_s)
        await connection.leave()

    async def _one(self, connection: Connection) -> Call:
        number = next(self._numbers)
        request = chat_request(self.address, number, headers=self.headers)
        begun_s = time.monotonic()
        try:
            reply = await asyncio.wait_for(connection.ask(request), UNANSWERED_S)
        except (LostError, TimeoutError) as error:
            await connection.leave()
            return Call(begun_s, time.monotonic() - begun_s, 0, is_right=False, complaint=repr(error))
        seconds = time.monotonic() - begun_s
        is_right = reply.status == 200 and (self.answer or nonce(number)) in reply.body
        return Call(begun_s, seconds, reply.status, is_right, "" if is_right else _excerpt(reply))


def _excerpt(reply: Reply) -> str:
    return reply.body[:200].decode("utf-8", "replace")
