"""What Anthropic's API is sent, and how its answers and failures are read."""

import json
from typing import Any

import pytest

from adapters.providers.chat import Usage
from adapters.providers.endpoint import Endpoint, Format
from adapters.providers.errors import (
    CredentialRefusedError,
    MalformedAnswerError,
    ModelMissingError,
    ProviderFaultError,
    RateLimitedError,
    RequestRefusedError,
    UnsupportedRequestError,
)
from adapters.providers.formats.anthropic_format import AnthropicFormat
from adapters.providers.formats.anthropic_request import DEFAULT_MAX_TOKENS, JSON_INSTRUCTION, messages_request
from adapters.providers.secret import Secret
from tests.integration.providers.upstreams import anthropic
from tests.unit.providers.openai_reading import completion, decoded, folded, said

FORMAT = AnthropicFormat(clock=lambda: 1_790_000_000.5)
HELLO = [{"role": "user", "content": "Hello"}]
WEATHER = {"type": "function", "function": {"name": "weather", "description": "d", "strict": True}}
USAGE = {"input_tokens": 3, "output_tokens": 1}
START = {"type": "message_start", "message": {"id": "msg_1", "model": "claude", "usage": USAGE}}
STOP = [
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}},
    {"type": "message_stop"},
]


def translated(**body: Any) -> dict[str, Any]:
    return messages_request("claude", {"messages": HELLO} | body, stream=False)


def message(*content: Any, **more: Any) -> bytes:
    fields = {"id": "msg_1", "type": "message", "model": "claude", "content": content, "usage": USAGE}
    return json.dumps(fields | {"stop_reason": "end_turn"} | more).encode()


def test_a_request_goes_to_messages_with_key_and_version_in_headers():
    endpoint = Endpoint("a", Format.ANTHROPIC, "https://api.anthropic.com/v1", Secret("sk-1"), query={"beta": "true"})
    sent = FORMAT.request(endpoint, "claude", {"messages": HELLO, "model": "auto", "stream": False}, stream=True)
    assert (sent.method, sent.url) == ("POST", "https://api.anthropic.com/v1/messages?beta=true")
    assert sent.headers == {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "anthropic-version": "2023-06-01",
        "x-api-key": "sk-1",
    }
    assert json.loads(sent.body) == {
        "model": "claude",
        "max_tokens": DEFAULT_MAX_TOKENS,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
        "stream": True,
    }


def test_headers_of_the_operator_win_and_the_version_in_the_address_is_optional():
    headers = {"Anthropic-Version": "2026-10-21", "anthropic-beta": "b"}
    endpoint = Endpoint("a", Format.ANTHROPIC, "https://proxy.example/anthropic", headers=headers)
    sent = FORMAT.request(endpoint, "claude", {"messages": HELLO}, stream=False)
    assert sent.url == "https://proxy.example/anthropic/v1/messages"
    assert (sent.headers["anthropic-version"], sent.headers["anthropic-beta"]) == ("2026-10-21", "b")
    assert "x-api-key" not in sent.headers


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"temperature": 0.2}, {"temperature": 0.2}),
        ({"temperature": 1}, {}),
        ({"temperature": 2}, {}),
        ({"top_p": 0.9}, {"top_p": 0.9}),
        ({"top_p": 1}, {}),
        ({"stop": "END"}, {"stop_sequences": ["END"]}),
        ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        ({"reasoning_effort": "minimal"}, {"output_config": {"effort": "low"}}),
        ({"reasoning_effort": "max"}, {"output_config": {"effort": "max"}}),
        (
            {"response_format": {"type": "json_object"}},
            {"system": [{"type": "text", "text": JSON_INSTRUCTION}]},
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}},
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        ),
        ({"tool_choice": "auto"}, {}),
    ],
)
def test_fields_have_their_counterparts(body, expected):
    assert translated(**body) == translated() | expected


@pytest.mark.parametrize(
    ("body", "choice"),
    [
        ({}, None),
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "none", "parallel_tool_calls": False}, {"type": "none"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "weather"}}, "parallel_tool_calls": False},
            {"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
        ),
    ],
)
def test_tools_and_their_choice_have_theirs(body, choice):
    request = translated(tools=[WEATHER], **body)
    schema = {"type": "object", "properties": {}}
    assert request["tools"] == [{"name": "weather", "input_schema": schema, "description": "d", "strict": True}]
    assert request.get("tool_choice") == choice


def test_marks_of_the_cache_reach_the_blocks():
    mark = {"type": "ephemeral"}
    content = [
        {"type": "text", "text": "a", "cache_control": mark},
        {"type": "image_url", "image_url": {"url": "https://a/b"}, "cache_control": mark},
    ]
    messages = [{"role": "system", "content": content[:1]}, {"role": "user", "content": content}]
    request = translated(messages=messages)
    blocks = [*request["system"], *request["messages"][0]["content"]]
    assert [block["cache_control"] for block in blocks] == [mark] * 3


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"n": 2}, "n"),
        ({"stop": ["END", "\n"]}, "stop"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "data:image/bmp;base64,a"}}],
                    }
                ]
            },
            "messages[0].content[0]",
        ),
    ],
)
def test_what_the_api_does_not_have_is_unsupported(body, param):
    with pytest.raises(UnsupportedRequestError) as caught:
        translated(**body)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "stop"),
        ("something_new", "stop"),
        (None, "stop"),
    ],
)
def test_finish_reasons_are_openais(reason, finish):
    assert completion(FORMAT.answer(message(stop_reason=reason), "r").body).choices[0].finish_reason == finish


