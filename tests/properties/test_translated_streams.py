"""However a stream is cut, and whatever it holds, it says the same or fails with a type of its own."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.providers.endpoint import Endpoint, Format
from adapters.providers.errors import ProviderError, RequestRefusedError
from adapters.providers.formats.anthropic_format import AnthropicFormat
from adapters.providers.formats.chat_format import ChatFormat, ServerSentEvent
from adapters.providers.formats.gemini_format import GeminiFormat
from tests.integration.providers.upstreams import anthropic, gemini
from tests.unit.providers.openai_reading import completion, decoded, folded, said

ANTHROPIC, GEMINI = AnthropicFormat(clock=lambda: 0.0), GeminiFormat(clock=lambda: 0.0)
FORMATS = [ANTHROPIC, GEMINI]
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
ARGUMENTS = st.dictionaries(TEXTS, st.integers(-9, 9) | TEXTS, max_size=3)
PARTS = st.lists(
    st.tuples(st.just("text"), TEXTS) | st.tuples(st.just("thought"), TEXTS) | st.tuples(st.just("call"), ARGUMENTS),
    min_size=1,
    max_size=5,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)
ENDPOINT = Endpoint("a", Format.ANTHROPIC, "https://a.example")


def anthropic_block(number: int, kind: str, value: Any) -> dict[str, Any]:
    made = {"text": anthropic.text_block, "thought": anthropic.thinking_block}
    return made[kind](value) if kind in made else anthropic.tool_block(f"toolu_{number}", "weather", value)


def gemini_part(_: int, kind: str, value: Any) -> dict[str, Any]:
    made = {"text": gemini.text_part, "thought": gemini.thought_part}
    return made[kind](value) if kind in made else gemini.call_part("weather", value)


@given(PARTS, st.integers(1, 50))
def test_any_cut_of_an_anthropic_stream_says_what_the_message_says(parts, piece):
    blocks = [anthropic_block(number, *part) for number, part in enumerate(parts)]
    reply = anthropic.Reply(blocks, piece=piece)
    whole = ANTHROPIC.answer(json.dumps(reply.message()).encode(), "r")
    assert said(folded(decoded(ANTHROPIC.decoder(), reply.events()))) == said(completion(whole.body))


@given(PARTS, st.integers(1, 50))
def test_any_cut_of_a_gemini_stream_says_what_the_response_says(parts, piece):
    reply = gemini.Reply([gemini_part(number, *part) for number, part in enumerate(parts)], piece=piece)
    whole = GEMINI.answer(json.dumps(reply.response()).encode(), "r")
    assert said(folded(decoded(GEMINI.decoder(), reply.responses()))) == said(completion(whole.body))


def replaced(value: Any, at: list[int], by: Any) -> Any:
    """The value with something within it, found by following `at`, replaced."""
    if not at or not isinstance(value, dict | list) or not value:
        return by
    if isinstance(value, list):
        place = at[0] % len(value)
        return [replaced(item, at[1:], by) if index == place else item for index, item in enumerate(value)]
    name = sorted(value)[at[0] % len(value)]
    return value | {name: replaced(value[name], at[1:], by)}


MESSAGE = anthropic.Reply([anthropic.text_block("a"), anthropic.tool_block("t", "weather", {"a": 1})])
RESPONSE = gemini.Reply([gemini.text_part("a"), gemini.call_part("weather", {"a": 1}, id="t", signature="c2ln")])
STREAMS: dict[ChatFormat, list[Any]] = {ANTHROPIC: list(MESSAGE.events()), GEMINI: list(RESPONSE.responses())}
ANSWERS: dict[ChatFormat, Any] = {ANTHROPIC: MESSAGE.message(), GEMINI: RESPONSE.response()}


@pytest.mark.parametrize("translating", FORMATS, ids=["anthropic", "gemini"])
@given(st.lists(st.integers(0, 9), min_size=1, max_size=7), JSON)
def test_an_answer_with_anything_in_any_place_is_read_or_fails_with_a_type(translating: ChatFormat, at, by):
    content = json.dumps(replaced(ANSWERS[translating], at, by)).encode()
    try:
        answer = translating.answer(content, "r")
    except ProviderError:
        return
    completion(answer.body)


@pytest.mark.parametrize("translating", FORMATS, ids=["anthropic", "gemini"])
@given(st.lists(st.integers(0, 9), min_size=1, max_size=7), JSON)
def test_a_stream_with_anything_in_any_place_is_read_or_fails_with_a_type(translating: ChatFormat, at, by):
    decoder = translating.decoder()
    try:
        for event in replaced(STREAMS[translating], at, by):
            for chunk in decoder.feed(ServerSentEvent(json.dumps(event).encode())):
                json.loads(chunk.data)
    except ProviderError:
        return


REQUEST = {
    "messages": [
        {"role": "system", "content": "a"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}]},
        {
            "role": "assistant",
            "content": "b",
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "d"}]},
    ],
    "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}],
    "tool_choice": {"type": "function", "function": {"name": "weather"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}},
    "stop": ["a"],
    "temperature": 0.5,
    "max_tokens": 5,
}


@pytest.mark.parametrize("translating", FORMATS, ids=["anthropic", "gemini"])
@given(st.lists(st.integers(0, 9), min_size=1, max_size=7), JSON)
def test_a_request_with_anything_in_any_place_is_translated_or_refused_by_name(translating: ChatFormat, at, by):
    body = replaced(REQUEST, at, by)
    try:
        sent = translating.request(ENDPOINT, "m", body, stream=True)
    except RequestRefusedError as error:
        refused = error
    else:
        json.loads(sent.body)
        return
    assert refused.param or "cannot say" in refused.message
