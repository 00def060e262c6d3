"""Kill the service with SIGKILL under load, again and again; count what was acknowledged and what was kept.

    python -m benchmarks.kill9 [--cycles 25] [--seconds 0.5] [--store sqlite|postgres] [--replicas 2]
                               [--database 5] [--spool]

Clients route, then report until somebody acknowledges. In the end the store must hold every acknowledged signal,
must have counted each signal once, and its sums must equal the fold of its log. Over PostgreSQL there may be several
replicas, which are killed in turn, and which clients change between when one does not answer; the database may be
killed as well, every few cycles, as if the power had failed. With a spool, what is acknowledged may still wait in it:
then services live on until their spools are drained, and are killed after that.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.request import urlopen

import grpc

from adapters.sql.postgres.reach import Reach
from adapters.sql.postgres.store import PostgresStore
from adapters.sql.sqlite import SqliteStore
from adapters.sql.store import SqlStore
from benchmarks._accounts import Account, account
from benchmarks._postgres import PostgresServer
from benchmarks._processes import Begin, ServiceProcess, executed, write_configuration
from routeward.v1 import routing_service_pb2 as pb
from server.token_keys import parse_keys
from server.tokens import TokenKeys

CLIENTS: Final = 16
CALL_S: Final = 5.0
PAUSE_S: Final = 0.02
BUCKET_US: Final = 10_000_000
DRAIN_S: Final = 60.0
PASSING: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
RECONNECT_SOON: Final = [("grpc.initial_reconnect_backoff_ms", 20), ("grpc.max_reconnect_backoff_ms", 100)]
KEY: Final = "kill9:" + "9e" * 32
SPOOL: Final = '\n[spool]\npath = "spool.db"\n'


@dataclass(frozen=True)
class Plan:
    """What is killed how often; the database every so many cycles, 0 for never."""

    cycles: int
    seconds: float = 0.5
    replicas: int = 1
    database_every: int = 0
    spools: bool = False


@dataclass
class Traffic:
    """What clients were told: acknowledged decision ids, and acknowledgements that named a duplicate or the spool."""

    acknowledged: list[str] = field(default_factory=list)
    duplicates: int = 0
    spooled: int = 0
    ended: bool = False


@dataclass(frozen=True)
class Verdict:
    """What was found in the end."""

    cycles: int
    account: Account
    duplicates_recognised: int
    spooled: int
    restart_to_ready_s: tuple[float, ...]


class Fleet:
    """Replicas, each with a folder and an address of its own, that are killed in turn."""

    def __init__(self, folder: Path, plan: Plan, database_url: str, begin: Begin) -> None:
        self._begin = begin
        self._environment = {"ROUTEWARD_TOKEN_KEYS": KEY}
        if database_url:
            self._environment["ROUTEWARD_POSTGRES"] = database_url
        self._more = SPOOL if plan.spools else ""
        self.folders = [folder / f"replica-{number}" for number in range(plan.replicas)]
        self.services: list[ServiceProcess] = []
        self.ready_s: list[float] = []

    async def start(self) -> None:
        """Start every replica."""
        for folder in self.folders:
            folder.mkdir()
            self.services.append(await self._started(folder, "127.0.0.1:0"))

    async def restart(self, number: int) -> None:
        """Kill one replica and start it again."""
        address = self.services[number].address
        self.services[number].kill()
        self.services[number] = await self._started(self.folders[number], address)
        self.ready_s.append(self.services[number].ready_s)

    async def drained(self) -> None:
        """Wait until nothing is spooled any more. Raises TimeoutError."""
        for service in self.services:
            await asyncio.to_thread(await_drained, service)

    def kill(self) -> None:
        """Kill every replica that runs."""
        for service in self.services:
            if service.process.poll() is None:
                service.kill()

    async def _started(self, folder: Path, listen: str) -> ServiceProcess:
        configuration = write_configuration(folder, listen=listen, more=self._more)
        return await asyncio.to_thread(ServiceProcess, configuration, self._environment, self._begin)


def await_drained(service: ServiceProcess) -> None:
    """Wait until the spool of a service is empty. Raises TimeoutError."""
    end = time.monotonic() + DRAIN_S
    while spooled(service):
        if time.monotonic() > end:
            raise TimeoutError(f"a spool was not drained within {DRAIN_S:g} s")
        time.sleep(PAUSE_S)


def spooled(service: ServiceProcess) -> float:
    """Return how many signals wait in the spool of a service."""
    with urlopen(f"http://{service.metrics}/metrics", timeout=CALL_S) as answer:
        lines = answer.read().decode().splitlines()
    return float(next(line for line in lines if line.startswith("routeward_spool_records ")).split()[1])


async def call(channels: Sequence[grpc.aio.Channel], method: str, message: Any) -> bytes:
    """Call one after the other until somebody answers."""
    rpcs: list[Any] = [channel.unary_unary(f"/routeward.v1.RoutingService/{method}") for channel in channels]
    for attempt in count():
        try:
            return bytes(await rpcs[attempt % len(rpcs)](message.SerializeToString(), timeout=CALL_S))
        except grpc.aio.AioRpcError as error:
            if error.code() not in PASSING:
                raise
            await asyncio.sleep(PAUSE_S)
    raise AssertionError


async def client(addresses: Sequence[str], number: int, traffic: Traffic) -> None:
    """Route and report until the end."""
    channels = [grpc.aio.insecure_channel(address, options=RECONNECT_SOON) for address in addresses]
    channels = channels[number % len(channels) :] + channels[: number % len(channels)]
    try:
        while not traffic.ended:
            request = pb.RouteRequest(category=f"category-{number % 3}", input_tokens=1000)
            decision = pb.RouteResponse.FromString(await call(channels, "Route", request))
            report = pb.FeedbackRequest(decision_id=decision.decision_id)
            report.signals.add(outcome=pb.Outcome(status=pb.STATUS_OK, output_tokens=100 + number))
            report.signals.add(thumb=pb.THUMB_UP if number % 2 else pb.THUMB_DOWN)
            for signal in report.signals:
                signal.observed_time.GetCurrentTime()
            told = pb.FeedbackResponse.FromString(await call(channels, "Feedback", report))
            traffic.acknowledged.append(decision.decision_id)
            traffic.duplicates += sum(one.status == pb.SIGNAL_STATUS_DUPLICATE for one in told.results)
            traffic.spooled += sum(one.status == pb.SIGNAL_STATUS_SPOOLED for one in told.results)
    finally:
        for channel in channels:
            await channel.close()


async def killed(fleet: Fleet, plan: Plan, database: PostgresServer | None, traffic: Traffic) -> None:
    """Run traffic through that many lives of the services."""
    addresses = [service.address for service in fleet.services]
    async with asyncio.TaskGroup() as clients:
        for number in range(CLIENTS):
            clients.create_task(client(addresses, number, traffic))
        for cycle in range(plan.cycles):
            await asyncio.sleep(plan.seconds)
            if database and plan.database_every and (cycle + 1) % plan.database_every == 0:
                await asyncio.to_thread(database.halt, "immediate")
                # A service that lives through it has to see it, and the spool is used meanwhile.
                await asyncio.sleep(plan.seconds)
                await asyncio.to_thread(database.resume)
            await fleet.restart(cycle % plan.replicas)
        traffic.ended = True
    if plan.spools:
        await fleet.drained()


@asynccontextmanager
async def opened(fleet: Fleet, database_url: str) -> AsyncIterator[SqlStore]:
    """Open what the services have left."""
    if database_url:
        store: SqlStore = await PostgresStore.attach(Reach(database_url, statement_s=60.0))
    else:
        store = await SqliteStore.open(fleet.folders[0] / "routeward.db", bucket_us=BUCKET_US)
    try:
        yield store
    finally:
        await store.close()


async def run(folder: Path, plan: Plan, database: PostgresServer | None = None, begin: Begin = executed) -> Verdict:
    """Kill, and judge. With a `database` services use it, in a database of their own, and it may be killed."""
    url = database.url(database.create_database()) if database else ""
    traffic, fleet = Traffic(), Fleet(folder, plan, url, begin)
    try:
        await fleet.start()
        await killed(fleet, plan, database, traffic)
    finally:
        fleet.kill()
    async with opened(fleet, url) as store:
        found = await account(store, TokenKeys(parse_keys([KEY], "benchmark")), traffic.acknowledged)
    return Verdict(len(fleet.ready_s), found, traffic.duplicates, traffic.spooled, tuple(fleet.ready_s))


def figures(verdict: Verdict, name: str, command: str) -> list[dict[str, Any]]:
    """Return what is published."""
    values = (
        ("cycles", verdict.cycles, "kills"),
        ("acknowledged", verdict.account.acknowledged, "signals"),
        ("duplicates_recognised", verdict.duplicates_recognised, "signals"),
        ("spooled", verdict.spooled, "signals"),
        ("lost", verdict.account.lost, "signals"),
        ("counted_twice", verdict.account.counted_twice, "signals"),
        ("sums_differing", verdict.account.sums_differing, "rows"),
        ("restart_to_ready.median", round(median(verdict.restart_to_ready_s), 3), "s"),
        ("restart_to_ready.max", round(max(verdict.restart_to_ready_s), 3), "s"),
    )
    return [
        {"name": f"{name}.{what}", "value": value, "unit": unit, "command": command} for what, value, unit in values
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Kill the service under load.")
    parser.add_argument("--data", type=Path, help="not used")
    parser.add_argument("--cycles", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=0.5, help="life of a server after it is ready")
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--replicas", type=int, default=1, help="over PostgreSQL")
    parser.add_argument("--database", type=int, default=0, help="cycles after which PostgreSQL is killed as well")
    parser.add_argument("--spool", action="store_true", help="let services keep what the store does not take")
    options = parser.parse_args(arguments)
    plan = Plan(options.cycles, options.seconds, options.replicas, options.database, options.spool)
    if options.store == "sqlite" and (plan.replicas > 1 or plan.database_every):
        parser.error("--replicas and --database need --store postgres")
    command = f"python -m benchmarks.kill9 --cycles {plan.cycles} --seconds {plan.seconds} --store {options.store}"
    command += f" --replicas {plan.replicas}" + f" --database {plan.database_every}" + " --spool" * plan.spools
    database = PostgresServer.start() if options.store == "postgres" else None
    try:
        with tempfile.TemporaryDirectory() as folder:
            verdict = asyncio.run(run(Path(folder), plan, database))
    finally:
        if database:
            database.stop()
    print(json.dumps(figures(verdict, f"kill9.{options.store}", command), indent=1))


if __name__ == "__main__":
    main()
