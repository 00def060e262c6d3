"""Restart the service again and again under load, as an upgrade does; count calls that fail and signals that are lost.

    python -m benchmarks.rolling [--calls 25000] [--restarts 10]

Two ways of being many: two replicas, which are restarted one after the other, and one service with two workers, which
replaces them when it is told to (SIGHUP). Clients of the official SDK know both addresses, or the one. What they
retry by themselves is no failure. In the end the store must hold every acknowledged signal, have counted each once,
and its sums must equal the fold of its log.
"""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from adapters.sql.postgres.reach import Reach
from adapters.sql.postgres.store import PostgresStore
from benchmarks._accounts import Account, account
from benchmarks._postgres import PostgresServer
from benchmarks._processes import ServiceProcess, write_configuration
from routeward import AsyncClient, Outcome, RoutewardError, Status, thumbs_up
from server.token_keys import parse_keys
from server.tokens import TokenKeys

CLIENTS: Final = 4
CALLERS: Final = 4
"""Of each client, at once."""

KEY: Final = "rolling:" + "5e" * 32
WORKERS: Final = 2
BUCKET_US: Final = 10_000_000

Restart = Callable[[int], Awaitable[None]]


@dataclass
class Traffic:
    """What callers made and were told."""

    ends_after: int
    calls: int = 0
    failures: list[str] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    restarts_s: list[float] = field(default_factory=list)
    is_restarted: bool = False
    called: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def has_ended(self) -> bool:
        """Whether every restart was made, and every call."""
        return self.is_restarted and self.calls >= self.ends_after

    async def count(self) -> None:
        """Count a call that begins."""
        self.calls += 1
        async with self.called:
            self.called.notify_all()

    async def reached(self, calls: int) -> None:
        """Wait until as many calls began."""
        async with self.called:
            await self.called.wait_for(lambda: self.calls >= calls)


async def caller(client: AsyncClient, number: int, traffic: Traffic) -> None:
    """Route and report until the end."""
    while not traffic.has_ended:
        try:
            await traffic.count()
            decision = await client.route(f"category-{number % 3}", input_tokens=1000)
            await traffic.count()
            await client.feedback(decision, Outcome(Status.OK, output_tokens=100 + number), thumbs_up())
        except RoutewardError as error:
            traffic.failures.append(f"{type(error).__name__}: {error}")
        else:
            traffic.acknowledged.append(decision.decision_id)


