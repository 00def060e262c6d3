"""What is sent to servers that speak OpenAI's format, and what is understood of their answers."""

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.providers.chat import Usage
from adapters.providers.endpoint import Endpoint, Format
from adapters.providers.errors import (
    MalformedAnswerError,
    ProviderError,
    ProviderFaultError,
    RateLimitedError,
    RequestRefusedError,
)
from adapters.providers.formats.chat_format import ServerSentEvent
from adapters.providers.formats.openai_format import OpenAIFormat
from adapters.providers.secret import Secret

FORMAT = OpenAIFormat()
KEY = Secret("sk-0123456789")
OPENAI = Endpoint("openai", Format.OPENAI, "https://api.openai.com/v1", KEY)
AZURE = Endpoint("azure", Format.AZURE, "https://acme.openai.azure.com/openai/v1", KEY)
BODY = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}]}


def sent(body: dict[str, Any], *, stream: bool = False) -> Any:
    return json.loads(FORMAT.request(OPENAI, "gpt-4o", body, stream=stream).body)


def event(document: object) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(document).encode())


def choice(delta: object = None, finish_reason: str | None = None, index: int = 0) -> dict[str, object]:
    return {"index": index, "delta": delta or {}, "finish_reason": finish_reason}


def whole(**fields: object) -> bytes:
    choices = [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "length"}]
    return json.dumps({"choices": choices} | fields).encode()


# Requests


def test_a_request_goes_to_chat_completions_with_the_key_as_bearer():
    request = FORMAT.request(OPENAI, "gpt-4o", BODY, stream=False)
    assert (request.method, request.url) == ("POST", "https://api.openai.com/v1/chat/completions")
    assert request.headers == {
        "content-type": "application/json",
        "accept": "application/json",
        "authorization": "Bearer sk-0123456789",
    }


def test_a_server_without_a_key_gets_none():
    for key in (None, Secret("")):
        local = Endpoint("vllm", Format.OPENAI, "http://127.0.0.1:8000/v1", key)
        assert set(FORMAT.request(local, "llama", BODY, stream=True).headers) == {"content-type", "accept"}


def test_the_operators_headers_and_query_are_added_and_win():
    endpoint = Endpoint(
        "router",
        Format.OPENAI,
        "https://x.example/v1",
        KEY,
        {"X-Title": "acme", "Authorization": "Token t"},
        {"a": "b c"},
    )
    request = FORMAT.request(endpoint, "m", BODY, stream=False)
    assert request.url == "https://x.example/v1/chat/completions?a=b+c"
    assert (request.headers["x-title"], request.headers["authorization"]) == ("acme", "Token t")


def test_azure_takes_the_model_in_the_body_and_the_key_in_a_header_of_its_own():
    request = FORMAT.request(AZURE, "my gpt", BODY, stream=False)
    assert request.url == "https://acme.openai.azure.com/openai/v1/chat/completions"
    assert request.headers["api-key"] == "sk-0123456789"
    assert "authorization" not in request.headers
    assert json.loads(request.body)["model"] == "my gpt"


@pytest.mark.parametrize("path", ["", "/openai", "/openai/v1"])
def test_azures_address_is_found_from_the_bare_host_and_from_the_whole_one(path):
    host = "https://acme.openai.azure.com"
    new = Endpoint("azure", Format.AZURE, host + path, KEY)
    assert FORMAT.request(new, "my/gpt", BODY, stream=False).url == f"{host}/openai/v1/chat/completions"
    older = Endpoint("azure", Format.AZURE, host + path, KEY, api_version="2024-10-21")
    expected = f"{host}/openai/deployments/my%2Fgpt/chat/completions?api-version=2024-10-21"
    assert FORMAT.request(older, "my/gpt", BODY, stream=False).url == expected


def test_unknown_fields_pass_and_the_callers_body_stays_as_it_is():
    body = BODY | {"unheard_of": {"deep": [1, None, "ü\ud800"]}, "stream": True, "stream_options": {"x": 1}}
    before = json.dumps(body)
    assert sent(body) == BODY | {"model": "gpt-4o", "unheard_of": {"deep": [1, None, "ü\ud800"]}}
    assert json.dumps(body) == before


def test_a_stream_asks_for_its_usage_whatever_the_caller_wants():
    options = {"include_usage": False, "include_obfuscation": False}
    streamed = sent(BODY | {"stream": False, "stream_options": options}, stream=True)
    assert streamed["stream"] is True
    assert streamed["stream_options"] == {"include_usage": True, "include_obfuscation": False}
    assert sent(BODY | {"stream_options": None}, stream=True)["stream_options"] == {"include_usage": True}


