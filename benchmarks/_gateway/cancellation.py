"""Callers who leave before they are answered: what of them stays behind in the gateway, and at the provider."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks._gateway.http import Connection, chat_request, nonce
from benchmarks._gateway.processes import Target, Upstream, gateway, upstream, write_gateway
from benchmarks._gateway.upstream import Order

AT_ONCE: Final = 50
AFTERWARDS: Final = 10
SETTLED_S: Final = 10.0
STALLED: Final = Order(mode="stall")
STREAMING: Final = Order(chunks=100_000, rate_hz=10.0)


class Held(NamedTuple):
    """What the gateway holds."""

    sockets: int
    threads: int
    memory_mb: float

    @classmethod
    def of(cls, target: Target) -> "Held":
        """Read it."""
        return cls(target.sockets(), target.process.num_threads(), target.memory_mb())


class Left(NamedTuple):
    """What came of callers who left: how many the provider heard of, and how many calls succeeded afterwards."""

    cancelled: int
    heard_of: int
    still_waiting: int
    succeeded: int
    before: Held
    after: Held


async def leave(target: Target, provider: Upstream, callers: int, *, stream: bool) -> int:
    """Let so many call at once, and leave when their calls are under way; return how many the provider saw leave."""
    provider.obey(STREAMING if stream else STALLED)
    connections = [await Connection.open(target.address) for _ in range(callers)]
    answers = [
        connection.ask(chat_request(target.address, number, stream=stream))
        for number, connection in enumerate(connections)
    ]
    await until(lambda: provider.seen().waiting == callers)
    if stream:
        await asyncio.wait_for(asyncio.gather(*(connection.arrived.wait() for connection in connections)), SETTLED_S)
    await asyncio.gather(*(connection.leave() for connection in connections))
    await asyncio.gather(*answers, return_exceptions=True)
    await until(lambda: provider.seen().waiting == 0)
    return provider.seen().abandoned


async def until(holds: Callable[[], bool]) -> bool:
    """Wait for something to hold; return whether it did in time."""
    end_s = time.monotonic() + SETTLED_S
    while not holds():
        if time.monotonic() > end_s:
            return False
        await asyncio.sleep(0.01)
    return True


async def succeeded(target: Target, provider: Upstream) -> int:
    """Return how many of a few calls are answered rightly."""
    provider.obey(Order())
    count = 0
    for number in range(AFTERWARDS):
        connection = await Connection.open(target.address)
        reply = await asyncio.wait_for(connection.ask(chat_request(target.address, number)), SETTLED_S)
        count += reply.status == 200 and nonce(number) in reply.body
        await connection.leave()
    return count


def cancelled(target: Target, provider: Upstream, callers: int, at_once: int = AT_ONCE) -> Left:
    """Let so many callers leave, half of them in the middle of a stream, after as many as fit at once warmed it up."""

    async def run() -> Left:
        for stream in (False, True):
            await leave(target, provider, at_once, stream=stream)
        await succeeded(target, provider)
        before = Held.of(target)
        heard_of = 0
        for number in range(callers // at_once):
            heard_of += await leave(target, provider, at_once, stream=bool(number % 2))
        waiting = provider.seen().waiting
        count = await succeeded(target, provider)
        await until(lambda: target.sockets() <= before.sockets)
        return Left(callers, heard_of, waiting, count, before, Held.of(target))

    return asyncio.run(run())


def figures(callers: int) -> Iterator[dict[str, Any]]:
    """Let so many callers leave."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        provider = stack.enter_context(upstream())
        target = stack.enter_context(gateway(write_gateway(Path(folder), {"mock": provider.base_url})))
        left = cancelled(target, provider, callers)
    for name, value, unit in (
        ("cancelled", left.cancelled, "calls"),
        ("cancelled_at_provider", left.heard_of, "calls"),
        ("still_waiting_at_provider", left.still_waiting, "calls"),
        (f"succeeded_of_{AFTERWARDS}_afterwards", left.succeeded, "calls"),
        ("sockets_before", left.before.sockets, "descriptors"),
        ("sockets_after", left.after.sockets, "descriptors"),
        ("threads_before", left.before.threads, "threads"),
        ("threads_after", left.after.threads, "threads"),
        ("memory_before", round(left.before.memory_mb, 1), "MB"),
        ("memory_after", round(left.after.memory_mb, 1), "MB"),
    ):
        yield {"name": f"cancellation.{name}", "value": value, "unit": unit}
