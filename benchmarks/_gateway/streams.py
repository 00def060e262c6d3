"""Many streams at once: what the gateway adds to each chunk, against streams from the provider itself beside them."""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks._gateway.http import Arrival, Connection, chat_request, nonce
from benchmarks._gateway.processes import gateway, upstream, write_gateway
from benchmarks._gateway.upstream import Order

STREAMS: Final = 100
REFERENCE: Final = 20
"""Streams from the provider itself, which meet the same disturbance at the same time."""
DIRECT: Final = "streams from the provider itself, in the same run"
GRACE_S: Final = 30.0


class Stream(NamedTuple):
    """What came of one stream: delays of its chunks in ms, and how many were lost, out of order, or not its own."""

    delays_ms: list[float]
    lost: int
    disordered: int
    foreign: int
    is_whole: bool


def read(arrivals: Iterable[Arrival], number: int, chunks: int) -> Stream:
    """Judge what arrived for request `number`, whose answer has so many chunks."""
    delays_ms, expected, disordered, foreign, is_whole, rest = [], 0, 0, 0, False, b""
    for arrival in arrivals:
        *events, rest = (rest + arrival.data).split(b"\n\n")
        for event in events:
            data = event.removeprefix(b"data: ")
            is_whole = data == b"[DONE]"
            content = b"" if is_whole else _content(data)
            if content:
                whose, sequence, stamp_ns = content.split()
                foreign += whose != nonce(number)
                disordered += int(sequence) != expected
                expected = int(sequence) + 1
                delays_ms.append((arrival.at_ns - int(stamp_ns)) / 1e6)
    return Stream(delays_ms, chunks - len(delays_ms), disordered, foreign, is_whole)


def _content(data: bytes) -> bytes:
    choices = json.loads(data).get("choices") or [{}]
    return str(choices[0].get("delta", {}).get("content") or "").encode()


async def listen(addresses: list[tuple[str, int]], order: Order) -> list[list[Stream]]:
    """Open so many streams at each address at once; return what came of each."""
    spread_s = 1 / order.rate_hz

    async def one(address: str, number: int, after_s: float) -> Stream:
        await asyncio.sleep(after_s)
        connection = await Connection.open(address)
        limit_s = order.chunks / order.rate_hz + GRACE_S
        await asyncio.wait_for(connection.ask(chat_request(address, number, stream=True)), limit_s)
        await connection.leave()
        return read(connection.arrivals, number, order.chunks)

    tasks = [
        [one(address, first * 1000 + n, spread_s * n / count) for n in range(count)]
        for first, (address, count) in enumerate(addresses, start=1)
    ]
    return [await group for group in [asyncio.gather(*each) for each in tasks]]


def figures(seconds: float, rate_hz: float = 20.0) -> Iterator[dict[str, Any]]:
    """Stream for so long, through the gateway and beside it."""
    order = Order(chunks=int(seconds * rate_hz), rate_hz=rate_hz)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        provider = stack.enter_context(upstream())
        target = stack.enter_context(gateway(write_gateway(Path(folder), {"mock": provider.base_url})))
        provider.obey(order)
        before_s, begun_s = target.cpu_s(), time.monotonic()
        through, direct = asyncio.run(listen([(target.address, STREAMS), (provider.address, REFERENCE)], order))
        load = (target.cpu_s() - before_s) / (time.monotonic() - begun_s)
    delays = {
        name: sorted(delay for one in group for delay in one.delays_ms)
        for name, group in (("gateway", through), ("direct", direct))
    }
    for name, value in (
        ("chunks", sum(len(one.delays_ms) for one in through)),
        ("lost", sum(one.lost for one in through)),
        ("disordered", sum(one.disordered + one.foreign for one in through)),
    ):
        yield {"name": f"streams.{name}", "value": value, "unit": "chunks"}
    yield {"name": "streams.unfinished", "value": sum(not one.is_whole for one in through), "unit": "streams"}
    yield {"name": "streams.load", "value": round(load, 3), "unit": "cores"}
    for share, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99")):
        own, bare = (_at(delays[which], share) for which in ("gateway", "direct"))
        yield {"name": f"streams.{name}", "value": round(own, 3), "unit": "ms"}
        yield {"name": f"streams.direct.{name}", "value": round(bare, 3), "unit": "ms"}
        yield {"name": f"streams.added_{name}", "value": round(own - bare, 3), "unit": "ms", "ratio_to": DIRECT}


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
