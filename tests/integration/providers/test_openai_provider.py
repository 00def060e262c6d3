"""A provider speaks to a server that is as strict as OpenAI, over real sockets."""

import asyncio
import json

import pytest

from adapters.providers import answer_stream
from adapters.providers.aiohttp_transport import AiohttpTransport
from adapters.providers.chat import Timeouts, Usage
from adapters.providers.endpoint import Endpoint, Format, Upstream
from adapters.providers.errors import (
    CredentialRefusedError,
    MalformedAnswerError,
    ModelMissingError,
    ProviderError,
    ProviderFaultError,
    ProviderTimeoutError,
    RateLimitedError,
    RequestRefusedError,
    StreamBrokenError,
    UnreachableError,
)
from adapters.providers.provider import HttpProvider, providers
from adapters.providers.secret import Secret
from server.ports import Provider
from tests.integration.providers.upstreams.openai import KEY, Failure, OpenAIUpstream

NOW_S = 1_700_000_000.0
PATIENT = Timeouts(5.0, 5.0, 5.0, 10.0)
BODY = {"model": "auto", "messages": [{"role": "system", "content": "Be short"}, {"role": "user", "content": "Hi"}]}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]


@pytest.fixture
def provider(upstream: OpenAIUpstream, transport: AiohttpTransport) -> Provider:
    return at(Endpoint("acme", Format.OPENAI, f"{upstream.url}/v1", Secret(KEY)), transport)


def at(endpoint: Endpoint, transport: AiohttpTransport, model: str = "fake-large") -> HttpProvider:
    return providers(transport, {"acme": endpoint}, {"large": Upstream("acme", model)}, lambda: NOW_S)["large"]


async def text_of(provider: Provider, body=BODY, timeouts: Timeouts = PATIENT) -> str:
    stream = await provider.stream(body, timeouts)
    choices = [json.loads(chunk.data)["choices"] async for chunk in stream]
    return "".join(choice[0]["delta"].get("content") or "" for choice in choices if choice)


async def test_an_answer_comes_with_its_bytes_usage_reason_and_request_id(provider):
    answer = await provider.complete(BODY, PATIENT)
    document = json.loads(answer.body)
    assert document["choices"][0]["message"]["content"] == "Hello there, naïve wörld."
    assert document["service_tier"] == "default"
    assert answer.usage == Usage(input_tokens=3, cached_input_tokens=2, output_tokens=4)
    assert (answer.finish_reason, answer.request_id) == ("stop", "req-whole")


async def test_what_is_ours_is_set_and_everything_else_passes_untouched(provider, upstream):
    asked = BODY | {"stream": True, "stream_options": {"include_usage": False}, "metadata": {"k": "\ud800é"}, "seed": 7}
    await provider.complete(asked, PATIENT)
    sent = upstream.received[0].body
    assert sent == BODY | {"model": "fake-large", "metadata": {"k": "\ud800é"}, "seed": 7}


async def test_a_stream_brings_the_tokens_in_order_and_the_usage_that_nobody_asked_for(provider):
    stream = await provider.stream(BODY, PATIENT)
    chunks = [chunk async for chunk in stream]
    assert [chunk.has_token for chunk in chunks] == [False, True, True, True, True, False, False]
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]
    assert chunks[-1].usage == Usage(input_tokens=3, cached_input_tokens=2, output_tokens=4)
    assert [chunk.has_choices for chunk in chunks] == [True] * 6 + [False]
    assert stream.request_id == "req-stream"


async def test_parts_of_a_tool_call_are_tokens(provider):
    stream = await provider.stream(BODY | {"tools": TOOLS}, PATIENT)
    chunks = [chunk async for chunk in stream]
    assert [chunk.has_token for chunk in chunks] == [True, True, True, False, False]
    assert chunks[3].finish_reason == "tool_calls"


async def test_a_connection_is_used_again_after_a_stream_and_after_a_failure(provider, upstream):
    peers = set()

    for failure in (None, Failure(500, "{}"), None):
        upstream.failure = failure
        try:
            await text_of(provider)
        except ProviderFaultError:
            assert failure is not None
        peers |= upstream.ports
    assert len(peers) == 1


async def test_a_stream_without_done_is_complete_when_its_choice_ended(provider, upstream):
    upstream.tail = ""
    assert await text_of(provider) == "Hello there, naïve wörld. "


async def test_a_stream_that_is_done_ends_even_if_its_connection_does_not(provider, upstream, monkeypatch):
    monkeypatch.setattr(answer_stream, "LINGER_S", 0.05)
    upstream.is_closing = False
    assert await text_of(provider) == "Hello there, naïve wörld. "
    await asyncio.wait_for(upstream.abandoned.wait(), 5)


