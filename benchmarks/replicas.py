"""How soon replicas over one PostgreSQL have learned the same, and whether that is what one server would have learned.

    python -m benchmarks.replicas [--replicas 2,4,8] [--events 50000]

Signals (outcomes, thumbs and scores; 10 % amended, 5 % retracted) are each sent one to five times, in random order, to
random replicas: processes of their own, reached by FeedbackBatch. From the last acknowledgement on, every replica's
figures are read until all have the same revision and the same digest of their sums. What a store in memory learns
that is told everything once must have that digest, and the rows of the database must be its rows. Then a model is
registered at one replica, and every other one asked for it until it knows it.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import grpc
import numpy as np

from adapters.ledger import StoredSums, compare, grid
from adapters.memory import MemoryStore
from adapters.sql.postgres.reach import Reach
from adapters.sql.postgres.store import PostgresStore
from bandit.sums import Sums, add_rows, digest_of
from benchmarks._deliveries import CATEGORIES, Deliveries, deliveries, misjudged
from benchmarks._postgres import PostgresServer
from benchmarks._processes import MODELS, ServiceProcess, write_configuration
from routeward.v1 import admin_service_pb2_grpc, registry_pb2, routing_service_pb2_grpc
from routeward.v1 import routing_service_pb2 as pb
from server.settings import DEFAULT_NAMESPACE
from server.token_keys import parse_keys
from server.tokens import TokenKeys

KEY: Final = "replicas:" + "7c" * 32
BUCKET_US: Final = 10_000_000
BATCH: Final = 100
"""Signals of a call. Nearly all are sent to several replicas at about the same time, so transactions meet."""

PUSHBACK_S: Final = 1.0
"""How long to wait before a call is repeated that was refused, as the service asks its clients to."""

TIMEOUT_S: Final = 60.0
PATIENCE_S: Final = 30.0
"""How long replicas may take to agree before they are said not to."""

POLL_S: Final = 0.02
FIGURES: Final = ("routeward_snapshot_revision", "routeward_sums_digest")


@dataclass(frozen=True, slots=True)
class Replica:
    """Where a server is called, and where its figures are."""

    address: str
    metrics: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found.

    `agreed_s` are the seconds from the last acknowledgement until all replicas were the same; None: never.
    `digests_differing` counts those whose digest is not that of one store, `rows_differing` rows of the database.
    `registered_s` are the seconds until all knew a model that one was told of; None: never.
    """

    deliveries: int
    sent_s: float
    agreed_s: float | None
    digests_differing: int
    rows_differing: int
    misjudged: int
    registered_s: float | None


