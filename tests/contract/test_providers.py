"""What the call loop relies on, of a model behind HTTP and of the one that the loop's own tests are made with."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from adapters.providers.aiohttp_transport import AiohttpTransport
from adapters.providers.chat import Timeouts
from adapters.providers.endpoint import Endpoint, Format, Upstream
from adapters.providers.errors import ProviderFaultError, StreamBrokenError
from adapters.providers.provider import providers
from adapters.providers.secret import Secret
from server.ports import Provider
from tests.integration.providers.upstreams.openai import KEY, Failure, openai_upstream
from tests.unit.server.gateway.scripted import STREAM, ScriptedProvider, chunk

BODY = {"messages": [{"role": "user", "content": "hello"}]}
PATIENT = Timeouts(5.0, 20.0, 20.0, 20.0)


class Scripted:
    """The provider of the loop's tests."""

    def __init__(self) -> None:
        self.model = ScriptedProvider()

    def fail(self) -> None:
        self.model.does(ProviderFaultError("broken", request_id="req-1"))

    def cut(self) -> None:
        self.model.does([chunk("he"), StreamBrokenError("cut off")])

    def stall(self) -> None:
        self.model.does(asyncio.Event())

    def stall_midway(self) -> None:
        self.model.does([*STREAM[:2], asyncio.Event()])

    async def slow(self) -> None:
        await self.model.waiting.wait()


class OverHttp:
    """A model behind a server that speaks OpenAI."""

    def __init__(self, upstream: Any, model: Provider) -> None:
        self.upstream = upstream
        self.model = model

    def fail(self) -> None:
        self.upstream.failure = Failure(500, '{"error": {"message": "broken"}}', {"x-request-id": "req-1"})

    def cut(self) -> None:
        self.upstream.events = ['data: {"choices": [{"index": 0, "delta": {"content": "he"}}]}\n\n']
        self.upstream.tail = ""

    def stall(self) -> None:
        self.upstream.gate = asyncio.Event()

    def stall_midway(self) -> None:
        self.cut()
        self.upstream.is_closing = False

    async def slow(self) -> None:
        await self.upstream.begun.wait()


@asynccontextmanager
async def scripted() -> AsyncIterator[Scripted]:
    yield Scripted()


@asynccontextmanager
async def over_http() -> AsyncIterator[OverHttp]:
    transport = AiohttpTransport(frozenset({"127.0.0.1"}))
    async with openai_upstream() as upstream:
        endpoint = Endpoint("acme", Format.OPENAI, f"{upstream.url}/v1", Secret(KEY))
        upstreams = {"m": Upstream("acme", "fake-large")}
        yield OverHttp(upstream, providers(transport, {"acme": endpoint}, upstreams, lambda: 0.0)["m"])
        await transport.close()


@pytest.fixture(params=[scripted, over_http], ids=["scripted", "http"])
async def peer(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    opened: Callable[[], Any] = request.param
    async with opened() as peer:
        yield peer


async def test_a_whole_answer_is_a_chat_completion_with_what_it_used(peer):
    answer = await peer.model.complete(BODY, PATIENT)
    document = json.loads(answer.body)
    assert document["object"] == "chat.completion"
    assert document["choices"][0]["message"]["role"] == "assistant"
    assert (answer.finish_reason, bool(answer.request_id)) == ("stop", True)
    assert answer.usage.input_tokens
    assert answer.usage.output_tokens


async def test_a_stream_has_tokens_then_a_reason_then_what_it_used(peer):
    stream = await peer.model.stream(BODY, PATIENT)
    chunks = [one async for one in stream]
    await stream.aclose()
    tokens = [place for place, one in enumerate(chunks) if one.has_token]
    finish = [place for place, one in enumerate(chunks) if one.finish_reason]
    usage = [place for place, one in enumerate(chunks) if one.usage]
    assert max(tokens) < finish[0] < usage[0]
    assert [one.has_choices for one in chunks][-1] is False
    assert stream.request_id


async def test_a_stream_can_be_read_in_two_goes(peer):
    stream = await peer.model.stream(BODY, PATIENT)
    parts = aiter(stream)
    first = [await anext(parts), await anext(parts)]
    rest = [one async for one in parts]
    assert first
    assert rest
    assert any(one.has_token for one in rest)


async def test_a_failure_is_a_provider_error_whole_or_streamed(peer):
    peer.fail()
    for call in (peer.model.complete, peer.model.stream):
        with pytest.raises(ProviderFaultError) as failed:
            await call(BODY, PATIENT)
        assert failed.value.request_id == "req-1"


async def test_a_stream_that_is_cut_off_says_so_after_what_came(peer):
    peer.cut()
    stream = await peer.model.stream(BODY, PATIENT)
    parts = aiter(stream)
    assert (await anext(parts)).has_token
    with pytest.raises(StreamBrokenError):
        await anext(parts)
    await stream.aclose()


async def test_a_stream_can_be_closed_midway_and_again(peer):
    peer.stall_midway()
    stream = await peer.model.stream(BODY, PATIENT)
    await anext(aiter(stream))
    await stream.aclose()
    await stream.aclose()


@pytest.mark.parametrize("method", ["complete", "stream"])
async def test_a_caller_who_leaves_is_the_only_other_end(peer, method):
    peer.stall()

    async def call() -> None:
        answer = await getattr(peer.model, method)(BODY, PATIENT)
        try:
            async for _ in answer:
                pass
        finally:
            await answer.aclose()

    waiting = asyncio.create_task(call())
    await peer.slow()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
