"""How many signals the service takes by FeedbackBatch, durably: from client processes over gRPC into the store.

    python -m benchmarks.feedback [--rounds 3] [--batches 24]

Batches hold as many reports as the contract allows, each an outcome and a thumb of a decision of its own; every client
process has several connections, with one batch under way on each. Requests are made and signed before the clock starts,
so that making them costs the server nothing. PostgreSQL runs on this machine too, with every sync. The processor time
is that of the service alone. Figures are medians over rounds in which each arrangement is measured after the other.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import grpc
import psutil

from benchmarks._load import SIGNING_KEY, reports
from benchmarks._pipes import heard, told
from benchmarks._postgres import PostgresServer
from benchmarks._processes import ServiceProcess, write_configuration
from routeward.v1 import routing_service_pb2 as pb
from server.tokens import TokenKeys

ITEMS: Final = 1000
SIGNALS: Final = 2 * ITEMS
CONNECTIONS: Final = 4
CLIENTS: Final = 2
CALL_S: Final = 30.0
METHOD: Final = "/routeward.v1.RoutingService/FeedbackBatch"
ARRANGEMENTS: Final = ("sqlite", "postgres", "postgres, 2 workers")


class Measured(NamedTuple):
    """What a service did."""

    signals_per_s: float
    cpu_us: float


async def sent(address: str, batches: int) -> None:
    """Get ready, say so, wait for the word, send, and say when it was done."""
    source = reports(TokenKeys([SIGNING_KEY]))
    waiting = [pb.FeedbackBatchRequest(items=islice(source, ITEMS)).SerializeToString() for _ in range(batches)]

    async def connection(number: int) -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(address, options=options) as channel:
            rpc: Any = channel.unary_unary(METHOD)
            ready.release()
            await start.wait()
            for batch in waiting[number::CONNECTIONS]:
                answer = pb.FeedbackBatchResponse.FromString(await rpc(batch, timeout=CALL_S))
                applied = sum(len(one.response.results) for one in answer.results)
                if applied != SIGNALS:
                    raise RuntimeError(f"{applied} of {SIGNALS} signals were stored")

    ready, start = asyncio.Semaphore(0), asyncio.Event()
    async with asyncio.TaskGroup() as connections:
        for number in range(CONNECTIONS):
            connections.create_task(connection(number))
            await ready.acquire()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        start.set()
    print(time.monotonic(), flush=True)


@contextmanager
def service(arrangement: str, url: str) -> Iterator[ServiceProcess]:
    """Run the service over a store of its own."""
    environment: Mapping[str, str] = {"ROUTEWARD_TOKEN_KEYS": f"{SIGNING_KEY.id}:{SIGNING_KEY.secret.hex()}"}
    if url:
        environment = {**environment, "ROUTEWARD_POSTGRES": url}
    with tempfile.TemporaryDirectory() as folder:
        configuration = write_configuration(Path(folder))
        if arrangement.endswith("workers"):
            text = configuration.read_text(encoding="utf-8")
            configuration.write_text(text.replace("[server]", "[server]\nworkers = 2"), encoding="utf-8")
        with ServiceProcess(configuration, environment) as running:
            yield running


def processor_s(process: psutil.Process) -> float:
    """Return the processor time of a process and its children."""
    times = [one.cpu_times() for one in (process, *process.children())]
    return float(sum(one.user + one.system for one in times))


def measured(arrangement: str, database: PostgresServer, batches: int) -> Measured:
    """Send so many batches to a new service."""
    name = database.create_database() if arrangement != "sqlite" else ""
    try:
        with service(arrangement, database.url(name) if name else "") as running, ExitStack() as stack:
            return rate(
                running, [stack.enter_context(client(running.address, batches)) for _ in range(CLIENTS)], batches
            )
    finally:
        if name:
            database.drop_database(name)


def rate(running: ServiceProcess, clients: "list[subprocess.Popen[str]]", batches: int) -> Measured:
    process = psutil.Process(running.process.pid)
    for one in clients:
        heard(one)
    before, began = processor_s(process), time.monotonic()
    for one in clients:
        told(one)
    ended = max(float(heard(one)) for one in clients)
    count = batches * len(clients) * SIGNALS
    return Measured(count / (ended - began), (processor_s(process) - before) / count * 1e6)


def client(address: str, batches: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks.feedback", "--send", address, "--batches", str(batches)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def figures(rounds: int, batches: int, command: str) -> list[dict[str, Any]]:
    """Measure every arrangement as often; return the medians."""
    found: dict[str, list[Measured]] = defaultdict(list)
    database = PostgresServer.start(max_wal_size="4GB")
    try:
        for _ in range(rounds):
            for arrangement in ARRANGEMENTS:
                found[arrangement].append(measured(arrangement, database, batches))
    finally:
        database.stop()
    return [
        {"name": f"{name}, {arrangement}", "value": round(value, 1), "unit": unit, "command": command}
        for arrangement, values in found.items()
        for name, unit, value in (
            ("signals by FeedbackBatch", "signals/s", median(one.signals_per_s for one in values)),
            ("processor time of a signal by FeedbackBatch", "us", median(one.cpu_us for one in values)),
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Send feedback in batches.")
    parser.add_argument("--data", help="not used")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=24, help="of each client process")
    parser.add_argument("--send", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.send:
        asyncio.run(sent(options.send, options.batches))
        return
    command = f"python -m benchmarks.feedback --rounds {options.rounds} --batches {options.batches}"
    print(json.dumps(figures(options.rounds, options.batches, command), indent=1))


if __name__ == "__main__":
    main()