def test_who_refuses_the_question_for_usage_is_not_asked():
    mistral = Endpoint("mistral", Format.OPENAI, "https://api.mistral.ai/v1", KEY, stream_usage=False)

    def options(asked: object) -> object:
        body = BODY | {"stream_options": asked}
        return json.loads(FORMAT.request(mistral, "m", body, stream=True).body).get("stream_options")

    assert options(None) is None
    assert options({"include_usage": True}) is None
    assert options({"include_usage": True, "x": 1}) == {"x": 1}


@pytest.mark.parametrize(
    ("body", "param"), [({"stream_options": []}, "stream_options"), ({"top_p": math.nan}, ""), ({"x": {1, 2}}, "")]
)
def test_what_cannot_be_said_is_refused_without_being_shown(body, param):
    with pytest.raises(RequestRefusedError) as caught:
        FORMAT.request(OPENAI, "gpt-4o", BODY | body, stream=True)
    assert caught.value.param == param


# Answers


def test_an_answer_keeps_its_bytes():
    content = b' {"choices":[{"message":{"content":"H\\u00ef"},"finish_reason":"stop"}],"unheard_of":1.0 }\n'
    answer = FORMAT.answer(content, "req-1")
    assert answer.body is content
    assert (answer.finish_reason, answer.request_id, answer.usage) == ("stop", "req-1", Usage())


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}, Usage(9, None, 3)),
        ({"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens": 0}, Usage(9, 4, 0)),
        ({"prompt_tokens": 9, "prompt_tokens_details": None, "completion_tokens": 3}, Usage(9, None, 3)),
        ({"prompt_tokens": 9, "prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 1}, Usage(9, 8)),
        ({"prompt_tokens": 9, "cached_tokens": 0}, Usage(9, 0)),
        ({"prompt_tokens": 9, "completion_tokens": 3, "cost": 0.00014}, Usage(9, None, 3, 0.00014)),
        ({"prompt_tokens": 9, "cost": 0}, Usage(9, cost_usd=0.0)),
        ({"prompt_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}, Usage(2, 2)),
        ({"prompt_tokens": -1, "completion_tokens": 1.5, "cost": -1}, Usage()),
        ({"prompt_tokens": True, "completion_tokens": "3", "cost": {"total": 1}}, Usage()),
        ({"prompt_tokens": 10**30, "cost": 1e9}, Usage()),
        ("many", Usage()),
        (None, Usage()),
    ],
)
def test_usage_is_read_where_it_is_said_and_unknown_where_not(usage, expected):
    assert FORMAT.answer(whole(usage=usage), "").usage == expected


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe{",
        b'{"choices": []}',
        b'{"choices": {}}',
        b'{"choices": [{"message": {}}], "usage": {"cost": NaN}}',
        b'{"choices": [{}]}',
        b'{"choices": [null]}',
        b'{"choices": "abc"}',
        b'{"choices": [{"message": "Hi"}]}',
        '{"choices": [{"message": {}}]}'.encode("utf-16"),
        b'{"choices": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"n": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_chat_completion_is_malformed_and_no_error_keeps_it(content):
    with pytest.raises(MalformedAnswerError) as caught:
        FORMAT.answer(content, "req-1")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"error": {"message": "m", "code": 429}}, RateLimitedError),
        ({"error": {"message": "m", "code": 503}}, ProviderFaultError),
        ({"error": {"message": "m", "code": "rate_limit_exceeded"}}, RateLimitedError),
        ({"error": {"message": "m", "type": "invalid_request_error"}}, RequestRefusedError),
        ({"error": "m"}, ProviderFaultError),
        ({"object": "error", "message": "m", "code": 400}, RequestRefusedError),
        ({"choices": [{"message": {}, "finish_reason": "error", "error": {"code": 429}}]}, RateLimitedError),
        ({"choices": [{"message": {}, "finish_reason": "error"}]}, ProviderFaultError),
    ],
)
def test_an_error_within_a_200_is_the_one_it_reports_in_answers_and_in_streams(fields, expected):
    with pytest.raises(expected) as caught:
        FORMAT.answer(whole(**fields), "req-1")
    assert (caught.value.request_id, caught.value.http_status) == ("req-1", 200)
    with pytest.raises(expected) as caught:
        list(FORMAT.decoder().feed(ServerSentEvent(whole(**fields))))
    assert caught.value.http_status == 200


def test_a_null_error_is_none():
    assert FORMAT.answer(whole(error=None), "").finish_reason == "length"


# Streams


