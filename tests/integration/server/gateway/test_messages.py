"""Messages at the edge: failures as Anthropic's own client raises them, refusals by field, credentials, estimates."""

import json
import random
from dataclasses import replace
from typing import Any

import anthropic
import pytest

from adapters.providers.errors import (
    ProviderFaultError,
    ProviderTimeoutError,
    RateLimitedError,
    RequestRefusedError,
    StreamBrokenError,
)
from bandit.eligibility import EJECTED
from server.credentials import make_key
from server.errors import BudgetExhaustedError, NoEligibleModelError
from server.settings import ApiKey, ServerSettings
from tests.integration.server.gateway.conftest import SETTINGS, Edge
from tests.integration.server.gateway.scripted import chunk, completion

HELLO: list[Any] = [{"role": "user", "content": "Hello?"}]
KEY, SHA256 = make_key("acme", random.Random(7).randbytes)  # noqa: S311


def client_of(edge: Edge, key: str = "any", **options: Any) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(
        base_url=f"http://{edge.address}", api_key=key, **{"max_retries": 0, "timeout": 20.0, **options}
    )


def details_of(error: anthropic.APIStatusError) -> Any:
    body: Any = error.body
    return body["error"]["details"]


FAILURES = [
    (RequestRefusedError("no such voice", code="bad_voice"), anthropic.BadRequestError, "bad_voice"),
    (RateLimitedError("slow down", retry_after_s=7.2), anthropic.RateLimitError, "rate_limit_exceeded"),
    (BudgetExhaustedError("team", 60.0), anthropic.RateLimitError, "budget_exhausted"),
    (ProviderFaultError("down"), anthropic.InternalServerError, "provider_fault"),
    (ProviderTimeoutError("first_token", 3.0), anthropic.DeadlineExceededError, "provider_timeout"),
    (NoEligibleModelError({"small": EJECTED}), anthropic.ServiceUnavailableError, "models_failing"),
    (NoEligibleModelError({"small": "context_length"}), anthropic.BadRequestError, "context_length_exceeded"),
    (KeyError("a secret thought"), anthropic.InternalServerError, "internal"),
]
TYPES = {400: "invalid_request_error", 429: "rate_limit_error", 500: "api_error", 502: "api_error"}
TYPES |= {503: "overloaded_error", 504: "timeout_error"}


@pytest.mark.parametrize(("failure", "expected", "code"), FAILURES, ids=[code for *_, code in FAILURES])
async def test_a_failure_is_the_exception_that_the_client_has_for_it(edge, failure, expected, code):
    edge.chats.failure = failure
    async with client_of(edge) as client:
        for streamed in (False, True):
            with pytest.raises(expected) as raised:
                await client.messages.create(model="auto", max_tokens=9, messages=HELLO, stream=streamed)
            assert (raised.value.type, raised.value.error_code) == (TYPES[raised.value.status_code], code)
            assert "secret" not in str(raised.value.body)


async def test_a_failure_after_attempts_names_the_last_one_and_when_to_come_back(edge):
    edge.chats.failure = RateLimitedError("slow down", retry_after_s=7.2, request_id="upstream-9")
    async with client_of(edge) as client:
        with pytest.raises(anthropic.RateLimitError) as raised:
            await client.messages.create(model="auto", max_tokens=9, messages=HELLO)
    headers = raised.value.response.headers
    assert (headers["retry-after"], headers["x-routeward-attempts"]) == ("8", "2")
    assert raised.value.api_message == "large: slow down"


async def test_a_spent_budget_is_not_asked_again(edge):
    edge.chats.failure = BudgetExhaustedError("team", 60.0)
    async with client_of(edge, max_retries=3) as client:
        with pytest.raises(anthropic.RateLimitError):
            await client.messages.create(model="auto", max_tokens=9, messages=HELLO)
    assert len(edge.chats.chats) == 1


@pytest.mark.parametrize(("broken", "code"), [(True, "provider_stream_broken"), (False, "internal")])
async def test_what_fails_in_a_stream_is_its_last_event(edge, broken, code):
    edge.chats.breaks = edge.chats.failed(StreamBrokenError("cut off")) if broken else KeyError("a secret thought")
    edge.chats.chunks = (chunk("Hel"),)
    async with client_of(edge) as client:
        events = aiter(await client.messages.create(model="auto", max_tokens=9, messages=HELLO, stream=True))
        kinds = [(await anext(events)).type for _ in range(3)]
        with pytest.raises(anthropic.APIStatusError) as raised:
            await anext(events)
    assert kinds == ["message_start", "content_block_start", "content_block_delta"]
    assert raised.value.error_code == code
    assert "secret" not in str(raised.value.body)


