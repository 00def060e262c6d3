"""Whatever bytes arrive, only documented codes are answered, and the server lives on."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from routeward.v1 import admin_service_pb2 as admin_pb
from routeward.v1 import routing_service_pb2 as pb

REQUESTS = 3000
AT_ONCE = 32
METHODS = {
    "RoutingService/Route": pb.RouteRequest,
    "RoutingService/Feedback": pb.FeedbackRequest,
    "RoutingService/FeedbackBatch": pb.FeedbackBatchRequest,
    "AdminService/GetPosterior": admin_pb.GetPosteriorRequest,
    "AdminService/ExplainDecision": admin_pb.ExplainDecisionRequest,
}
DOCUMENTED = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
TEXTS = ("", "chat", "small", "outcome", "thumb", "score:judge", "a" * 64, "a" * 65, "\0", "é", "x" * 5000, "a/b:c")
NUMBERS = (0.0, -0.0, 0.5, 1.0, -1.0, 1e308, 5e-324, float("nan"), float("inf"), float("-inf"))
INTEGERS = (0, 1, -1, 2, 99, 1000, 10**8, 10**8 + 1, 2**31 - 1, -(2**31))
LONGS = (*INTEGERS, 2**63 - 1, -(2**63))


def filled(kind: type[Message], rng: np.random.Generator, ids: list[str], depth: int = 0) -> Message:
    """A message whose fields hold extremes, or nothing."""
    message = kind()
    for field in message.DESCRIPTOR.fields:
        if rng.random() < 0.5 or depth > 4:
            continue
        count = int(rng.integers(0, 4)) if field.is_repeated else 1
        for _ in range(count):
            put(message, field, rng, ids, depth)
    return message


def put(message: Message, field: Any, rng: np.random.Generator, ids: list[str], depth: int) -> None:
    if field.message_type:
        part = filled(field.message_type._concrete_class, rng, ids, depth + 1)
        target = getattr(message, field.name)
        (target.add() if field.is_repeated else target).CopyFrom(part)
        return
    if field.name.endswith("decision_id") and rng.random() < 0.7:
        value: Any = ids[rng.integers(len(ids))]
    else:
        choices = {
            FieldDescriptor.TYPE_STRING: TEXTS,
            FieldDescriptor.TYPE_DOUBLE: NUMBERS,
            FieldDescriptor.TYPE_INT64: LONGS,
        }.get(field.type, INTEGERS)
        value = choices[rng.integers(len(choices))]
    if field.is_repeated:
        getattr(message, field.name).append(value)
    else:
        setattr(message, field.name, value)


def mutated(body: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes changed, dropped or doubled."""
    changed = bytearray(body or b"\x00")
    for _ in range(int(rng.integers(1, 6))):
        place = int(rng.integers(len(changed)))
        changed[place : place + 1] = rng.bytes(int(rng.integers(0, 3)))
        changed = changed or bytearray(b"\xff")
    return bytes(changed)


def attacks(ids: list[str]) -> Iterator[tuple[str, bytes]]:
    rng = np.random.default_rng(20261123)
    methods = list(METHODS.items())
    for number in range(REQUESTS):
        method, kind = methods[number % len(methods)]
        body = filled(kind, rng, ids).SerializeToString()
        if number % 3 == 1:
            body = mutated(body, rng)
        elif number % 3 == 2 and rng.random() < 0.5:
            body = rng.bytes(int(rng.integers(0, 400)))
        yield method, body


async def test_three_thousand_hostile_requests_get_documented_answers_only(running, client):
    decision = await client.route()
    ids = [decision.decision_id, *(one.decision_id for one in decision.fallbacks), "A" * 100, "é" * 200]
    source = attacks(ids)
    codes: Counter[grpc.StatusCode | None] = Counter()

    async def attack():
        for method, body in source:
            answer = await client.raw(method, body)
            codes[None if isinstance(answer, bytes) else answer.code] += 1
            if not isinstance(answer, bytes):
                assert answer.reason, answer.everything

    await asyncio.gather(*(attack() for _ in range(AT_ONCE)))
    assert sum(codes.values()) == REQUESTS
    assert set(codes) <= {None, *DOCUMENTED}
    assert codes[None] > 100
    assert codes[grpc.StatusCode.INVALID_ARGUMENT] > 1000
    assert [event for event in running.events if event["event"] in ("defect", "task_crashed", "write_failed")] == []
    await running.publish()
    assert (await client.route()).model
    assert await running.store.verify() == {}


async def test_hostile_metadata_gets_documented_answers_only(serve, two_tenants):
    rng = np.random.default_rng(7)
    async with serve(two_tenants) as running:
        client = running.client()
        for number in range(200):
            client.metadata = (
                ("authorization", "".join(map(chr, rng.integers(32, 127, number)))),
                ("x-any", "é".encode().hex()),
            )
            answer = await client.route()
            assert answer.code is grpc.StatusCode.UNAUTHENTICATED
