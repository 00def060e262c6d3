"""OpenAI's own client against the edge: nothing but its base_url is changed."""

import asyncio
from dataclasses import replace

import openai
import pytest

from adapters.providers.errors import (
    CredentialRefusedError,
    ProviderFaultError,
    ProviderTimeoutError,
    RateLimitedError,
    RequestRefusedError,
    StreamBrokenError,
    UnreachableError,
)
from server.errors import BudgetExhaustedError, NoEligibleModelError
from server.settings import CategorySettings
from tests.integration.server.gateway.conftest import SETTINGS
from tests.integration.server.gateway.scripted import USAGE, chunk, completion, usage_chunk

HELLO = [{"role": "user", "content": "Hello?"}]


async def test_an_answer_says_who_gave_it_and_what_it_should_cost(edge):
    async with edge.client() as client:
        raw = await client.chat.completions.with_raw_response.create(model="auto/chat", messages=HELLO)
    answer = raw.parse()
    assert (answer.choices[0].message.content, answer.usage.total_tokens) == ("Hello!", 14)
    told = {name: raw.headers[f"x-routeward-{name}"] for name in ("category", "kind", "expected-cost-usd", "attempts")}
    assert told == {"category": "chat", "kind": "SAMPLED", "expected-cost-usd": "0.00125", "attempts": "1"}
    assert raw.headers["x-routeward-model"] in ("small", "large")
    assert raw.headers["x-routeward-decision-id"]
    assert raw.headers["x-routeward-provider-request-id"] == "upstream-1"
    assert raw.request_id == f"{1:024x}"


async def test_a_stream_arrives_whole_in_order_and_before_it_is_complete(edge):
    edge.chats.gate.clear()
    async with edge.client() as client:
        stream = await client.chat.completions.create(model="auto", messages=HELLO, stream=True)
        parts = aiter(stream)
        texts = [(await anext(parts)).choices[0].delta.content]
        edge.chats.gate.set()
        texts += [one.choices[0].delta.content async for one in parts]
    assert texts == ["Hel", "lo!", ""]
    await asyncio.wait_for(edge.chats.closed.wait(), 20)
    assert stream.response.headers["content-type"].startswith("text/event-stream")
    assert stream.response.headers["x-routeward-model"]


async def test_the_chunk_of_usage_comes_only_to_those_who_ask_for_it(edge):
    options = {"include_usage": True}
    async with edge.client() as client:
        stream = await client.chat.completions.create(model="auto", messages=HELLO, stream=True, stream_options=options)
        parts = [one async for one in stream]
    assert [len(one.choices) for one in parts] == [1, 1, 1, 0]
    assert parts[-1].usage.prompt_tokens == 11


async def test_tools_and_fields_that_nobody_here_knows_pass_through(edge):
    call = {"id": "t-1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Bern"}'}}
    edge.chats.body = completion("", tool_calls=[call])
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    async with edge.client() as client:
        answer = await client.chat.completions.create(
            model="auto", messages=HELLO, tools=tools, extra_body={"made_up": {"deep": [1, 2]}}
        )
    assert answer.choices[0].message.tool_calls[0].function.arguments == '{"city":"Bern"}'
    [chat] = edge.chats.chats
    assert (chat.body["tools"], chat.body["made_up"]) == (tools, {"deep": [1, 2]})
    assert chat.call.constraints.capabilities == {"tools"}


async def test_a_model_that_is_named_is_forced_and_its_category_found_all_the_same(edge):
    async with edge.client(default_headers={"x-routeward-category": "chat"}) as client:
        raw = await client.chat.completions.with_raw_response.create(model="large", messages=HELLO)
    assert [raw.headers[f"x-routeward-{name}"] for name in ("kind", "model", "category")] == ["FORCED", "large", "chat"]


async def test_models_and_categories_are_listed_and_found_by_name(edge):
    async with edge.client() as client:
        listed = [model.id async for model in client.models.list()]
        found = await client.models.retrieve("auto/chat")
        with pytest.raises(openai.NotFoundError) as raised:
            await client.models.retrieve("gpt-nothing")
    assert listed == ["auto", "auto/chat", "auto/default", "small", "large"]
    assert (found.id, found.owned_by) == ("auto/chat", "routeward")
    assert raised.value.code == "model_not_found"


FAILURES = [
    (RequestRefusedError("no such voice", code="bad_voice", param="voice"), openai.BadRequestError, "bad_voice"),
    (RateLimitedError("slow down", retry_after_s=7.2), openai.RateLimitError, "rate_limit_exceeded"),
    (ProviderTimeoutError("first_token", 3.0), openai.InternalServerError, "provider_timeout"),
    (UnreachableError("no route"), openai.InternalServerError, "provider_unreachable"),
    (ProviderFaultError("overloaded"), openai.InternalServerError, "provider_fault"),
    (CredentialRefusedError("key"), openai.InternalServerError, "provider_credential_refused"),
    (NoEligibleModelError({"small": "context_length"}), openai.BadRequestError, "context_length_exceeded"),
    (NoEligibleModelError({"small": "provider_key"}), openai.InternalServerError, "no_callable_model"),
    (NoEligibleModelError({"small": "region"}), openai.BadRequestError, "no_eligible_model"),
    (BudgetExhaustedError("team", 60.0), openai.RateLimitError, "budget_exhausted"),
]


