"""`health` against the service's own health answers, over real gRPC."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from server.health import FEEDBACK, Health

Cli = Callable[..., Any]


class Answering:
    """Health answers on a port, in a loop of their own."""

    def __init__(self) -> None:
        self.address = ""
        self._loop = asyncio.new_event_loop()
        self._health = Health()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        self._ready.wait()

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((self._health.handler(),))
        self.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        self._ready.set()
        await self._over.wait()
        await server.stop(None)

    def say(self, change: Callable[[Health], None]) -> None:
        """Change what is answered, before the next question."""
        done = threading.Event()
        self._loop.call_soon_threadsafe(change, self._health)
        self._loop.call_soon_threadsafe(done.set)
        done.wait()

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def answering() -> Iterator[Answering]:
    answering = Answering()
    yield answering
    answering.end()


def test_a_server_that_serves_is_healthy(cli: Cli, answering: Answering) -> None:
    answering.say(Health.start)
    ended = cli("health", "--target", answering.address)
    assert (ended.code, ended.out) == (0, f"server at {answering.address}: SERVING\n")


def test_without_its_store_a_server_is_healthy_but_its_feedback_is_not(cli: Cli, answering: Answering) -> None:
    answering.say(Health.start)
    answering.say(lambda health: health.set(FEEDBACK, serving=False))
    codes = [cli("health", "--service", name, "--target", answering.address).code for name in ("server", "routing")]
    assert codes == [0, 0]
    ended = cli("health", "--service", "feedback", "--target", answering.address, "--json")
    assert ended.code == 1
    assert ended.document == {"service": "feedback", "target": answering.address, "status": "NOT_SERVING"}


def test_a_server_that_drains_is_not_healthy(cli: Cli, answering: Answering) -> None:
    answering.say(Health.start)
    answering.say(Health.stop)
    assert cli("health", "--target", answering.address).code == 1


def test_where_nobody_answers_the_check_fails_with_a_reason(cli: Cli) -> None:
    ended = cli("health", "--target", "127.0.0.1:1", "--json")
    assert ended.code == 1
    assert ended.document["error"]["reason"] == "UNREACHABLE"


def test_a_key_in_the_environment_is_neither_needed_nor_sent(
    cli: Cli, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering.say(Health.start)
    monkeypatch.setenv("ROUTEWARD_API_KEY", "not a key, and refused wherever it is read")
    assert cli("health", "--target", answering.address).code == 0
