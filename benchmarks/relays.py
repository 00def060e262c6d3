"""Which libraries carry HTTP best: bare relays, and what clients do about calls that are cancelled.

    python -m benchmarks.relays [--rounds 5] [--seconds 2] [--cancelled 1000]

A relay reads a request, sends it on to a provider that answers at once, and sends the answer back; it runs on one core,
its 16 callers and the provider on another where there is one. Figures are medians of rounds in which all relays are
measured one after the other; `cpu` is processor time of the relay per call, which others on the machine disturb least.
Then each client makes calls over 16 connections at most, which are cancelled at random
times, and ten more, which must be answered; sockets are those that are open beyond the connections it may keep.

Libraries that are not installed are left out, and named on stderr:

    pip install httpx starlette uvicorn httptools
"""

import argparse
import asyncio
import json
import os
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from benchmarks._gateway.http import chat_request
from benchmarks._gateway.overhead import CONNECTIONS, in_turns, middle, ratio
from benchmarks._gateway.processes import cores, pin, relay, upstream
from benchmarks._gateway.relay import CLIENTS, SERVERS, Post, missing
from benchmarks._gateway.upstream import Order

AFTERWARDS = 10
ANSWERED_S = 2.0
LASTING_S = 0.05
"""How long an answer takes at least that may be cancelled."""
MOST_PATIENCE_S = 0.06
MOST_TRIES = 3
"""How many times as many calls are made at most, since some are answered before."""
HALTING = Order(chunks=20, rate_hz=20 / LASTING_S)
BODY = chat_request("", 1, stream=True).partition(b"\r\n\r\n")[2]
CHOSEN = "aiohttp.aiohttp"


class Left(NamedTuple):
    """What came of calls that were cancelled: how many were, how many succeeded later, and which sockets stayed."""

    cancelled: int
    succeeded: int
    sockets: int


def here(libraries: Sequence[str]) -> Iterator[str]:
    """Yield those that are installed; name the others."""
    for library in libraries:
        if lacking := missing(library):
            print(f"    left out: {library} (not installed: {', '.join(lacking)})", file=sys.stderr, flush=True)
        else:
            yield library


def rates(servers: Sequence[str], clients: Sequence[str], rounds: int, seconds: float) -> Iterator[dict[str, Any]]:
    """Measure each server with each client."""
    with ExitStack() as stack:
        provider = stack.enter_context(upstream())
        targets = {
            f"{server}.{client}": stack.enter_context(relay(provider.base_url, server, client))
            for server in servers
            for client in clients
        }
        found = in_turns(targets, rounds, seconds)
    for name, measured in found.items():
        what = middle(measured)
        yield {"name": f"relays.{name}.rate", "value": round(what.calls_per_s, 1), "unit": "calls/s"}
        yield {"name": f"relays.{name}.cpu", "value": round(what.cpu_us, 1), "unit": "us/call"}
        yield {"name": f"relays.{name}.failed", "value": what.failed, "unit": "calls"}
        times = ratio(measured, found[CHOSEN], "cpu_us")
        yield {"name": f"relays.{name}.cpu_to_chosen", "value": round(times, 3), "unit": "ratio", "ratio_to": CHOSEN}


async def cancelled(client: str, base_url: str, count: int, rng: random.Random) -> Left:
    """Cancel so many calls of a client, each some time after it began, and see what it can do then."""
    url, process = f"{base_url}/chat/completions", psutil.Process()
    open_before = process.num_fds()

    async def leave(post: Post, calls: int) -> int:
        left = 0
        for _ in range(MOST_TRIES * calls):
            left += await end_of(post, url, rng.uniform(0.0, MOST_PATIENCE_S)) is TimeoutError
            if left == calls:
                break
        return left

    async with CLIENTS[client](CONNECTIONS) as post:
        shares = [count // CONNECTIONS + (number < count % CONNECTIONS) for number in range(CONNECTIONS)]
        ended = await asyncio.gather(*(leave(post, share) for share in shares))
        afterwards = [await end_of(post, url, ANSWERED_S) for _ in range(AFTERWARDS)]
        kept = process.num_fds() - open_before
    return Left(sum(ended), afterwards.count(None), max(kept - CONNECTIONS, 0))


async def end_of(post: Post, url: str, patience_s: float) -> type[Exception] | None:
    """Call, and cancel the call after so long; return what it failed with, None for nothing."""
    try:
        answer = await asyncio.wait_for(post(url, BODY), patience_s)
    except Exception as error:  # noqa: BLE001 - whatever a client raises, it did not answer
        return type(error)
    return None if answer.status == 200 else RuntimeError


def cancellations(clients: Sequence[str], count: int) -> Iterator[dict[str, Any]]:
    """Let each client be cancelled."""
    with upstream() as provider:
        provider.obey(HALTING)
        for client in clients:
            left = asyncio.run(cancelled(client, provider.base_url, count, random.Random(7)))  # noqa: S311
            for name, value, unit in (
                ("cancelled", left.cancelled, "calls"),
                (f"succeeded_of_{AFTERWARDS}_afterwards", left.succeeded, "calls"),
                ("sockets_too_many", left.sockets, "descriptors"),
            ):
                yield {"name": f"relays.{client}.{name}", "value": value, "unit": unit}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.relays", description="Compare libraries of HTTP.")
    parser.add_argument("--data", type=Path, help="not used")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--cancelled", type=int, default=1000, help="calls that each client leaves")
    options = parser.parse_args(arguments)
    pin(os.getpid(), cores()[1])
    command = f"python -m benchmarks.relays --rounds {options.rounds} --seconds {options.seconds:g}"
    servers, clients = [*here([*SERVERS])], [*here([*CLIENTS])]
    found = [*rates(servers, clients, options.rounds, options.seconds), *cancellations(clients, options.cancelled)]
    print(json.dumps([{**figure, "command": command} for figure in found], indent=1))


if __name__ == "__main__":
    main()
