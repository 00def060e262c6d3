"""Kill the service with SIGKILL under load, again and again; count what was acknowledged and what was kept.

    python -m benchmarks.kill9 [--cycles 25] [--seconds 0.5]

Clients route, then report until somebody acknowledges. In the end the store must hold every acknowledged signal,
must have counted each signal once, and its sums must equal the fold of its log.
"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import grpc

from adapters.sql.sqlite import SqliteStore
from benchmarks._accounts import Account, account
from benchmarks._processes import ServiceProcess, write_configuration
from routeward.v1 import routing_service_pb2 as pb
from server.token_keys import read_keys
from server.tokens import TokenKeys

CLIENTS = 16
CALL_S = 5.0
PAUSE_S = 0.02
BUCKET_US = 10_000_000
PASSING = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
RECONNECT_SOON = [("grpc.initial_reconnect_backoff_ms", 20), ("grpc.max_reconnect_backoff_ms", 100)]


@dataclass
class Traffic:
    """What clients were told: acknowledged decision ids, and acknowledgements that named a duplicate."""

    acknowledged: list[str] = field(default_factory=list)
    duplicates: int = 0
    ended: bool = False


@dataclass(frozen=True)
class Verdict:
    """What was found in the end."""

    cycles: int
    account: Account
    duplicates_recognised: int
    restart_to_ready_s: tuple[float, ...]


async def call(channel: grpc.aio.Channel, method: str, message: Any) -> bytes:
    """Call until somebody answers."""
    rpc: Any = channel.unary_unary(f"/routeward.v1.RoutingService/{method}")
    while True:
        try:
            return bytes(await rpc(message.SerializeToString(), timeout=CALL_S))
        except grpc.aio.AioRpcError as error:
            if error.code() not in PASSING:
                raise
            await asyncio.sleep(PAUSE_S)


async def client(address: str, number: int, traffic: Traffic) -> None:
    """Route and report until the end."""
    async with grpc.aio.insecure_channel(address, options=RECONNECT_SOON) as channel:
        while not traffic.ended:
            request = pb.RouteRequest(category=f"category-{number % 3}", input_tokens=1000)
            decision = pb.RouteResponse.FromString(await call(channel, "Route", request))
            report = pb.FeedbackRequest(decision_id=decision.decision_id)
            report.signals.add(outcome=pb.Outcome(status=pb.STATUS_OK, output_tokens=100 + number))
            report.signals.add(thumb=pb.THUMB_UP if number % 2 else pb.THUMB_DOWN)
            for signal in report.signals:
                signal.observed_time.GetCurrentTime()
            told = pb.FeedbackResponse.FromString(await call(channel, "Feedback", report))
            traffic.acknowledged.append(decision.decision_id)
            traffic.duplicates += sum(one.status == pb.SIGNAL_STATUS_DUPLICATE for one in told.results)


async def killed(folder: Path, cycles: int, seconds: float) -> tuple[Traffic, list[float]]:
    """Run traffic through that many lives of the service; return what clients were told, and the times to ready."""
    traffic, ready_s = Traffic(), []
    service = await asyncio.to_thread(ServiceProcess, write_configuration(folder))
    configuration = write_configuration(folder, listen=service.address)
    clients = [asyncio.create_task(client(service.address, number, traffic)) for number in range(CLIENTS)]
    for cycle in range(cycles):
        await asyncio.sleep(seconds)
        service.kill()
        if cycle == cycles - 1:
            traffic.ended = True
        service = await asyncio.to_thread(ServiceProcess, configuration)
        ready_s.append(service.ready_s)
    await asyncio.gather(*clients)
    service.kill()
    return traffic, ready_s


async def judged(folder: Path, traffic: Traffic, ready_s: Sequence[float]) -> Verdict:
    """Compare what clients were told with what the store holds."""
    keys = TokenKeys(read_keys(folder / "routeward.keys"))
    store = await SqliteStore.open(folder / "routeward.db", bucket_us=BUCKET_US)
    try:
        found = await account(store, keys, traffic.acknowledged)
    finally:
        await store.close()
    return Verdict(len(ready_s), found, traffic.duplicates, tuple(ready_s))


async def run(folder: Path, cycles: int, seconds: float) -> Verdict:
    """Kill, and judge."""
    traffic, ready_s = await killed(folder, cycles, seconds)
    return await judged(folder, traffic, ready_s)


def figures(verdict: Verdict, command: str) -> list[dict[str, Any]]:
    """Return what is published."""
    values = (
        ("acknowledged", verdict.account.acknowledged, "signals"),
        ("duplicates_recognised", verdict.duplicates_recognised, "signals"),
        ("lost", verdict.account.lost, "signals"),
        ("counted_twice", verdict.account.counted_twice, "signals"),
        ("sums_differing", verdict.account.sums_differing, "rows"),
        ("restart_to_ready.median", round(median(verdict.restart_to_ready_s), 3), "s"),
        ("restart_to_ready.max", round(max(verdict.restart_to_ready_s), 3), "s"),
    )
    return [{"name": f"kill9.{name}", "value": value, "unit": unit, "command": command} for name, value, unit in values]


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill the service under load.")
    parser.add_argument("--data", type=Path, help="not used")
    parser.add_argument("--cycles", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=0.5, help="life of a server after it is ready")
    options = parser.parse_args()
    command = f"python -m benchmarks.kill9 --cycles {options.cycles} --seconds {options.seconds}"
    with tempfile.TemporaryDirectory() as folder:
        verdict = asyncio.run(run(Path(folder), options.cycles, options.seconds))
    print(json.dumps(figures(verdict, command), indent=1))


if __name__ == "__main__":
    main()
