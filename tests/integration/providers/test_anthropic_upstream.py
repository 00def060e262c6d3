"""Anthropic's own client talks to the made-up upstream: what is proved against that is true of the real API's words."""

import asyncio
from collections.abc import AsyncIterator

import anthropic
import pytest

from tests.integration.providers.upstreams.anthropic import (
    KEY,
    MODEL,
    Failure,
    Reply,
    Upstream,
    anthropic_upstream,
    text_block,
    thinking_block,
    tool_block,
)

HELLO = [{"role": "user", "content": "Hello"}]
WEATHER = {
    "name": "weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with anthropic_upstream() as running:
        yield running


@pytest.fixture
async def client(upstream: Upstream) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(api_key=KEY, base_url=upstream.base_url, max_retries=0) as made:
        yield made


async def test_the_official_client_reads_a_message(upstream, client):
    upstream.replies = [Reply([text_block("Good morning.")], cache_read=30, cache_creation=4)]
    message = await client.messages.create(model=MODEL, max_tokens=64, messages=HELLO)
    assert [block.text for block in message.content] == ["Good morning."]
    assert message.stop_reason == "end_turn"
    assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (12, 30)
    assert message._request_id == "req_made_up"


async def test_the_official_client_accumulates_a_stream_to_the_same_message(upstream, client):
    blocks = [thinking_block("The sun is up."), text_block("Good morning."), tool_block("toolu_1", "weather", {"a": 1})]
    upstream.replies = [Reply(blocks, stop_reason="tool_use", piece=3)]
    async with client.messages.stream(model=MODEL, max_tokens=64, messages=HELLO, tools=[WEATHER]) as stream:
        streamed = await stream.get_final_message()
    whole = await client.messages.create(model=MODEL, max_tokens=64, messages=HELLO, tools=[WEATHER])
    assert streamed.model_dump(exclude={"content": {"__all__": {"parsed_output"}}}) == whole.model_dump()


async def test_the_official_client_gives_back_the_result_of_a_tool(upstream, client):
    upstream.replies = [Reply([tool_block("toolu_1", "weather", {"city": "Rome"})], stop_reason="tool_use"), Reply()]
    asked = await client.messages.create(model=MODEL, max_tokens=64, messages=HELLO, tools=[WEATHER])
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}
    turns = [*HELLO, {"role": "assistant", "content": asked.content}, {"role": "user", "content": [result]}]
    answered = await client.messages.create(model=MODEL, max_tokens=64, messages=turns, tools=[WEATHER])
    assert answered.stop_reason == "end_turn"
    assert upstream.bodies[-1]["messages"][1]["content"][0]["input"] == {"city": "Rome"}


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (Failure(400, "invalid_request_error"), anthropic.BadRequestError),
        (Failure(403, "permission_error"), anthropic.PermissionDeniedError),
        (Failure(413, "request_too_large"), anthropic.APIStatusError),
        (Failure(429, "rate_limit_error", headers={"retry-after": "3"}), anthropic.RateLimitError),
        (Failure(500, "api_error"), anthropic.InternalServerError),
        (Failure(529, "overloaded_error"), anthropic.InternalServerError),
    ],
)
async def test_the_official_client_knows_the_errors(upstream, client, failure, error):
    upstream.replies = [failure]
    with pytest.raises(error) as caught:
        await client.messages.create(model=MODEL, max_tokens=64, messages=HELLO)
    assert caught.value.status_code == failure.status


async def test_the_official_client_raises_an_error_that_comes_within_a_stream(upstream, client):
    upstream.replies = [Reply(error_after=(4, "overloaded_error"))]
    with pytest.raises(anthropic.APIStatusError, match="made up"):
        async with client.messages.stream(model=MODEL, max_tokens=64, messages=HELLO) as stream:
            await stream.get_final_message()


async def test_a_stream_that_the_official_client_leaves_is_given_up_upstream(upstream, client):
    upstream.replies = [Reply(stalls_after=4)]
    async with client.messages.stream(model=MODEL, max_tokens=64, messages=HELLO) as stream:
        await anext(aiter(stream.text_stream))
    await asyncio.wait_for(upstream.abandoned.wait(), 5.0)


async def test_another_key_and_another_model_are_unknown(client):
    with pytest.raises(anthropic.NotFoundError):
        await client.messages.create(model="claude-other", max_tokens=64, messages=HELLO)
    with pytest.raises(anthropic.AuthenticationError):
        await client.with_options(api_key="sk-ant-other").messages.create(model=MODEL, max_tokens=64, messages=HELLO)


@pytest.mark.parametrize(
    "extra",
    [
        {"frequency_penalty": 1},
        {"temperature": 1.0},
        {"max_tokens": 0},
        {"stop_sequences": ["\n"]},
        {"tool_choice": {"type": "auto"}},
        {"messages": []},
        {"messages": [{"role": "assistant", "content": "Hello"}]},
        {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "name": "b"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "b"}]}]},
        {"output_config": {"format": {"type": "json_object"}}},
        {"system": [{"type": "text", "text": ""}]},
    ],
)
async def test_what_the_api_does_not_know_is_a_bad_request(client, extra):
    with pytest.raises(anthropic.BadRequestError):
        await client.post(
            "/v1/messages", body={"model": MODEL, "max_tokens": 64, "messages": HELLO} | extra, cast_to=object
        )
