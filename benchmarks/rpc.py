"""What a call costs the server, over grpc, against servers that only answer.

    python -m benchmarks.rpc [--rounds 5] [--seconds 0.8]

Costs are processor time of the server process (user + system) per call, with two client processes, eight calls at
once each; every figure is the median over rounds in which all servers are measured one after the other. What the
service costs over an echo is the median of differences to the echo measured right before and after it, also with 32
calls at once each: what a commit costs is shared by those who wait for it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import psutil

from benchmarks._load import BATCH_ITEMS, SIGNING_KEY
from benchmarks._processes import ServiceProcess, write_configuration

CLIENTS = 2
AT_ONCE = 8
MANY_AT_ONCE = 32
SIGNALS_PER_REPORT = 2
WAITING = 64


Clients = list[subprocess.Popen[str]]


class Server(NamedTuple):
    """A server that runs."""

    address: str
    process: psutil.Process

    def cpu_s(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


class Measured(NamedTuple):
    """What one server did for one method in one round."""

    cpu_us: float
    calls_per_s: float
    p50_ms: float
    p99_ms: float


@contextmanager
def running(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-m", *command], text=True, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def load() -> AbstractContextManager[subprocess.Popen[str]]:
    return running(["benchmarks._load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@contextmanager
def echo(kind: str, *options: str) -> Iterator[Server]:
    with running(["benchmarks._echo", kind, *options], stdout=subprocess.PIPE) as process:
        assert process.stdout
        yield Server(f"127.0.0.1:{int(process.stdout.readline())}", psutil.Process(process.pid))


@contextmanager
def routeward() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        environment = {"ROUTEWARD_TOKEN_KEYS": f"{SIGNING_KEY.id}:{SIGNING_KEY.secret.hex()}"}
        with ServiceProcess(write_configuration(Path(folder)), environment) as service:
            yield Server(service.address, psutil.Process(service.process.pid))


def measure(
    server: Server, clients: Clients, method: str, seconds: float, *, at_once: int = AT_ONCE, waiting: int = 0
) -> Measured:
    """Let all clients call one method of one server, while so many Feedback calls wait for an answer."""
    order = {
        "address": server.address,
        "method": method,
        "at_once": 1 if method == "FeedbackBatch" else at_once,
        "seconds": seconds,
        "waiting": waiting // len(clients),
    }
    before = server.cpu_s()
    for client in clients:
        assert client.stdin
        client.stdin.write(json.dumps(order) + "\n")
        client.stdin.flush()
    results = [json.loads(client.stdout.readline()) for client in clients if client.stdout]
    calls = sum(result["calls"] for result in results)
    return Measured(
        cpu_us=(server.cpu_s() - before) / calls * 1e6,
        calls_per_s=sum(result["calls"] / result["seconds"] for result in results),
        p50_ms=max(result["p50_ms"] for result in results),
        p99_ms=max(result["p99_ms"] for result in results),
    )


def rounds(count: int, seconds: float) -> dict[tuple[str, str], Measured]:
    """Measure every server `count` times; return the medians."""
    found: dict[tuple[str, str], list[Measured]] = defaultdict(list)
    with ExitStack() as stack:
        servers = {
            "aio": (stack.enter_context(echo("aio")), ("Route", "Feedback")),
            "sync": (stack.enter_context(echo("sync")), ("Route", "Feedback")),
            "aio-held": (stack.enter_context(echo("aio", "held")), ("Feedback",)),
            "sync-held": (stack.enter_context(echo("sync", "held")), ("Feedback",)),
            "routeward": (stack.enter_context(routeward()), ("Route", "Feedback", "FeedbackBatch")),
        }
        clients = [stack.enter_context(load()) for _ in range(CLIENTS)]
        for number in range(count + 1):
            for name, (server, methods) in servers.items():
                for method in methods:
                    measured = measure(server, clients, method, seconds)
                    if number:  # The first round warms up.
                        found[name, method].append(measured)
    return {key: Measured(*map(median, zip(*values, strict=True))) for key, values in found.items()}


def over_echo(count: int, seconds: float) -> dict[tuple[str, int], tuple[float, float]]:
    """Return what a call costs more than an echo, and how many times an echo, by method and calls at once."""
    found: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    with ExitStack() as stack:
        plain, service = stack.enter_context(echo("aio")), stack.enter_context(routeward())
        clients = [stack.enter_context(load()) for _ in range(CLIENTS)]
        for number in range(count + 1):
            for method in ("Route", "Feedback"):
                for at_once in (AT_ONCE, MANY_AT_ONCE):
                    before, own, after = (
                        measure(server, clients, method, seconds, at_once=at_once).cpu_us
                        for server in (plain, service, plain)
                    )
                    if number:  # The first round warms up.
                        found[method, at_once].append((own - (before + after) / 2, 2 * own / (before + after)))
    return {
        key: (median(more for more, _ in pairs), median(times for _, times in pairs)) for key, pairs in found.items()
    }


def stalled(seconds: float) -> dict[tuple[str, str], Measured]:
    """Measure whether Route is answered while no commit ends."""
    with ExitStack() as stack:
        clients = [stack.enter_context(load()) for _ in range(CLIENTS)]
        return {
            (f"{kind}-stalled", "Route"): measure(
                stack.enter_context(echo(kind, "stalled")), clients, "Route", seconds, waiting=WAITING
            )
            for kind in ("aio", "sync")
        }


def figures(
    found: dict[tuple[str, str], Measured], extra: dict[tuple[str, int], tuple[float, float]], command: str
) -> Iterator[dict[str, Any]]:
    """Return what is published."""

    def figure(name: str, value: float, unit: str, **more: str) -> dict[str, Any]:
        return {"name": name, "value": round(value, 2), "unit": unit, **more, "command": command}

    for (server, method), measured in found.items():
        yield figure(f"rpc.{server}.{method}.cpu", measured.cpu_us, "us/call")
        yield figure(f"rpc.{server}.{method}.rate", measured.calls_per_s, "calls/s")
        yield figure(f"rpc.{server}.{method}.p50", measured.p50_ms, "ms")
        yield figure(f"rpc.{server}.{method}.p99", measured.p99_ms, "ms")
    for (method, at_once), (more_us, times) in extra.items():
        name = f"rpc.{method}.{CLIENTS * at_once}_at_once"
        yield figure(f"{name}.cpu_over_echo", more_us, "us/call", ratio_to="grpc.aio echo (difference)")
        yield figure(f"{name}.cpu_to_echo", times, "ratio", ratio_to="grpc.aio echo")
    signals = found["routeward", "FeedbackBatch"].calls_per_s * BATCH_ITEMS * SIGNALS_PER_REPORT
    yield figure("rpc.FeedbackBatch.signals", signals, "signals/s")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure calls over grpc.")
    parser.add_argument("--data", type=Path, help="not used")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.8)
    options = parser.parse_args()
    command = f"python -m benchmarks.rpc --rounds {options.rounds} --seconds {options.seconds}"
    found = rounds(options.rounds, options.seconds) | stalled(options.seconds)
    extra = over_echo(2 * options.rounds, options.seconds / 2)
    print(json.dumps(list(figures(found, extra, command)), indent=1))


if __name__ == "__main__":
    main()
