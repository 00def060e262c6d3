"""Who is cancelled leaves nothing behind: no socket, no task, no place in a pool that is never given back."""

import asyncio
import random
from collections.abc import Callable

import psutil
import pytest

from adapters.providers.chat import Timeouts
from tests.integration.providers.behaviours import turns
from tests.integration.providers.conftest import completed, streamed

CANCELLATIONS = 1000
MOST_TURNS = 120


def sockets() -> int:
    """Return the number of connections that this process holds, of both ends."""
    return len(psutil.Process().net_connections("tcp4"))


async def settled(condition: Callable[[], bool]) -> bool:
    """Let what is closing be closed; return whether a condition came about."""
    for _ in range(1000):
        if condition():
            return True
        await turns(10)
    return condition()


async def cancelled_at(point: int, call) -> bool:
    """Start a call and cancel it after so many turns of the event loop; return whether it was still going on."""
    task = asyncio.ensure_future(call)
    await turns(point)
    task.cancel()
    end: object = (await asyncio.gather(task, return_exceptions=True))[0]
    if isinstance(end, asyncio.CancelledError):
        return True
    assert isinstance(end, bytes), end
    return False


async def test_a_thousand_cancelled_calls_leave_no_socket_and_no_task(model, server) -> None:
    rng, asked = random.Random(5), (completed, streamed)  # noqa: S311
    hesitating = model(server.url("hesitating"))
    assert b"Hello" in await completed(hesitating, Timeouts())
    tasks, open_before = len(asyncio.all_tasks()), sockets()
    ended: list[bool] = []
    while sum(ended) < CANCELLATIONS and len(ended) < 2 * CANCELLATIONS:
        ended.append(await cancelled_at(rng.randrange(MOST_TURNS), rng.choice(asked)(hesitating, Timeouts())))
    assert sum(ended) == CANCELLATIONS
    for _ in range(10):
        assert b"Hello" in await completed(hesitating, Timeouts())
    assert await settled(lambda: sockets() == open_before)
    assert await settled(lambda: len(asyncio.all_tasks()) == tasks)


@pytest.mark.parametrize(("name", "ask"), [("stalled_before_headers", completed), ("stalled_mid_stream", streamed)])
async def test_the_provider_notices_that_a_call_was_cancelled(name, ask, model, server) -> None:
    task = asyncio.ensure_future(ask(model(server.url(name)), Timeouts()))
    assert await settled(lambda: server.requests[name] == 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await settled(lambda: not server.running)