def test_the_whole_prompt_is_what_was_fresh_kept_and_read():
    usage = {"input_tokens": 3, "cache_creation_input_tokens": 4, "cache_read_input_tokens": 5, "output_tokens": 7}
    assert FORMAT.answer(message(usage=usage), "r").usage == Usage(12, 5, 7)


@pytest.mark.parametrize(
    "usage", [None, {}, {"input_tokens": 3}, {"input_tokens": -1, "output_tokens": 2}, {"input_tokens": "3"}]
)
def test_what_is_not_told_of_tokens_is_unknown(usage):
    answer = FORMAT.answer(message({"type": "text", "text": "a"}, usage=usage), "r")
    assert None in (answer.usage.input_tokens, answer.usage.output_tokens)
    assert completion(answer.body).usage is None


def test_blocks_that_are_new_are_left_out():
    answer = FORMAT.answer(message({"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "a"}), "r")
    assert said(completion(answer.body))["text"] == "a"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"5",
        b"{}",
        b'{"type":"message"}',
        b'{"type":"message","content":5}',
        b"\xff",
        b"[" * 99999,
        message({"type": "tool_use", "id": "a", "name": "b", "input": "c"}),
    ],
)
def test_what_is_no_message_is_malformed(content):
    with pytest.raises(MalformedAnswerError):
        FORMAT.answer(content, "r")


def test_an_error_within_a_200_is_what_its_type_says():
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    with pytest.raises(ProviderFaultError, match="Overloaded") as caught:
        FORMAT.answer(body, "r")
    assert caught.value.request_id == "r"


@pytest.mark.parametrize(
    ("status", "kind", "message", "error"),
    [
        (400, "invalid_request_error", "max_tokens: required", RequestRefusedError),
        (400, "invalid_request_error", "`temperature` is deprecated for this model.", UnsupportedRequestError),
        (400, "invalid_request_error", "temperature: Extra inputs are not permitted", UnsupportedRequestError),
        (400, "invalid_request_error", "Your credit balance is too low to access the API", CredentialRefusedError),
        (401, "authentication_error", "invalid x-api-key", CredentialRefusedError),
        (402, "billing_error", "", CredentialRefusedError),
        (403, "permission_error", "", CredentialRefusedError),
        (404, "not_found_error", "model: claude", ModelMissingError),
        (413, "request_too_large", "", RequestRefusedError),
        (429, "rate_limit_error", "", RateLimitedError),
        (500, "api_error", "", ProviderFaultError),
        (504, "timeout_error", "", ProviderFaultError),
        (529, "overloaded_error", "", ProviderFaultError),
    ],
)
def test_failures_are_typed_by_status_and_within_a_stream_by_their_type(status, kind, message, error):
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_2"}
    failure = FORMAT.failure(status, {"request-id": "req_1"}, json.dumps(body).encode(), 0.0)
    assert (type(failure), failure.http_status, failure.request_id) == (error, status, "req_1")
    for raising in (
        lambda: decoded(FORMAT.decoder(), [START, body]),
        lambda: FORMAT.answer(json.dumps(body).encode(), "q"),
    ):
        with pytest.raises(error) as caught:
            raising()
        assert caught.value.http_status == 200


@pytest.mark.parametrize("status", [429, 503, 529])
def test_the_delay_that_a_failure_asks_for_is_kept(status):
    assert FORMAT.failure(status, {"retry-after": "3"}, b"{}", 0.0).retry_after_s == 3.0


@pytest.mark.parametrize(
    "message",
    [
        "prompt is too long: 210000 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000",
    ],
)
def test_a_prompt_that_is_too_long_may_fit_another_model(message):
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
    failure = FORMAT.failure(400, {}, json.dumps(body).encode(), 0.0)
    assert isinstance(failure, UnsupportedRequestError)
    assert (failure.code, failure.elsewhere) == ("context_length_exceeded", True)


def test_a_failure_without_json_still_has_a_type_and_shows_little():
    failure = FORMAT.failure(502, {}, b"<html>" + b"x" * 5000, 0.0)
    assert type(failure) is ProviderFaultError
    assert len(failure.message.encode()) < 300


def test_a_call_without_arguments_has_an_empty_object():
    block = {"type": "tool_use", "id": "t", "name": "weather", "input": {}}
    events = [
        START,
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": ""}},
        {"type": "content_block_stop", "index": 0},
        *STOP,
    ]
    assert said(folded(decoded(FORMAT.decoder(), events)))["calls"] == [("t", "weather", {})]


def test_arguments_that_come_in_parts_are_put_together_once():
    events = [
        START,
        {"type": "content_block_start", "index": 0, "content_block": anthropic.tool_block("t", "weather", {})},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": part}}
            for part in ("", '{"city"', ': "Rome"}')
        ),
        {"type": "content_block_stop", "index": 0},
        *STOP,
    ]
    assert said(folded(decoded(FORMAT.decoder(), events)))["calls"] == [("t", "weather", {"city": "Rome"})]


def test_later_counts_stand_for_the_whole_answer():
    decoder = FORMAT.decoder()
    chunks = decoded(decoder, [START, {"type": "ping"}, {"type": "new_event"}, *STOP])
    assert chunks[-1].usage == Usage(3, None, 7)
    assert (decoder.is_complete, [chunk.has_token for chunk in chunks]) == (True, [False] * 3)


def test_a_stream_is_complete_only_when_the_message_stopped():
    decoder = FORMAT.decoder()
    decoded(decoder, [START, *STOP[:-1]])
    assert not decoder.is_complete


@pytest.mark.parametrize("event", [None, 5, [], {}, {"type": 5}, {"type": "content_block_stop", "index": 0}])
def test_what_is_no_event_or_comes_before_the_start_is_malformed(event):
    with pytest.raises(MalformedAnswerError):
        decoded(FORMAT.decoder(), [event])