async def converge(replicas: Sequence[Replica], url: str, keys: TokenKeys, events: int, seed: int) -> Verdict:
    """Deliver so many signals to replicas over the database at `url`, which held none, and judge."""
    rng = np.random.default_rng(seed)
    planned = deliveries(events, len(replicas), MODELS, keys, time.time_ns() // 1000, rng)
    began = time.perf_counter()
    answers = await delivered(planned, replicas)
    acknowledged = time.perf_counter()
    stored = await of_database(url)
    agreed_s = await agreement(replicas, stored.revision, acknowledged)
    digests = [(await figures_of(replica))[1] for replica in replicas]
    one = await of_one_store(planned)
    digest = digest_of(add_rows(Sums.empty(BUCKET_US), one.rows))
    return Verdict(
        deliveries=len(planned.sent),
        sent_s=acknowledged - began,
        agreed_s=agreed_s,
        digests_differing=sum(found != digest for found in digests),
        rows_differing=len(compare(stored.rows, one.rows, grid(time.time_ns() // 1000, BUCKET_US))),
        misjudged=misjudged(planned.said, answers),
        registered_s=await registration(replicas),
    )


async def delivered(planned: Deliveries, replicas: Sequence[Replica]) -> list[tuple[int, int]]:
    """Send everything; return for each delivery the place of what was sent and the status that it got."""
    by_replica: list[list[int]] = [[] for _ in replicas]
    for place, number in zip(planned.sent, planned.replicas, strict=True):
        by_replica[number].append(place)
    async with asyncio.TaskGroup() as tasks:
        sending = [
            tasks.create_task(sent_to(replica, planned, places))
            for replica, places in zip(replicas, by_replica, strict=True)
        ]
    return [answer for one in sending for answer in one.result()]


async def sent_to(replica: Replica, planned: Deliveries, places: Sequence[int]) -> list[tuple[int, int]]:
    """Send to one replica, call by call."""
    answers: list[tuple[int, int]] = []
    async with grpc.aio.insecure_channel(replica.address) as channel:
        stub = routing_service_pb2_grpc.RoutingServiceStub(channel)
        for first in range(0, len(places), BATCH):
            part = places[first : first + BATCH]
            request = pb.FeedbackBatchRequest(items=[planned.said[place].item for place in part])
            response = await taken(stub, request)
            for place, result in zip(part, response.results, strict=True):
                answers += [(place, one.status) for one in result.response.results or [pb.SignalResult()]]
    return answers


async def taken(
    stub: "routing_service_pb2_grpc.RoutingServiceAsyncStub", request: pb.FeedbackBatchRequest
) -> pb.FeedbackBatchResponse:
    """Send until it is stored, as clients do."""
    while True:
        try:
            return await stub.FeedbackBatch(request, timeout=TIMEOUT_S, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            print(f"refused, and sent again: {error.details()}", file=sys.stderr)
            await asyncio.sleep(PUSHBACK_S)


async def agreement(replicas: Sequence[Replica], revision: int, since: float) -> float | None:
    """Wait until all replicas show this revision and one digest; return when, in seconds `since`, None: too late."""
    while time.perf_counter() - since < PATIENCE_S:
        found = set(await asyncio.gather(*map(figures_of, replicas)))
        if len(found) == 1 and found.pop()[0] == revision:
            return time.perf_counter() - since
        await asyncio.sleep(POLL_S)
    return None


async def registration(replicas: Sequence[Replica]) -> float | None:
    """Register a model at the first replica; return after how many seconds all know it, None: too late."""
    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(grpc.aio.insecure_channel(one.address)) for one in replicas]
        model = registry_pb2.Model(id="newcomer", input_usd_per_mtok=1.0, output_usd_per_mtok=1.0)
        admin = admin_service_pb2_grpc.AdminServiceStub(channels[0])
        await admin.UpsertModel(registry_pb2.UpsertModelRequest(model=model), timeout=TIMEOUT_S)
        began = time.perf_counter()
        unknowing = [routing_service_pb2_grpc.RoutingServiceStub(channel) for channel in channels]
        while unknowing and time.perf_counter() - began < PATIENCE_S:
            unknowing = [stub for stub in unknowing if not await knows(stub, model.id)]
            await asyncio.sleep(POLL_S)
        return None if unknowing else time.perf_counter() - began


async def knows(stub: "routing_service_pb2_grpc.RoutingServiceAsyncStub", model: str) -> bool:
    """Whether a replica decides for a model that it is asked for."""
    try:
        await stub.Route(pb.RouteRequest(category=CATEGORIES[0], model=model), timeout=TIMEOUT_S)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.NOT_FOUND:
            raise
        return False
    return True


async def figures_of(replica: Replica) -> tuple[int, int]:
    """Return the revision and the digest that a replica shows."""
    text = await asyncio.to_thread(_scraped, replica.metrics)
    values = {line.partition("{")[0]: line.rpartition(" ")[2] for line in text.splitlines() if line[:1] != "#"}
    revision, digest = (int(float(values[name])) for name in FIGURES)
    return revision, digest


def _scraped(address: str) -> str:
    with urlopen(f"http://{address}/metrics", timeout=TIMEOUT_S) as answer:
        return str(answer.read().decode())


async def of_one_store(planned: Deliveries) -> StoredSums:
    """Return what a store in memory learns that is told everything once."""
    store = MemoryStore(bucket_us=BUCKET_US)
    await store.write([one.record for one in planned.said])
    return await store.load(DEFAULT_NAMESPACE)


async def of_database(url: str) -> StoredSums:
    """Return what the replicas have stored."""
    store = await PostgresStore.attach(Reach(url))
    try:
        return await store.load(DEFAULT_NAMESPACE)
    finally:
        await store.close()


def run(replicas: int, url: str, events: int, seed: int = 7) -> Verdict:
    """Start so many servers over the empty database at `url`, deliver to them, and judge."""
    environment = {"ROUTEWARD_POSTGRES": url, "ROUTEWARD_TOKEN_KEYS": KEY}
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        services = []
        for number in range(replicas):
            own = Path(folder) / f"replica-{number}"
            own.mkdir()
            services.append(stack.enter_context(ServiceProcess(write_configuration(own), environment)))
        reached = [Replica(service.address, service.metrics) for service in services]
        return asyncio.run(converge(reached, url, TokenKeys(parse_keys([KEY], "the benchmark")), events, seed))


def figures(replicas: int, verdict: Verdict, command: str) -> list[dict[str, Any]]:
    """Return what is published; a time that is not known is left out."""
    values = (
        ("deliveries", verdict.deliveries, "signals"),
        ("deliveries_per_second", round(verdict.deliveries / verdict.sent_s), "signals/s"),
        ("agreed_after", None if verdict.agreed_s is None else round(verdict.agreed_s, 3), "s"),
        ("digests_differing", verdict.digests_differing, "replicas"),
        ("rows_differing", verdict.rows_differing, "rows"),
        ("misjudged", verdict.misjudged, "signals"),
        ("registered_after", None if verdict.registered_s is None else round(verdict.registered_s, 3), "s"),
    )
    return [
        {"name": f"replicas.{replicas}.{name}", "value": value, "unit": unit, "command": command}
        for name, value, unit in values
        if value is not None
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how soon replicas have learned the same.")
    parser.add_argument("--data", type=Path, help="not used")
    parser.add_argument("--replicas", default="2,4,8", help="how many, each in turn; default: %(default)s")
    parser.add_argument("--events", type=int, default=50_000, help="default: %(default)s")
    options = parser.parse_args()
    command = f"python -m benchmarks.replicas --replicas {options.replicas} --events {options.events}"
    found = []
    server = PostgresServer.start()
    try:
        for replicas in map(int, options.replicas.split(",")):
            verdict = run(replicas, server.url(server.create_database()), options.events)
            print(f"{replicas} replicas: {verdict}", file=sys.stderr)
            found += figures(replicas, verdict, command)
    finally:
        server.stop()
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