async def restarted(restart: Restart, restarts: int, traffic: Traffic) -> None:
    """Restart as often, evenly over the calls."""
    for number in range(restarts):
        await traffic.reached(traffic.ends_after * number // restarts)
        began = time.perf_counter()
        await restart(number)
        traffic.restarts_s.append(time.perf_counter() - began)
    traffic.is_restarted = True


async def under_load(target: str, restart: Restart, calls: int, restarts: int) -> Traffic:
    """Call `target` while it restarts."""
    traffic = Traffic(calls)
    async with AsyncExitStack() as stack:
        # Channels with equal settings would share their connections.
        timeouts = [5.0 + number / 100 for number in range(CLIENTS)]
        clients = [await stack.enter_async_context(AsyncClient(target, feedback_timeout=one)) for one in timeouts]
        async with asyncio.TaskGroup() as tasks:
            for number in range(CLIENTS * CALLERS):
                tasks.create_task(caller(clients[number % CLIENTS], number, traffic))
            tasks.create_task(restarted(restart, restarts, traffic))
    return traffic


@asynccontextmanager
async def replicas(folder: Path, environment: dict[str, str]) -> AsyncIterator[tuple[str, Restart]]:
    """Yield the target of two replicas, and what restarts them one after the other."""
    services, configurations = [], []
    for number in range(2):
        own = folder / f"replica-{number}"
        own.mkdir()
        service = await asyncio.to_thread(ServiceProcess, write_configuration(own, drain_seconds=0.5), environment)
        services.append(service)
        configurations.append(write_configuration(own, listen=service.address, drain_seconds=0.5))

    async def restart(_number: int) -> None:
        for number, configuration in enumerate(configurations):
            await asyncio.to_thread(services[number].stop)
            services[number] = await asyncio.to_thread(ServiceProcess, configuration, environment)

    try:
        yield "ipv4:" + ",".join(service.address for service in services), restart
    finally:
        for service in services:
            await asyncio.to_thread(service.stop)


@asynccontextmanager
async def workers(folder: Path, environment: dict[str, str]) -> AsyncIterator[tuple[str, Restart]]:
    """Yield the target of one service with several workers, and what has them replaced."""
    configuration = write_configuration(folder, drain_seconds=0.5)
    text = configuration.read_text(encoding="utf-8")
    configuration.write_text(text.replace("[server]", f"[server]\nworkers = {WORKERS}"), encoding="utf-8")
    service = await asyncio.to_thread(ServiceProcess, configuration, environment)

    async def restart(number: int) -> None:
        service.process.send_signal(signal.SIGHUP)
        await asyncio.to_thread(service.await_event, "restarted_workers", number + 1)

    try:
        yield service.address, restart
    finally:
        await asyncio.to_thread(service.stop)


SCENARIOS: Final = {"replicas": replicas, "workers": workers}


@dataclass(frozen=True)
class Verdict:
    """What was found in the end."""

    calls: int
    failures: tuple[str, ...]
    account: Account
    restarts_s: tuple[float, ...]


async def run(scenario: str, url: str, folder: Path, *, calls: int, restarts: int) -> Verdict:
    """Restart under load, over the empty database at `url`, and judge."""
    environment = {"ROUTEWARD_POSTGRES": url, "ROUTEWARD_TOKEN_KEYS": KEY}
    async with SCENARIOS[scenario](folder, environment) as (target, restart):
        traffic = await under_load(target, restart, calls, restarts)
    store = await PostgresStore.attach(Reach(url))
    try:
        found = await account(store, TokenKeys(parse_keys([KEY], "the benchmark")), traffic.acknowledged)
    finally:
        await store.close()
    return Verdict(traffic.calls, tuple(traffic.failures), found, tuple(traffic.restarts_s))


def figures(scenario: str, verdict: Verdict, command: str) -> list[dict[str, Any]]:
    """Return what is published."""
    values = (
        ("restarts", len(verdict.restarts_s), "restarts"),
        ("calls", verdict.calls, "calls"),
        ("failed", len(verdict.failures), "calls"),
        ("acknowledged", verdict.account.acknowledged, "signals"),
        ("lost", verdict.account.lost, "signals"),
        ("counted_twice", verdict.account.counted_twice, "signals"),
        ("sums_differing", verdict.account.sums_differing, "rows"),
        ("restart.median", round(median(verdict.restarts_s), 3), "s"),
    )
    return [
        {"name": f"rolling.{scenario}.{name}", "value": value, "unit": unit, "command": command}
        for name, value, unit in values
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Restart the service under load.")
    parser.add_argument("--data", type=Path, help="not used")
    parser.add_argument("--calls", type=int, default=25_000, help="of each scenario, at least; default: %(default)s")
    parser.add_argument("--restarts", type=int, default=10, help="of each scenario; default: %(default)s")
    options = parser.parse_args()
    command = f"python -m benchmarks.rolling --calls {options.calls} --restarts {options.restarts}"
    found = []
    server = PostgresServer.start()
    try:
        for scenario in SCENARIOS:
            url = server.url(server.create_database())
            with tempfile.TemporaryDirectory() as folder:
                work = run(scenario, url, Path(folder), calls=options.calls, restarts=options.restarts)
                verdict = asyncio.run(work)
            for failure in sorted(set(verdict.failures)):
                print(failure, file=sys.stderr)
            found += figures(scenario, verdict, command)
    finally:
        server.stop()
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
