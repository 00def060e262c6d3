"""What only Gemini does, over real HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.providers.aiohttp_transport import AiohttpTransport
from adapters.providers.chat import Timeouts
from adapters.providers.endpoint import Endpoint, Format, Upstream
from adapters.providers.errors import ProviderFaultError, RequestRefusedError
from adapters.providers.provider import HttpProvider, providers
from adapters.providers.secret import Secret
from tests.integration.providers.upstreams import gemini
from tests.unit.providers.openai_reading import completion, folded

HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
async def upstream() -> AsyncIterator[gemini.Upstream]:
    async with gemini.gemini_upstream() as running:
        yield running


@pytest.fixture
async def provider(upstream) -> AsyncIterator[HttpProvider]:
    transport = AiohttpTransport(private_hosts=frozenset({"127.0.0.1"}))
    endpoint = Endpoint("there", Format.GEMINI, f"{upstream.base_url}/v1beta", Secret(gemini.KEY))
    yield providers(transport, {"there": endpoint}, {"m": Upstream("there", gemini.MODEL)}, lambda: 0.0)["m"]
    await transport.close()


async def streamed(provider: HttpProvider) -> list[Any]:
    return [chunk async for chunk in await provider.stream(HELLO, Timeouts())]


async def test_the_key_is_in_no_address(upstream, provider):
    await provider.complete(HELLO, Timeouts())
    await streamed(provider)
    assert upstream.urls == [
        f"/v1beta/models/{gemini.MODEL}:generateContent",
        f"/v1beta/models/{gemini.MODEL}:streamGenerateContent?alt=sse",
    ]


async def test_a_prompt_that_is_blocked_is_the_callers_to_change(upstream, provider):
    upstream.replies = [gemini.Reply(block_reason="PROHIBITED_CONTENT")]
    for call in (provider.complete(HELLO, Timeouts()), streamed(provider)):
        with pytest.raises(RequestRefusedError, match="PROHIBITED_CONTENT") as caught:
            await call
        assert caught.value.code == "content_filter"


async def test_a_call_that_the_api_cannot_read_is_a_fault_of_the_model(upstream, provider):
    upstream.replies = [gemini.Reply([], "MALFORMED_FUNCTION_CALL")]
    for call in (provider.complete(HELLO, Timeouts()), streamed(provider)):
        with pytest.raises(ProviderFaultError, match="MALFORMED_FUNCTION_CALL"):
            await call


async def test_the_signature_of_a_thought_goes_round(upstream, provider):
    calls = [
        gemini.call_part("weather", {"city": "Rome"}, id="a", signature="c2lnbmVk"),
        gemini.call_part("weather", {"city": "Oslo"}, id="b"),
    ]
    upstream.replies = [gemini.Reply(calls)]
    whole = completion((await provider.complete(HELLO, Timeouts())).body).choices[0].message
    folds = folded(await streamed(provider)).choices[0].message
    for message in (whole, folds):
        said = {"role": "assistant", "tool_calls": [call.model_dump(exclude_none=True) for call in message.tool_calls]}
        results = [{"role": "tool", "tool_call_id": id_, "content": "sunny"} for id_ in ("a", "b")]
        await provider.complete({"messages": [*HELLO["messages"], said, *results]}, Timeouts())
        assert upstream.bodies[-1]["contents"][1]["parts"] == calls
