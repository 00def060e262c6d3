"""A client process: `python -m benchmarks._load` reads one order per line, carries it out, prints what it did.

An order is JSON: address, method (Route, Feedback, FeedbackBatch), calls at once, seconds, and how many Feedback
calls wait meanwhile. Decision ids are signed here, with the key that the measured server was given, so that
making them costs it nothing; their nonces begin with the time, as those of the server do.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from bandit.signals import Kind
from benchmarks._processes import MODELS
from routeward.v1 import routing_service_pb2 as pb
from server.nonces import Nonces
from server.settings import TokenKey
from server.tokens import DecisionToken, TokenKeys

SIGNING_KEY = TokenKey("bench", b"benchmarks sign their own tokens")
BATCH_ITEMS = 500
UNANSWERED_S = 5.0

ROUTE = pb.RouteRequest(category="summarization", request_id="0d9b4f6e", input_tokens=1200)
ROUTE_RESPONSE = pb.RouteResponse(
    decision_id="x" * 124,
    model="model-0",
    fallbacks=[pb.Fallback(model=f"model-{index}", decision_id="y" * 140) for index in range(1, 4)],
    propensity=0.31,
    kind=pb.DECISION_KIND_SAMPLED,
    forecast=pb.Forecast(
        quality=0.8,
        cost_usd=0.001,
        latency=Duration(nanos=800_000_000),
        latency_p95=Duration(seconds=2, nanos=100_000_000),
        error_rate=0.01,
    ),
    revision=1234,
)
FEEDBACK_RESPONSE = pb.FeedbackResponse(
    results=[
        pb.SignalResult(signal="outcome", status=pb.SIGNAL_STATUS_APPLIED),
        pb.SignalResult(signal="thumb", status=pb.SIGNAL_STATUS_APPLIED),
    ],
    revision=1234,
)


def now_us() -> int:
    return time.time_ns() // 1000


def reports(keys: TokenKeys) -> Iterator[pb.FeedbackRequest]:
    """Endless feedback, each about a decision of its own."""
    number, nonce = 0, Nonces(now_us)
    while True:
        number += 1
        token = DecisionToken(
            namespace="default",
            category="summarization",
            model=MODELS[number % len(MODELS)],
            kind=Kind.SAMPLED,
            propensity=0.1,
            decided_us=now_us(),
            nonce=nonce(),
            input_tokens=1200,
        )
        outcome = pb.Outcome(
            status=pb.STATUS_OK, latency=Duration(nanos=812_000_000), input_tokens=1187, output_tokens=200 + number % 90
        )
        thumb = pb.THUMB_UP if number % 3 else pb.THUMB_DOWN
        signals = [pb.Signal(outcome=outcome), pb.Signal(thumb=thumb)]
        yield pb.FeedbackRequest(decision_id=keys.sign(token), signals=signals)


def requests(method: str, keys: TokenKeys) -> Iterator[Any]:
    """Endless requests of a method."""
    told = reports(keys)
    while True:
        if method == "Route":
            yield ROUTE
        elif method == "Feedback":
            yield next(told)
        else:
            yield pb.FeedbackBatchRequest(items=islice(told, BATCH_ITEMS))


async def carry_out(order: dict[str, Any], keys: TokenKeys) -> dict[str, Any]:
    """Call for some seconds; return the number of calls and their latencies."""
    latencies: list[float] = []
    method = order["method"]
    async with grpc.aio.insecure_channel(order["address"]) as channel:
        call, told = caller(channel, method), caller(channel, "Feedback")
        source, feedback = requests(method, keys), reports(keys)
        waiting = [told(next(feedback)) for _ in range(order["waiting"])]
        end = time.perf_counter() + order["seconds"]

        async def client() -> None:
            while (started := time.perf_counter()) < end:
                try:
                    await call(next(source), timeout=UNANSWERED_S)
                except grpc.aio.AioRpcError as error:
                    if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                        raise
                else:
                    latencies.append(time.perf_counter() - started)

        started = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(order["at_once"])))
        elapsed = time.perf_counter() - started
        for one in waiting:
            one.cancel()
    latencies = sorted(latencies) or [UNANSWERED_S]
    return {
        "calls": len(latencies),
        "seconds": elapsed,
        "p50_ms": 1e3 * latencies[len(latencies) // 2],
        "p99_ms": 1e3 * latencies[len(latencies) * 99 // 100],
    }


def caller(channel: grpc.aio.Channel, method: str) -> Any:
    """Return what calls a method and leaves the answer as bytes."""
    return channel.unary_unary(f"/routeward.v1.RoutingService/{method}", request_serializer=serialised)


def serialised(message: Message) -> bytes:
    return message.SerializeToString()


async def main() -> None:
    keys = TokenKeys([SIGNING_KEY])
    for line in sys.stdin:
        print(json.dumps(await carry_out(json.loads(line), keys)), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