@pytest.mark.parametrize(
    ("delta", "has_token"),
    [
        ({"role": "assistant"}, False),
        ({"role": "assistant", "content": "", "tool_calls": [], "reasoning_content": None}, False),
        (None, False),
        ({"content": "H"}, True),
        ({"role": "assistant", "content": " "}, True),
        ({"reasoning_content": "hm"}, True),
        ({"reasoning": "hm"}, True),
        ({"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]}, True),
        ({"refusal": "no"}, True),
    ],
)
def test_text_reasoning_refusals_and_tool_calls_are_tokens_and_a_role_is_none(delta, has_token):
    said = event({"choices": [choice(delta)]})
    [chunk] = FORMAT.decoder().feed(said)
    assert chunk.data is said.data
    assert chunk.has_token is has_token


def test_a_stream_is_complete_with_done():
    decoder = FORMAT.decoder()
    list(decoder.feed(event({"choices": [choice({"content": "H"})]})))
    assert not decoder.is_complete
    assert list(decoder.feed(ServerSentEvent(b"[DONE]"))) == []
    assert decoder.is_complete


def test_done_alone_is_no_answer():
    decoder = FORMAT.decoder()
    list(decoder.feed(ServerSentEvent(b"[DONE]")))
    assert not decoder.is_complete


def test_without_done_every_choice_has_to_end():
    decoder = FORMAT.decoder()
    list(decoder.feed(event({"choices": [choice({"content": "H"}), choice({"content": "J"}, index=1)]})))
    [chunk] = decoder.feed(event({"choices": [choice(None, "stop")]}))
    assert (chunk.finish_reason, decoder.is_complete) == ("stop", False)
    list(decoder.feed(event({"choices": [choice(None, "length", index=1)]})))
    assert decoder.is_complete
    list(decoder.feed(event({"choices": [choice({"content_filter_offsets": 1})]})))
    assert decoder.is_complete


@pytest.mark.parametrize(("tail", "is_complete"), [([], False), ([b"[DONE]"], True)])
def test_a_choice_that_is_wanted_and_not_yet_begun_is_waited_for(tail, is_complete):
    decoder = FORMAT.decoder(2)
    list(decoder.feed(event({"choices": [choice({"content": "H"}, "stop")]})))
    assert not decoder.is_complete
    for data in tail:
        list(decoder.feed(ServerSentEvent(data)))
    assert decoder.is_complete is is_complete
    list(decoder.feed(event({"choices": [choice({"content": "J"}, "stop", index=1)]})))
    assert decoder.is_complete


def test_chunks_without_choices_bring_usage_or_nothing_and_pass():
    decoder = FORMAT.decoder()
    [filtered] = decoder.feed(event({"choices": [], "prompt_filter_results": [{"prompt_index": 0}]}))
    assert (filtered.has_choices, filtered.usage, filtered.has_token) == (False, None, False)
    [used] = decoder.feed(event({"choices": [], "usage": {"prompt_tokens": 2, "completion_tokens": 1}}))
    assert (used.has_choices, used.usage) == (False, Usage(2, None, 1))
    [other] = decoder.feed(event({"object": "something.new"}))
    assert (other.has_choices, decoder.is_complete) == (False, False)


def test_groqs_usage_comes_with_its_last_choice():
    x_groq = {"id": "req", "usage": {"prompt_tokens": 2, "completion_tokens": 1}}
    [chunk] = FORMAT.decoder().feed(event({"choices": [choice(None, "stop")], "x_groq": x_groq}))
    assert (chunk.has_choices, chunk.usage) == (True, Usage(2, None, 1))


@pytest.mark.parametrize("data", [b'{"message": "out of memory"}', b'{"error": "out of memory"}', b"out of memory"])
def test_an_event_that_is_called_error_is_one_whatever_it_says(data):
    with pytest.raises(ProviderFaultError, match="out of memory"):
        list(FORMAT.decoder().feed(ServerSentEvent(data, "error")))


@pytest.mark.parametrize(
    "data", [b"", b"{", b"null", b"[]", b'{"choices": 3}', b'{"choices": [1]}', b'{"choices": [{"index": "0"}]}']
)
def test_an_event_that_is_no_part_of_an_answer_is_malformed(data):
    with pytest.raises(MalformedAnswerError):
        list(FORMAT.decoder().feed(ServerSentEvent(data)))


NAMES = st.sampled_from(
    [
        *("choices", "message", "delta", "index", "finish_reason", "error", "code", "type", "param", "metadata"),
        *("usage", "x_groq", "prompt_tokens", "prompt_tokens_details", "cached_tokens", "cost", "detail", "msg"),
    ]
)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["error", "stop"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(DOCUMENTS | st.dictionaries(NAMES, DOCUMENTS), st.integers(100, 599))
def test_whatever_json_comes_is_read_or_is_a_typed_error(document, status):
    content = json.dumps(document).encode()
    for read in (
        lambda: FORMAT.answer(content, ""),
        lambda: list(FORMAT.decoder().feed(ServerSentEvent(content))),
    ):
        with suppress(ProviderError):
            read()
    assert isinstance(FORMAT.failure(status, {}, content, 0.0), ProviderError)
