"""Anthropic's own client against the whole service: nothing but its base_url is changed, whoever the models are of."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import anthropic
import pytest

from adapters.providers.endpoint import Endpoint, Format, Upstream
from adapters.providers.secret import Secret
from bandit.catalogue import Model, Prices
from bandit.signals import Status
from server.settings import Catalogue
from tests.integration.providers.upstreams import anthropic as claude
from tests.integration.providers.upstreams import gemini
from tests.integration.providers.upstreams import openai as gpt
from tests.integration.server.gateway.whole import Running, running

HELLO: list[Any] = [{"role": "user", "content": "Hello?"}]
SENTENCE = "Hello there, naïve wörld."
MODELS = ("gpt", "claude", "gemini")
WEATHER: Any = {
    "name": "weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}


@dataclass
class Whole:
    """A service, models of three kinds that say the same, and a client."""

    client: anthropic.AsyncAnthropic
    gpt: gpt.OpenAIUpstream
    claude: claude.Upstream
    gemini: gemini.Upstream
    service: Running

    def stall(self) -> None:
        """Let every model go silent after its first words."""
        asked = {"model": "fake-large", "messages": HELLO}
        self.gpt.events = [f"data: {json.dumps(part)}\n\n" for part in gpt.parts(asked)][:2]
        self.gpt.tail, self.gpt.is_closing = "", False
        self.claude.replies = [claude.Reply([claude.text_block(SENTENCE)], stalls_after=4)]
        self.gemini.replies = [gemini.Reply([gemini.text_part(SENTENCE)], stalls_after=1)]

    def call_a_tool(self) -> None:
        """Let every model call the weather of Paris, and then tell what the tool said."""
        call, told = claude.tool_block("toolu_1", "weather", {"city": "Paris"}), "The tool said sunny."
        self.claude.replies = [claude.Reply([call], "tool_use"), claude.Reply([claude.text_block(told)])]
        asked = gemini.call_part("weather", {"city": "Paris"}, signature="c2lnbmVk")
        self.gemini.replies = [gemini.Reply([asked]), gemini.Reply([gemini.text_part(told)])]


@pytest.fixture
async def whole() -> AsyncIterator[Whole]:
    async with gpt.openai_upstream() as first, claude.anthropic_upstream() as second, gemini.gemini_upstream() as third:
        second.replies = [claude.Reply([claude.text_block(SENTENCE)], cache_read=30)]
        third.replies = [gemini.Reply([gemini.text_part(SENTENCE)])]
        endpoints = {
            "acme": Endpoint("acme", Format.OPENAI, f"{first.url}/v1", Secret(gpt.KEY)),
            "globex": Endpoint("globex", Format.ANTHROPIC, second.base_url, Secret(claude.KEY)),
            "initech": Endpoint("initech", Format.GEMINI, third.base_url, Secret(gemini.KEY)),
        }
        upstreams = {
            "gpt": Upstream("acme", "fake-large"),
            "claude": Upstream("globex", claude.MODEL),
            "gemini": Upstream("initech", gemini.MODEL),
        }
        catalogue = Catalogue(models=tuple(Model(name, Prices(1.0, 2.0), provider=name) for name in MODELS))
        async with (
            running(endpoints, upstreams, catalogue) as service,
            anthropic.AsyncAnthropic(
                base_url=f"http://{service.address}", api_key="any", max_retries=0, timeout=20.0
            ) as client,
        ):
            yield Whole(client, first, second, third, service)


@pytest.mark.parametrize("model", MODELS)
async def test_an_answer_is_a_message_and_says_who_gave_it(whole, model):
    raw = await whole.client.messages.with_raw_response.create(model=model, max_tokens=64, messages=HELLO)
    message = await raw.parse()
    assert [(block.type, block.text) for block in message.content] == [("text", SENTENCE)]
    assert (message.role, message.stop_reason, message.stop_sequence) == ("assistant", "end_turn", None)
    assert message.usage.input_tokens > 0
    assert message.usage.output_tokens > 0
    told = [raw.headers[f"x-routeward-{name}"] for name in ("model", "kind", "attempts")]
    assert told == [model, "FORCED", "1"]
    outcome = (await whole.service.outcomes())[whole.service.nonce(raw.headers["x-routeward-decision-id"])]
    assert (outcome.status, outcome.output_tokens) == (Status.OK, message.usage.output_tokens)


async def test_what_the_cache_gave_is_told_apart(whole):
    message = await whole.client.messages.create(model="claude", max_tokens=64, messages=HELLO)
    assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (12, 30)


@pytest.mark.parametrize("model", MODELS)
async def test_a_stream_accumulates_to_the_message_of_a_whole_answer(whole, model):
    async with whole.client.messages.stream(model=model, max_tokens=64, messages=HELLO) as stream:
        events = [event async for event in stream]
        streamed = await stream.get_final_message()
    whole_message = await whole.client.messages.create(model=model, max_tokens=64, messages=HELLO)
    assert streamed.content[0].text.strip() == SENTENCE
    assert streamed.stop_reason == whole_message.stop_reason == "end_turn"
    assert streamed.usage.model_dump() == whole_message.usage.model_dump()
    assert len([event for event in events if event.type == "text"]) > 1
    assert (await whole.service.outcomes()).popitem()[1].status is Status.OK


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", MODELS)
async def test_a_tool_is_called_and_its_result_comes_back_to_the_model(whole, model, streamed):
    whole.call_a_tool()

    async def answer(messages: list[Any]) -> Any:
        asked: Any = {"model": model, "max_tokens": 64, "messages": messages, "tools": [WEATHER]}
        if not streamed:
            return await whole.client.messages.create(**asked)
        async with whole.client.messages.stream(**asked) as stream:
            return await stream.get_final_message()

    asking = await answer(HELLO)
    [call] = asking.content
    assert (asking.stop_reason, call.type, call.name, call.input) == (
        "tool_use",
        "tool_use",
        "weather",
        {"city": "Paris"},
    )
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    told = await answer(
        [*HELLO, {"role": "assistant", "content": asking.content}, {"role": "user", "content": [result]}]
    )
    assert told.content[0].text.strip() == "The tool said sunny."
    assert told.stop_reason == "end_turn"


async def test_geminis_signature_of_a_call_comes_back_to_it(whole):
    whole.call_a_tool()
    asked: Any = {"model": "gemini", "max_tokens": 64, "tools": [WEATHER]}
    asking = await whole.client.messages.create(messages=HELLO, **asked)
    result = {"type": "tool_result", "tool_use_id": asking.content[0].id, "content": "sunny"}
    back = [*HELLO, {"role": "assistant", "content": asking.content}, {"role": "user", "content": [result]}]
    await whole.client.messages.create(messages=back, **asked)
    signed = [part for turn in whole.gemini.bodies[-1]["contents"] for part in turn["parts"] if "functionCall" in part]
    assert [part["thoughtSignature"] for part in signed] == ["c2lnbmVk"]


async def test_marks_for_a_cache_reach_anthropic_and_nobody_who_refuses_them(whole):
    marked = {"type": "ephemeral"}
    system: Any = [{"type": "text", "text": "Be brief.", "cache_control": marked}]
    picture = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}, "cache_control": marked}
    messages: Any = [{"role": "user", "content": [{"type": "text", "text": "Look"}, picture]}]
    for model in MODELS:
        await whole.client.messages.create(model=model, max_tokens=64, system=system, messages=messages)
    [body] = whole.claude.bodies
    assert (body["system"], body["messages"]) == (system, messages)
    assert b"cache_control" not in whole.gpt.received[-1].raw
    assert "cache_control" not in str(whole.gemini.bodies[-1])


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_model_that_fails_is_not_noticed_where_another_one_answers(whole, streamed):
    whole.claude.replies = [claude.Failure(529, "overloaded_error")]
    whole.gemini.replies = [gemini.Failure(503, "UNAVAILABLE")]
    for _ in range(3):
        raw = await whole.client.messages.with_raw_response.create(
            model="auto/chat", max_tokens=64, messages=HELLO, stream=streamed
        )
        assert raw.headers["x-routeward-model"] == "gpt"
        if streamed:
            assert [event.type async for event in await raw.parse()][-1] == "message_stop"


@pytest.mark.parametrize("model", MODELS)
async def test_who_leaves_a_stream_ends_the_call_to_the_model(whole, model):
    whole.stall()
    async with whole.client.messages.stream(model=model, max_tokens=64, messages=HELLO) as stream:
        async for event in stream:
            if event.type == "text":
                break
    await asyncio.wait_for(getattr(whole, model).abandoned.wait(), 20)
    [outcome] = (await whole.service.outcomes()).values()
    assert outcome.status is Status.CANCELLED


async def test_who_gives_up_waiting_ends_the_call_to_the_model(whole):
    whole.gpt.gate = asyncio.Event()
    asking = asyncio.create_task(whole.client.messages.create(model="gpt", max_tokens=64, messages=HELLO))
    await asyncio.wait_for(whole.gpt.begun.wait(), 20)
    asking.cancel()
    await asyncio.wait([asking])
    await asyncio.wait_for(whole.gpt.abandoned.wait(), 20)
    [outcome] = (await whole.service.outcomes()).values()
    assert outcome.status is Status.CANCELLED


@pytest.mark.parametrize("model", ["claude", "gemini"])
async def test_a_model_that_fails_in_a_stream_is_an_error_of_the_stream(whole, model):
    whole.claude.replies = [claude.Reply([claude.text_block(SENTENCE)], error_after=(5, "overloaded_error"))]
    whole.gemini.replies = [gemini.Reply([gemini.text_part(SENTENCE)], error_after=2)]
    async with whole.client.messages.stream(model=model, max_tokens=64, messages=HELLO) as stream:
        assert await anext(aiter(stream.text_stream))
        with pytest.raises(anthropic.APIStatusError) as raised:
            await stream.until_done()
    assert (raised.value.type, raised.value.error_code) == ("api_error", "provider_fault")


async def test_no_prompt_is_kept_or_logged(whole):
    canary: Any = [{"role": "user", "content": "a canary sings"}]
    await whole.client.messages.create(model="auto", max_tokens=64, system="another canary", messages=canary)
    with pytest.raises(anthropic.BadRequestError) as raised:
        await whole.client.messages.create(
            model="auto", max_tokens=64, messages=[*canary, {"role": "assistant", "content": "a third canary"}]
        )
    outcomes = await whole.service.outcomes()
    decisions = [decision async for decision in whole.service.store.decisions()]
    assert "canary" not in f"{outcomes} {decisions} {whole.service.log.getvalue()} {raised.value}"