@pytest.mark.parametrize(("failure", "expected", "code"), FAILURES, ids=[code for *_, code in FAILURES])
async def test_a_failure_is_the_exception_that_the_client_has_for_it(edge, failure, expected, code):
    edge.chats.failure = failure
    async with edge.client() as client:
        for streamed in (False, True):
            with pytest.raises(expected) as raised:
                await client.chat.completions.create(model="auto", messages=HELLO, stream=streamed)
            assert raised.value.code == code


async def test_a_failure_after_attempts_names_the_last_one_and_when_to_come_back(edge):
    edge.chats.failure = RateLimitedError("slow down", retry_after_s=7.2, request_id="upstream-9")
    async with edge.client() as client:
        with pytest.raises(openai.RateLimitError) as raised:
            await client.chat.completions.create(model="auto", messages=HELLO)
    headers = raised.value.response.headers
    assert (headers["retry-after"], headers["x-routeward-attempts"]) == ("8", "2")
    assert (headers["x-routeward-decision-id"], headers["x-routeward-model"]) == ("second", "large")
    assert headers["x-routeward-provider-request-id"] == "upstream-9"
    assert "large: slow down" in str(raised.value)


@pytest.mark.parametrize(
    ("model", "headers", "param"),
    [("auto/poetry", {}, "model"), ("auto", {"x-routeward-category": "poetry"}, "x-routeward-category")],
)
async def test_an_unknown_category_is_told_by_what_named_it_and_default_is_always_known(serve, model, headers, param):
    catalogue = replace(SETTINGS.catalogue, strict_categories=True, categories={"chat": CategorySettings()})
    async with serve(replace(SETTINGS, catalogue=catalogue)) as edge, edge.client() as client:
        with pytest.raises(openai.NotFoundError) as raised:
            await client.chat.completions.create(model=model, messages=HELLO, extra_headers=headers)
        raw = await client.chat.completions.with_raw_response.create(model="auto", messages=HELLO)
    assert (raised.value.code, raised.value.param) == ("category_unknown", param)
    assert raw.headers["x-routeward-category"] == "default"


async def test_a_spent_budget_is_not_asked_again(edge):
    edge.chats.failure = BudgetExhaustedError("team", 60.0)
    async with edge.client(max_retries=3) as client:
        with pytest.raises(openai.RateLimitError):
            await client.chat.completions.create(model="auto", messages=HELLO)
    assert len(edge.chats.chats) == 1


@pytest.mark.parametrize(("broken", "code"), [(True, "provider_stream_broken"), (False, "internal")])
async def test_what_fails_in_a_stream_is_its_last_event(edge, broken, code):
    edge.chats.breaks = edge.chats.failed(StreamBrokenError("cut off")) if broken else KeyError("a secret thought")
    edge.chats.chunks = (chunk("Hel"),)
    async with edge.client() as client:
        parts = aiter(await client.chat.completions.create(model="auto", messages=HELLO, stream=True))
        assert (await anext(parts)).choices[0].delta.content == "Hel"
        with pytest.raises(openai.APIError) as raised:
            await anext(parts)
    assert raised.value.code == code
    assert "secret" not in str(raised.value.body)


async def test_a_defect_is_told_by_its_incident_and_described_in_the_log_alone(edge):
    edge.chats.failure = KeyError("a secret thought")
    async with edge.client() as client:
        with pytest.raises(openai.InternalServerError) as raised:
            await client.chat.completions.create(model="auto", messages=HELLO)
    assert "incident-1" in str(raised.value)
    assert "secret" not in str(raised.value)
    [defect] = [one for one in edge.events if one["event"] == "defect"]
    assert defect["incident"] == "incident-1"
    assert "a secret thought" in defect["exception"]


async def test_a_caller_who_gives_up_cancels_his_call(edge):
    edge.chats.gate.clear()
    async with edge.client() as client:
        asking = asyncio.create_task(client.chat.completions.create(model="auto", messages=HELLO))
        await asyncio.wait_for(edge.chats.begun.wait(), 20)
        asking.cancel()
        await asyncio.wait([asking])
    await asyncio.wait_for(edge.chats.cancelled.wait(), 20)


async def test_a_caller_who_leaves_a_stream_ends_it(edge):
    edge.chats.gate.clear()
    async with edge.client() as client:
        stream = await client.chat.completions.create(model="auto", messages=HELLO, stream=True)
        await anext(aiter(stream))
        await stream.close()
    await asyncio.wait_for(edge.chats.closed.wait(), 20)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_conversation_goes_on_at_the_decision_whose_prompt_is_warm(edge, streamed):
    edge.chats.usage, edge.chats.chunks = USAGE._replace(input_tokens=3000), (chunk("Hi", "stop"), usage_chunk(3000))
    long, session = [{"role": "user", "content": "x" * 20_000}], {"x-routeward-session": "s-1"}
    ids = []
    async with edge.client(default_headers=session) as client:
        for _ in range(2):
            raw = await client.chat.completions.with_raw_response.create(
                model="auto/chat", messages=long, stream=streamed
            )
            ids.append(raw.headers["x-routeward-decision-id"])
            assert not streamed or [part async for part in raw.parse()]
    first, second = (chat.call for chat in edge.chats.chats)
    assert (first.previous_decision_id, first.cached_input_tokens) == ("", None)
    assert (second.previous_decision_id, second.cached_input_tokens) == (ids[0], 3000)
