"""What a service costs that nobody calls: the time of its starts, and its resident memory; medians of several services.

    python -m benchmarks.idle [--rounds 5] [--calls 2000] [--settle 3]

Each service starts on an empty folder, rests, answers that many Route and Feedback calls, rests, and starts again.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import grpc
import psutil

from benchmarks._processes import ServiceProcess, write_configuration
from routeward.v1 import routing_service_pb2 as pb
from routeward.v1.routing_service_pb2_grpc import RoutingServiceStub

CLIENTS = 16
CATEGORIES = 4
CALL_S = 20.0
MB = 1e6


class Measured(NamedTuple):
    """What was measured of one service."""

    first_start_s: float
    later_start_s: float
    rss_after_start_mb: float
    rss_after_calls_mb: float


async def call(address: str, calls: int) -> None:
    """Route and report that many times, from several clients at once."""
    numbers = iter(range(calls))

    async def client() -> None:
        async with grpc.aio.insecure_channel(address) as channel:
            stub: Any = RoutingServiceStub(channel)
            for number in numbers:
                request = pb.RouteRequest(category=f"category-{number % CATEGORIES}", input_tokens=1000)
                decision = await stub.Route(request, timeout=CALL_S)
                report = pb.FeedbackRequest(decision_id=decision.decision_id)
                report.signals.add(outcome=pb.Outcome(status=pb.STATUS_OK, output_tokens=100))
                report.signals.add(thumb=pb.THUMB_UP if number % 2 else pb.THUMB_DOWN)
                await stub.Feedback(report, timeout=CALL_S)

    await asyncio.gather(*(client() for _ in range(CLIENTS)))


def resident_mb(service: ServiceProcess, settle_s: float) -> float:
    """Return the resident memory of a service once it has rested."""
    time.sleep(settle_s)
    return float(psutil.Process(service.process.pid).memory_info().rss) / MB


def measured(folder: Path, calls: int, settle_s: float) -> Measured:
    """Measure one service, whose store lies in an empty folder."""
    configuration = write_configuration(folder)
    with ServiceProcess(configuration) as first:
        after_start_mb = resident_mb(first, settle_s)
        asyncio.run(call(first.address, calls))
        after_calls_mb = resident_mb(first, settle_s)
        first.stop()
    with ServiceProcess(configuration) as later:
        later.stop()
    return Measured(first.ready_s, later.ready_s, after_start_mb, after_calls_mb)


def rounds(count: int, calls: int, settle_s: float) -> Measured:
    """Measure that many services; return the medians."""
    found = []
    for _ in range(count):
        with tempfile.TemporaryDirectory() as folder:
            found.append(measured(Path(folder), calls, settle_s))
    return Measured(*map(median, zip(*found, strict=True)))


def figures(found: Measured, calls: int, command: str) -> Iterator[dict[str, Any]]:
    """Return what is published."""
    for name, value, unit in (
        ("first_start_to_ready", round(found.first_start_s, 3), "s"),
        ("later_start_to_ready", round(found.later_start_s, 3), "s"),
        ("rss_after_start", round(found.rss_after_start_mb, 1), "MB"),
        (f"rss_after_{calls}_calls", round(found.rss_after_calls_mb, 1), "MB"),
    ):
        yield {"name": f"idle.{name}", "value": value, "unit": unit, "command": command}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Measure a service that nobody calls.")
    parser.add_argument("--data", type=Path, help="not used")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=2000, help="Route and Feedback calls, each")
    parser.add_argument("--settle", type=float, default=3.0, help="seconds of rest before memory is read")
    options = parser.parse_args(arguments)
    command = f"python -m benchmarks.idle --rounds {options.rounds} --calls {options.calls} --settle {options.settle:g}"
    found = rounds(options.rounds, options.calls, options.settle)
    print(json.dumps(list(figures(found, options.calls, command)), indent=1))


if __name__ == "__main__":
    main()
