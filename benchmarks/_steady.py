"""A client process that calls at a fixed rate: `python -m benchmarks._steady ADDRESS ROUTES FEEDBACKS` until told.

The rates are calls per second. It calls from its start until its stdin ends, whether or not anybody answers, and
prints one line of JSON: what became of each call, as it was due. A latency counts from when the call was due, so that
a service which holds the clients up does not look fast.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import repeat
from typing import Any, Final

import grpc

from benchmarks._load import ROUTE, SIGNING_KEY, caller, reports
from routeward.v1 import routing_service_pb2 as pb
from server.tokens import TokenKeys

ROUTE_S: Final = 1.0
FEEDBACK_S: Final = 5.0
"""Deadlines: those of the SDK."""

Answered = tuple[float, float, float, str]
"""When a call was due, and when it was made, in seconds since 1970; how long it took; what went wrong, if it did."""


async def answered(call: Any, requests: Iterator[Any], deadline_s: float, due_s: float) -> Answered:
    """Call once."""
    request, wrong = next(requests), ""
    made_s = time.time()
    try:
        await call(request, timeout=deadline_s)
    except grpc.aio.AioRpcError as error:
        wrong = f"{error.code().name}: {error.details()}"
    return due_s, made_s, time.time() - due_s, wrong


async def steadily(per_s: float, call: Callable[[float], Awaitable[Answered]], ended: asyncio.Event) -> list[Answered]:
    """Call that often until the end; return what became of all calls."""
    began_s, number = time.time(), 0
    calls: list[asyncio.Task[Answered]] = []
    while not ended.is_set():
        due_s = began_s + number / per_s
        # Also where it is late: the calls that were begun have to go on.
        await asyncio.sleep(max(0.0, due_s - time.time()))
        calls.append(asyncio.ensure_future(call(due_s)))
        number += 1
    return list(await asyncio.gather(*calls))


async def called(address: str, routes_per_s: float, feedbacks_per_s: float) -> dict[str, list[Answered]]:
    """Route and report, each from a connection of its own, until stdin ends."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
    told: Iterator[pb.FeedbackRequest] = reports(TokenKeys([SIGNING_KEY]))
    # Equal settings would make them share one.
    separate = [("grpc.use_local_subchannel_pool", 1)]
    async with (
        grpc.aio.insecure_channel(address, options=separate) as routing,
        grpc.aio.insecure_channel(address, options=separate) as reporting,
    ):
        route, feedback = caller(routing, "Route"), caller(reporting, "Feedback")
        found = await asyncio.gather(
            steadily(routes_per_s, lambda due_s: answered(route, repeat(ROUTE), ROUTE_S, due_s), ended),
            steadily(feedbacks_per_s, lambda due_s: answered(feedback, told, FEEDBACK_S, due_s), ended),
        )
    return dict(zip(("route", "feedback"), found, strict=True))


if __name__ == "__main__":
    address, routes, feedbacks = sys.argv[1:]
    print(json.dumps(asyncio.run(called(address, float(routes), float(feedbacks)))))