async def test_a_stream_that_ends_early_is_broken_after_what_came_of_it(provider, upstream):
    upstream.events = ['data: {"choices": [{"index": 0, "delta": {"content": "Hel"}}]}\n\n']
    upstream.tail = ""
    stream = await provider.stream(BODY, PATIENT)
    assert (await anext(stream)).has_token
    with pytest.raises(StreamBrokenError) as caught:
        await anext(stream)
    assert caught.value.request_id == "req-stream"
    assert upstream.in_flight == 0


async def test_a_stream_that_lacks_a_choice_that_was_asked_for_is_broken(provider, upstream):
    upstream.events = ['data: {"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]}\n\n']
    upstream.tail = ""
    assert await text_of(provider) == "Hi"
    with pytest.raises(StreamBrokenError):
        await text_of(provider, BODY | {"n": 2})


@pytest.mark.parametrize("count", [0, -1, 129, True, 2.0, "2", [2]])
async def test_a_stream_of_no_number_of_choices_is_refused_unsent(provider, upstream, count):
    with pytest.raises(RequestRefusedError) as caught:
        await provider.stream(BODY | {"n": count}, PATIENT)
    assert (caught.value.param, caught.value.http_status, upstream.received) == ("n", None, [])


async def test_an_error_within_a_stream_is_raised_after_the_tokens_before_it(provider, upstream):
    begun = 'data: {"choices": [{"index": 0, "delta": {"content": "Hel"}}]}\n\n'
    upstream.events = [begun + 'data: {"error": {"code": 502, "message": "the model fell over"}}\n\n']
    stream = await provider.stream(BODY, PATIENT)
    assert (await anext(stream)).has_token
    with pytest.raises(ProviderFaultError, match="fell over"):
        await anext(stream)


async def test_a_stream_that_goes_silent_before_its_first_token_is_too_slow(provider, upstream):
    upstream.gate = asyncio.Event()
    stream = await provider.stream(BODY, PATIENT._replace(first_token_s=0.05))
    assert not (await anext(stream)).has_token
    with pytest.raises(ProviderTimeoutError) as caught:
        await anext(stream)
    assert caught.value.phase == "first_token"
    await asyncio.wait_for(upstream.abandoned.wait(), 5)


async def test_a_stream_that_does_not_even_begin_is_too_slow(provider, upstream):
    upstream.stall_headers = True
    with pytest.raises(ProviderTimeoutError) as caught:
        await provider.stream(BODY, PATIENT._replace(first_token_s=0.05))
    assert caught.value.phase == "first_token"
    await asyncio.wait_for(upstream.abandoned.wait(), 5)


async def test_a_stream_that_goes_silent_between_tokens_is_idle(provider, upstream):
    upstream.gate = asyncio.Event()
    upstream.events = ['data: {"choices": [{"index": 0, "delta": {"content": "Hel"}}]}\n\n', "data: never\n\n"]
    stream = await provider.stream(BODY, PATIENT._replace(idle_s=0.05))
    assert (await anext(stream)).has_token
    with pytest.raises(ProviderTimeoutError) as caught:
        await anext(stream)
    assert caught.value.phase == "idle"
    await asyncio.wait_for(upstream.abandoned.wait(), 5)


async def test_a_whole_answer_has_the_total_time(provider, upstream):
    upstream.gate = asyncio.Event()
    with pytest.raises(ProviderTimeoutError) as caught:
        await provider.complete(BODY, PATIENT._replace(total_s=0.05))
    assert caught.value.phase == "total"


async def test_closing_a_stream_ends_it_at_the_server(provider, upstream):
    upstream.gate = asyncio.Event()
    stream = await provider.stream(BODY, PATIENT)
    await anext(stream)
    assert upstream.in_flight == 1
    await stream.aclose()
    await stream.aclose()
    await asyncio.wait_for(upstream.abandoned.wait(), 5)
    with pytest.raises(StreamBrokenError):
        await anext(stream)


