"""Health checks and those who watch them."""

import asyncio

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from server.health import FEEDBACK, ROUTING, Health

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


class AbortedError(Exception):
    pass


class Context:
    async def abort(self, code, _text):
        self.code = code
        raise AbortedError


@pytest.fixture
async def health():
    health = Health()
    health.start()
    return health


def asking(service):
    return HealthCheckRequest(service=service).SerializeToString()


async def status(health, service):
    return HealthCheckResponse.FromString(await health._check(asking(service), Context())).status


async def statuses(watch):
    async for body in watch:
        yield HealthCheckResponse.FromString(body).status


async def test_nothing_serves_before_the_start_and_everything_after(health):
    assert await status(Health(), ROUTING) == NOT_SERVING
    assert [await status(health, service) for service in ("", ROUTING, FEEDBACK)] == [SERVING] * 3


async def test_feedback_may_fail_alone(health):
    health.set(FEEDBACK, serving=False)
    assert [await status(health, service) for service in ("", ROUTING, FEEDBACK)] == [SERVING, SERVING, NOT_SERVING]


async def test_after_the_stop_nothing_serves_again(health):
    health.stop()
    health.set(FEEDBACK, serving=True)
    assert [await status(health, service) for service in ("", ROUTING, FEEDBACK)] == [NOT_SERVING] * 3


async def test_every_watcher_hears_of_every_change_even_after_another_left(health):
    first, second = (statuses(health._watch(asking(FEEDBACK), Context())) for _ in range(2))
    assert [await anext(first), await anext(second)] == [SERVING, SERVING]
    await first.aclose()
    waiting = asyncio.create_task(anext(second))
    await asyncio.sleep(0)
    health.stop()
    assert await waiting == NOT_SERVING


async def test_a_watcher_does_not_hear_of_changes_elsewhere(health):
    watch = statuses(health._watch(asking(ROUTING), Context()))
    assert await anext(watch) == SERVING
    waiting = asyncio.create_task(anext(watch))
    await asyncio.sleep(0)
    health.set(FEEDBACK, serving=False)
    await asyncio.sleep(0)
    assert not waiting.done()
    health.stop()
    assert await waiting == NOT_SERVING


async def test_an_unknown_service_is_not_found_and_may_be_watched(health):
    context = Context()
    with pytest.raises(AbortedError):
        await health._check(asking("nobody"), context)
    assert context.code is grpc.StatusCode.NOT_FOUND
    assert await anext(statuses(health._watch(asking("nobody"), Context()))) == HealthCheckResponse.SERVICE_UNKNOWN


async def test_bytes_that_are_no_request_are_an_invalid_argument(health):
    context = Context()
    with pytest.raises(AbortedError):
        await health._check(b"\xff", context)
    assert context.code is grpc.StatusCode.INVALID_ARGUMENT