async def test_a_call_whose_arguments_are_no_object_is_a_failure_of_the_provider(edge):
    call = {"id": "t-1", "type": "function", "function": {"name": "weather", "arguments": '{"city":'}}
    edge.chats.body = completion("", tool_calls=[call])
    async with client_of(edge) as client:
        with pytest.raises(anthropic.InternalServerError) as raised:
            await client.messages.create(model="auto", max_tokens=9, messages=HELLO)
    assert (raised.value.status_code, raised.value.error_code) == (502, "provider_answer_malformed")
    assert raised.value.response.headers["x-routeward-decision-id"]
    assert "city" not in str(raised.value.body)


async def test_what_cannot_be_carried_is_refused_by_its_field(edge):
    async with client_of(edge) as client:
        with pytest.raises(anthropic.BadRequestError) as raised:
            await client.messages.create(
                model="auto", max_tokens=9000, messages=HELLO, thinking={"type": "enabled", "budget_tokens": 4000}
            )
        with pytest.raises(anthropic.NotFoundError) as unknown:
            await client.messages.create(model="claude-made-up", max_tokens=9, messages=HELLO)
    assert details_of(raised.value) == {"error_code": "invalid_field", "param": "thinking"}
    assert "thinking: is disabled or left out" in str(raised.value)
    assert (unknown.value.type, unknown.value.error_code) == ("not_found_error", "model_not_found")
    assert not edge.chats.chats


async def test_headers_say_what_they_say_to_every_chat(edge):
    said = {"x-routeward-models": "large", "x-routeward-session": "s-1", "x-routeward-request-id": "r-1"}
    async with client_of(edge, default_headers=said) as client:
        raw = await client.messages.with_raw_response.create(model="auto/chat", max_tokens=9, messages=HELLO)
        with pytest.raises(anthropic.BadRequestError) as raised:
            await client.messages.create(
                model="auto", max_tokens=9, messages=HELLO, extra_headers={"x-routeward-max-price": "1"}
            )
    told = [raw.headers[name] for name in ("x-routeward-model", "x-routeward-category", "x-request-id")]
    assert told == ["large", "chat", "r-1"]
    assert details_of(raised.value)["param"] == "x-routeward-max-price"


@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
async def test_a_key_is_taken_where_the_client_puts_it(serve, header):
    settings = replace(SETTINGS, server=ServerSettings(keys=(ApiKey("acme", SHA256, "tenant"),)))
    given: Any = {"api_key": KEY, "auth_token": None} if header == "x-api-key" else {"api_key": None, "auth_token": KEY}
    async with serve(settings) as edge:
        async with client_of(edge, **{"key": given.pop("api_key"), **given}) as client:
            await client.messages.create(model="auto/chat", max_tokens=9, messages=HELLO)
        async with client_of(edge, "acme.wrong") as client:
            with pytest.raises(anthropic.AuthenticationError) as raised:
                await client.messages.create(model="auto", max_tokens=9, messages=HELLO)
        assert [caller.namespace for caller in edge.chats.callers] == ["tenant"]
    assert (raised.value.type, raised.value.error_code) == ("authentication_error", "invalid_api_key")


async def test_a_prompt_is_counted_by_the_estimate_that_decisions_are_made_with(edge):
    prompt: Any = {"system": "Be brief.", "messages": [{"role": "user", "content": "x" * 4000}]}
    async with client_of(edge) as client:
        counted = await client.messages.count_tokens(model="auto", **prompt)
        await client.messages.create(model="auto", max_tokens=9, **prompt)
    [chat] = edge.chats.chats
    assert counted.input_tokens == chat.call.input_tokens == 1011


@pytest.mark.parametrize(
    ("method", "body", "status", "kind"),
    [
        ("GET", b"", 405, "invalid_request_error"),
        ("POST", b"{", 400, "invalid_request_error"),
        ("POST", b"[]", 400, "invalid_request_error"),
        ("POST", b" " * 300_000, 413, "request_too_large"),
    ],
)
async def test_what_is_no_request_is_told_in_the_same_form(edge, method, body, status, kind):
    head = f"{method} /v1/messages HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\n"
    answer = await edge.send(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    head, _, content = answer.decode().partition("\r\n\r\n")
    assert int(head.split()[1]) == status
    told = json.loads(content)
    assert (told["type"], told["error"]["type"]) == ("error", kind)
