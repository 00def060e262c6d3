"""Models of another format, through the real provider and the real transport: to a caller they are all alike."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import pytest

from adapters.providers.aiohttp_transport import AiohttpTransport
from adapters.providers.chat import Chunk, Timeouts, Usage
from adapters.providers.endpoint import Endpoint, Format, Upstream
from adapters.providers.errors import (
    CredentialRefusedError,
    ModelMissingError,
    ProviderError,
    ProviderFaultError,
    RateLimitedError,
    RequestRefusedError,
    StreamBrokenError,
    UnsupportedRequestError,
)
from adapters.providers.provider import HttpProvider, providers
from adapters.providers.secret import Secret
from tests.integration.providers.upstreams import anthropic, gemini
from tests.unit.providers.openai_reading import completion, folded, said

NOW_S = 1_790_000_000.0
TIMEOUTS = Timeouts(connect_s=5.0, first_token_s=5.0, idle_s=5.0, total_s=20.0)
HELLO: list[dict[str, Any]] = [{"role": "user", "content": "Hello"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
EVERYTHING = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What is this, and what is the weather there?"}]},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}},
                {"id": "c2", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "snow"}]},
        {"role": "user", "content": "And in one word?"},
        {"role": "assistant", "content": "", "tool_calls": []},
        {"role": "developer", "content": "Answer in French."},
    ],
    "model": "auto",
    "stream": True,
    "tools": [WEATHER],
    "tool_choice": "auto",
    "max_completion_tokens": 100,
    "temperature": 0.5,
    "stop": ["END"],
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
    "reasoning_effort": "low",
    "user": "someone@example.com",
    "metadata": {"a": "b"},
    "seed": 7,
}


@dataclass(frozen=True)
class Foreign:
    """How to run an upstream of a format, and to make its model say something."""

    format: Format
    key: str
    model: str
    run: Callable[[], AbstractAsyncContextManager[Any]]
    reply: Callable[..., Any]
    text: Callable[[str], Any]
    thought: Callable[[str], Any]
    call: Callable[[str, dict[str, Any]], Any]
    limited: Any
    overloaded: Any
    invalid: Any


def anthropic_reply(parts: Sequence[Any], finish: str = "", **more: Any) -> anthropic.Reply:
    calls = any(part["type"] == "tool_use" for part in parts)
    reason = {"length": "max_tokens", "content_filter": "refusal"}.get(finish, "tool_use" if calls else "end_turn")
    return anthropic.Reply(parts, reason, input_tokens=3, cache_read=5, cache_creation=4, output_tokens=7, **more)


def gemini_reply(parts: Sequence[Any], finish: str = "", **more: Any) -> gemini.Reply:
    reason = {"length": "MAX_TOKENS", "content_filter": "SAFETY"}.get(finish, "STOP")
    return gemini.Reply(parts, reason, prompt_tokens=12, cached_tokens=5, answer_tokens=4, thought_tokens=3, **more)


FOREIGN = [
    Foreign(
        Format.ANTHROPIC,
        anthropic.KEY,
        anthropic.MODEL,
        anthropic.anthropic_upstream,
        anthropic_reply,
        anthropic.text_block,
        anthropic.thinking_block,
        lambda name, arguments: anthropic.tool_block("toolu_1", name, arguments),
        anthropic.Failure(429, "rate_limit_error", headers={"retry-after": "34"}),
        anthropic.Failure(529, "overloaded_error"),
        anthropic.Failure(400, "invalid_request_error", "made up"),
    ),
    Foreign(
        Format.GEMINI,
        gemini.KEY,
        gemini.MODEL,
        gemini.gemini_upstream,
        gemini_reply,
        gemini.text_part,
        gemini.thought_part,
        gemini.call_part,
        gemini.Failure(429, "RESOURCE_EXHAUSTED", details=[{"@type": "RetryInfo", "retryDelay": "34s"}]),
        gemini.Failure(503, "UNAVAILABLE"),
        gemini.Failure(400, "INVALID_ARGUMENT", "made up"),
    ),
]


@pytest.fixture(params=FOREIGN, ids=[foreign.format.value for foreign in FOREIGN])
def foreign(request):
    return request.param


@pytest.fixture
async def upstream(foreign) -> AsyncIterator[Any]:
    async with foreign.run() as running:
        yield running


@pytest.fixture
async def made(foreign, upstream) -> AsyncIterator[Callable[..., HttpProvider]]:
    transport = AiohttpTransport(private_hosts=frozenset({"127.0.0.1"}))

    def make(key: str = foreign.key, model: str = foreign.model) -> HttpProvider:
        endpoint = Endpoint("there", foreign.format, upstream.base_url, Secret(key))
        return providers(transport, {"there": endpoint}, {"m": Upstream("there", model)}, lambda: NOW_S)["m"]

    yield make
    await transport.close()


@pytest.fixture
def provider(made):
    return made()


async def gather(stream: AsyncIterable[Chunk], chunks: list[Chunk]) -> None:
    async for chunk in stream:
        chunks.append(chunk)  # noqa: PERF401 - what came is kept where the stream fails


async def streamed(provider: HttpProvider, body: dict[str, Any]) -> list[Chunk]:
    stream = await provider.stream(body, TIMEOUTS)
    try:
        return [chunk async for chunk in stream]
    finally:
        await stream.aclose()


async def test_an_answer_is_a_chat_completion(foreign, upstream, provider):
    upstream.replies = [foreign.reply([foreign.thought("It is early."), foreign.text("Good morning.")])]
    answer = await provider.complete({"messages": HELLO}, TIMEOUTS)
    read = completion(answer.body)
    assert said(read) == {
        "text": "Good morning.",
        "thoughts": "It is early.",
        "calls": [],
        "finish": "stop",
        "usage": read.usage.model_dump(exclude_none=True),
    }
    assert (read.model, read.created) == (foreign.model, int(NOW_S))
    assert (read.usage.prompt_tokens, read.usage.completion_tokens, read.usage.total_tokens) == (12, 7, 19)
    assert read.usage.prompt_tokens_details.cached_tokens == 5
    assert (answer.usage, answer.finish_reason) == (Usage(12, 5, 7), "stop")


async def test_a_stream_folds_to_the_answer_in_one_piece(foreign, upstream, provider):
    parts = [
        foreign.thought("Where?"),
        foreign.text("A moment. \u00e9\u4e16"),
        foreign.call("weather", {"city": "Rome"}),
    ]
    upstream.replies = [foreign.reply(parts, piece=2)]
    body = {"messages": HELLO, "tools": [WEATHER]}
    chunks = await streamed(provider, body)
    whole = await provider.complete(body, TIMEOUTS)
    assert said(folded(chunks)) == said(completion(whole.body))
    assert said(completion(whole.body))["finish"] == "tool_calls"
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["tool_calls"]
    assert not chunks[0].has_token
    assert chunks[1].has_token
    assert (chunks[-1].usage, chunks[-1].has_choices) == (whole.usage, False)


async def test_a_request_with_everything_in_it_is_accepted(upstream, provider):
    await provider.complete(EVERYTHING, TIMEOUTS)
    await streamed(provider, EVERYTHING)
    assert len(upstream.bodies) == 2
    assert "someone@example.com" not in str(upstream.bodies)


async def test_the_call_of_a_tool_and_its_result_go_round(foreign, upstream, provider):
    upstream.replies = [
        foreign.reply([foreign.call("weather", {"city": "Rome"})]),
        foreign.reply([foreign.text("Sunny.")]),
    ]
    asked = completion((await provider.complete({"messages": HELLO, "tools": [WEATHER]}, TIMEOUTS)).body)
    message = asked.choices[0].message
    [call] = message.tool_calls
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    turns = [*HELLO, message.model_dump(exclude_none=True), result]
    answered = await provider.complete({"messages": turns, "tools": [WEATHER]}, TIMEOUTS)
    assert said(completion(answered.body))["text"] == "Sunny."
    assert "sunny" in str(upstream.bodies[-1])


@pytest.mark.parametrize("finish", ["length", "content_filter"])
async def test_finish_reasons_are_those_of_openai(foreign, upstream, provider, finish):
    upstream.replies = [foreign.reply([foreign.text("Good")], finish)]
    answer = await provider.complete({"messages": HELLO}, TIMEOUTS)
    chunks = await streamed(provider, {"messages": HELLO})
    assert (answer.finish_reason, completion(answer.body).choices[0].finish_reason) == (finish, finish)
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == [finish]


@pytest.mark.parametrize(
    ("failure", "error", "retry_after_s"),
    [
        ("limited", RateLimitedError, 34.0),
        ("overloaded", ProviderFaultError, None),
        ("invalid", RequestRefusedError, None),
    ],
)
async def test_failures_are_typed(foreign, upstream, provider, failure, error, retry_after_s):
    upstream.replies = [getattr(foreign, failure)]
    for call in (provider.complete({"messages": HELLO}, TIMEOUTS), streamed(provider, {"messages": HELLO})):
        with pytest.raises(ProviderError) as caught:
            await call
        assert type(caught.value) is error
        assert caught.value.retry_after_s == retry_after_s
        assert caught.value.http_status in (400, 429, 503, 529)


async def test_a_wrong_key_and_a_wrong_model_are_the_operators_to_mend(made):
    with pytest.raises(CredentialRefusedError):
        await made(key="sk-wrong").complete({"messages": HELLO}, TIMEOUTS)
    with pytest.raises(ModelMissingError):
        await made(model="other").complete({"messages": HELLO}, TIMEOUTS)


async def test_an_error_within_a_stream_is_typed_after_what_came_before(foreign, upstream, provider):
    upstream.replies = [
        foreign.reply([foreign.text("Good morning.")], error_after=(5, "overloaded_error"))
        if foreign.format is Format.ANTHROPIC
        else foreign.reply([foreign.text("Good morning.")], error_after=2)
    ]
    chunks: list[Chunk] = []
    with pytest.raises(ProviderFaultError):
        await gather(await provider.stream({"messages": HELLO}, TIMEOUTS), chunks)
    assert any(chunk.has_token for chunk in chunks)


async def test_a_stream_that_is_closed_is_given_up_upstream(foreign, upstream, provider):
    upstream.replies = [foreign.reply([foreign.text("Good morning." * 9)], stalls_after=3)]
    stream = await provider.stream({"messages": HELLO}, TIMEOUTS)
    await anext(aiter(stream))
    await stream.aclose()
    await asyncio.wait_for(upstream.abandoned.wait(), 5.0)
    with pytest.raises(StreamBrokenError):
        await anext(aiter(stream))


async def test_what_the_api_has_no_words_for_is_refused_before_it_is_called(upstream, provider):
    with pytest.raises(UnsupportedRequestError) as caught:
        await provider.complete({"messages": HELLO, "logprobs": True}, TIMEOUTS)
    assert (caught.value.param, caught.value.elsewhere) == ("logprobs", True)
    assert not upstream.bodies
