"""OpenAI's own client takes the upstream that tests make up for the real one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI

from tests.integration.providers.upstreams.openai import KEY, Failure, OpenAIUpstream, openai_upstream

QUESTION: Any = [{"role": "system", "content": "Be short"}, {"role": "user", "content": "Greet me please"}]
TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]


@pytest.fixture
async def upstream() -> AsyncIterator[OpenAIUpstream]:
    async with openai_upstream() as upstream:
        yield upstream


@pytest.fixture
async def client(upstream: OpenAIUpstream) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key=KEY, base_url=f"{upstream.url}/v1", max_retries=0) as client:
        yield client


def refuses(status: int, upstream: OpenAIUpstream, message: str = "no") -> None:
    upstream.failure = Failure(
        status, f'{{"error": {{"message": "{message}", "type": "t", "code": "c", "param": "p"}}}}'
    )


async def test_a_plain_answer_has_text_usage_and_request_id(client):
    answer = await client.chat.completions.create(model="fake-large", messages=QUESTION)
    assert answer.choices[0].message.content == "Hello there, naïve wörld."
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (5, 4)
    assert answer.usage.prompt_tokens_details.cached_tokens == 2
    assert answer._request_id == "req-whole"


async def test_a_stream_has_the_same_text_in_parts_and_usage_at_its_end(client):
    stream = await client.chat.completions.create(
        model="fake-large", messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "Hello there, naïve wörld. "
    assert [chunk.usage.prompt_tokens for chunk in chunks if chunk.usage] == [5]
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"


async def test_a_stream_has_no_usage_where_it_is_not_asked_for(client):
    stream = await client.chat.completions.create(model="fake-large", messages=QUESTION, stream=True)
    assert [chunk.usage async for chunk in stream if chunk.usage] == []


async def test_a_tool_is_called_and_its_result_is_used(client):
    asked = await client.chat.completions.create(model="fake-large", messages=QUESTION, tools=TOOLS)
    [call] = asked.choices[0].message.tool_calls
    assert (call.function.name, call.function.arguments) == ("weather", '{"city": "Paris"}')
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    messages = [*QUESTION, asked.choices[0].message.model_dump(exclude_none=True), result]
    told = await client.chat.completions.create(model="fake-large", messages=messages, tools=TOOLS)
    assert told.choices[0].message.content == "The tool said sunny."


async def test_the_parts_of_a_streamed_tool_call_add_up(client):
    async with client.chat.completions.stream(model="fake-large", messages=QUESTION, tools=TOOLS) as stream:
        final = await stream.get_final_completion()
    [call] = final.choices[0].message.tool_calls
    assert (call.function.name, call.function.arguments) == ("weather", '{"city": "Paris"}')


async def test_json_mode_answers_in_json_and_pictures_are_seen(client):
    as_json = await client.chat.completions.create(
        model="fake-small", messages=QUESTION, response_format={"type": "json_object"}
    )
    assert as_json.choices[0].message.content == '{"answer": 42}'
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}
    seen = await client.chat.completions.create(
        model="fake-small", messages=[{"role": "user", "content": [{"type": "text", "text": "What?"}, picture]}]
    )
    assert seen.choices[0].message.content == "I see 1 pictures."


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
async def test_each_status_is_the_error_that_the_client_has_for_it(client, upstream, status, expected):
    refuses(status, upstream)
    with pytest.raises(expected) as caught:
        await client.chat.completions.create(model="fake-large", messages=QUESTION)
    assert (caught.value.code, caught.value.param, caught.value.type) == ("c", "p", "t")


@pytest.mark.parametrize(
    ("change", "expected", "param"),
    [
        ({"model": "gpt-nothing"}, openai.NotFoundError, None),
        ({"messages": []}, openai.BadRequestError, "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, openai.BadRequestError, "messages[0].role"),
        ({"messages": [{"role": "user", "content": "x " * 1001}]}, openai.BadRequestError, "messages"),
        ({"stream_options": {"include_usage": True}}, openai.BadRequestError, "stream_options"),
        ({"extra_body": {"unheard_of": 1}}, openai.BadRequestError, None),
    ],
)
async def test_wrong_requests_are_refused_as_openai_does(client, change, expected, param):
    with pytest.raises(expected) as caught:
        await client.chat.completions.create(**({"model": "fake-large", "messages": QUESTION} | change))
    assert caught.value.param == param


async def test_a_wrong_key_is_refused(upstream):
    async with AsyncOpenAI(api_key="sk-wrong", base_url=f"{upstream.url}/v1", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError):
            await client.chat.completions.create(model="fake-large", messages=QUESTION)


async def test_leaving_a_stream_ends_it_at_the_server(client, upstream):
    upstream.gate = asyncio.Event()
    stream = await client.chat.completions.create(model="fake-large", messages=QUESTION, stream=True)
    await anext(aiter(stream))
    assert upstream.in_flight == 1
    await stream.close()
    await asyncio.wait_for(upstream.abandoned.wait(), 5)
    assert upstream.in_flight == 0


async def test_azures_client_finds_a_deployment(upstream):
    async with AsyncAzureOpenAI(
        api_key=KEY, azure_endpoint=upstream.url, api_version="2024-10-21", max_retries=0
    ) as client:
        answer = await client.chat.completions.create(model="fake-large", messages=QUESTION)
    assert answer.model == "fake-large-2026-01-01"
    assert upstream.received[0].query == {"api-version": "2024-10-21"}