@pytest.mark.parametrize("is_stream", [False, True])
async def test_being_cancelled_ends_the_call_at_the_server(provider, upstream, is_stream):
    upstream.gate = asyncio.Event()
    task = asyncio.create_task(text_of(provider) if is_stream else provider.complete(BODY, PATIENT))
    await asyncio.wait_for(upstream.begun.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(upstream.abandoned.wait(), 5)
    assert upstream.in_flight == 0


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_wrong_key_and_a_wrong_name_are_the_operators(upstream, transport, is_stream):
    wrong_key = at(Endpoint("acme", Format.OPENAI, f"{upstream.url}/v1", Secret("sk-wrong")), transport)
    wrong_name = at(Endpoint("acme", Format.OPENAI, f"{upstream.url}/v1", Secret(KEY)), transport, "gpt-nothing")
    with pytest.raises(CredentialRefusedError) as caught:
        await (wrong_key.stream if is_stream else wrong_key.complete)(BODY, PATIENT)
    assert (caught.value.http_status, caught.value.request_id) == (401, "req-refused")
    with pytest.raises(ModelMissingError):
        await (wrong_name.stream if is_stream else wrong_name.complete)(BODY, PATIENT)


async def test_a_prompt_that_is_too_long_is_refused_with_the_code(provider):
    body = {"messages": [{"role": "user", "content": "secret " * 1001}]}
    with pytest.raises(RequestRefusedError) as caught:
        await provider.complete(body, PATIENT)
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "messages")
    assert "secret" not in str(caught.value)


async def test_retry_after_as_a_date_is_counted_from_the_clock(provider, upstream):
    upstream.failure = Failure(429, "slow down", {"Retry-After": "Tue, 14 Nov 2023 22:13:50 GMT"}, "text/plain")
    with pytest.raises(RateLimitedError) as caught:
        await provider.complete(BODY, PATIENT)
    assert caught.value.retry_after_s == 30.0


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (Failure(200, '{"error": {"message": "busy", "code": 429}}'), RateLimitedError),
        (Failure(200, '{"error": "out of memory"}'), ProviderFaultError),
        (Failure(200, "<html>", content_type="text/html"), MalformedAnswerError),
        (Failure(200, '{"choices": []}'), MalformedAnswerError),
        (Failure(200, "null"), MalformedAnswerError),
        (Failure(204, ""), MalformedAnswerError),
        (Failure(302, "", {"Location": "http://127.0.0.1:1/"}), MalformedAnswerError),
    ],
)
async def test_what_is_no_answer_is_a_typed_error_in_both_ways_of_asking(
    provider, upstream, failure, expected, is_stream
):
    upstream.failure = failure
    with pytest.raises(expected):
        await (provider.stream if is_stream else provider.complete)(BODY, PATIENT)
    assert len(upstream.received) == 1


async def test_a_whole_answer_where_a_stream_was_asked_for_is_none(provider, upstream):
    upstream.failure = Failure(200, '{"choices": [{"message": {"content": "Hi"}}]}')
    assert (await provider.complete(BODY, PATIENT)).body.startswith(b'{"choices"')
    with pytest.raises(MalformedAnswerError, match="instead of a stream"):
        await provider.stream(BODY, PATIENT)


@pytest.mark.parametrize("status", [200, 400, 401, 500])
@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_provider_that_repeats_the_key_is_not_quoted_with_it(provider, upstream, status, is_stream):
    # So far into the text that an excerpt would cut the key in two.
    upstream.failure = Failure(status, json.dumps({"error": {"message": "x" * 190 + KEY + f" {KEY}", "code": KEY}}))
    with pytest.raises(ProviderError) as caught:
        await (provider.stream if is_stream else provider.complete)(BODY, PATIENT)
    assert "sk-u" not in repr(vars(caught.value)) + str(caught.value)
    upstream.failure = None
    upstream.events = [f'data: {{"error": "{"x" * 190}{KEY}"}}\n\n']
    with pytest.raises(ProviderError) as caught:
        await text_of(provider)
    assert "sk-u" not in repr(vars(caught.value)) + str(caught.value)


async def test_azure_is_called_at_its_new_and_at_its_old_address(upstream, transport):
    new = at(Endpoint("azure", Format.AZURE, f"{upstream.url}/openai/v1", Secret(KEY)), transport)
    assert (await new.complete(BODY, PATIENT)).finish_reason == "stop"
    old = Endpoint("azure", Format.AZURE, f"{upstream.url}/openai", Secret(KEY), api_version="2024-10-21")
    assert await text_of(at(old, transport)) == "Hello there, naïve wörld. "
    assert [one.path for one in upstream.received] == [
        "/openai/v1/chat/completions",
        "/openai/deployments/fake-large/chat/completions",
    ]
    assert upstream.received[1].query == {"api-version": "2024-10-21"}
    assert {one.headers.get("Authorization") for one in upstream.received} == {None}


async def test_nothing_listening_is_unreachable(transport):
    provider = at(Endpoint("acme", Format.OPENAI, "http://127.0.0.1:1/v1"), transport)
    with pytest.raises(UnreachableError):
        await provider.complete(BODY, PATIENT)
    with pytest.raises(UnreachableError):
        await provider.stream(BODY, PATIENT)
