"""What is said in Anthropic's words comes back as it was; what cannot be carried is refused by its field."""

import json
from typing import Any

from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from adapters.providers.formats.anthropic_answer import read_answer
from adapters.providers.formats.anthropic_request import messages_request
from adapters.providers.formats.anthropic_stream import MessageDecoder
from adapters.providers.formats.chat_format import ServerSentEvent
from adapters.providers.sse import EventParser
from server.http.messages.answers import message
from server.http.messages.events import MessageEvents
from server.http.messages.fields import BLOCKS, CARRIED, HINTS
from server.http.messages.requests import chat_request
from server.http.prompts import prompt_of
from tests.integration.providers.upstreams.anthropic import Reply, text_block, tool_block
from tests.integration.providers.upstreams.anthropic_rules import check
from tests.properties.test_chat_requests import VALUES, refusal

WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
NAMES = st.from_regex(r"[a-z_]{1,9}", fullmatch=True)
MARKS = st.fixed_dictionaries({}, optional={"cache_control": st.just({"type": "ephemeral"})})
TEXTS = st.builds(lambda text, mark: text_block(text) | mark, WORDS, MARKS)
SOURCES = st.sampled_from(
    [
        {"type": "url", "url": "https://example.com/a.png"},
        {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
    ]
)
IMAGES = st.builds(lambda source, mark: {"type": "image", "source": source} | mark, SOURCES, MARKS)
ARGUMENTS = st.dictionaries(NAMES, st.none() | st.booleans() | st.integers(-99, 99) | WORDS, max_size=3)
TOOL = {"name": "weather", "description": "The weather.", "input_schema": {"type": "object", "properties": {}}}


@st.composite
def requests(draw):
    """A request in the form that the API itself would give it: blocks, turns in alternation, results after calls."""
    turns: list[Any] = []
    called: list[str] = []
    for number in range(draw(st.integers(0, 3))):
        turns += [
            {"role": "user", "content": _heard(draw, called)},
            {"role": "assistant", "content": _said(draw, called, number)},
        ]
    turns.append({"role": "user", "content": _heard(draw, called)})
    body = {"model": "m", "max_tokens": draw(st.integers(1, 9999)), "messages": turns}
    optional = {
        "system": st.lists(TEXTS, min_size=1, max_size=2),
        "temperature": st.floats(0, 0.99),
        "stop_sequences": st.lists(WORDS.filter(str.strip), min_size=1, max_size=2),
        "output_config": st.just({"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}}),
        "thinking": st.just({"type": "disabled"}),
    }
    body |= draw(st.fixed_dictionaries({}, optional=optional))
    if "thinking" in body and "output_config" in body:
        del body["thinking"]
    return body | {"tools": [TOOL], "tool_choice": draw(_CHOICES)}


_CHOICES = st.sampled_from(
    [
        {"type": "auto"},
        {"type": "any", "disable_parallel_tool_use": True},
        {"type": "none"},
        {"type": "tool", "name": "weather"},
    ]
)


def _heard(draw, called):
    results = [{"type": "tool_result", "tool_use_id": id_, "content": draw(WORDS)} | draw(MARKS) for id_ in called]
    called.clear()
    return results + draw(st.lists(TEXTS | IMAGES, min_size=0 if results else 1, max_size=2))


def _said(draw, called, number):
    calls = [
        tool_block(f"toolu_{number}_{index}", "weather", draw(ARGUMENTS)) for index in range(draw(st.integers(0, 2)))
    ]
    called += [call["id"] for call in calls]
    return draw(st.lists(TEXTS, min_size=0 if calls else 1, max_size=2)) + calls


@settings(max_examples=60)
@given(requests())
def test_a_request_comes_back_as_it_was(body):
    check(body, "2023-06-01")
    assert messages_request("m", chat_request(body), stream=False) == body


REPLIES = st.builds(
    lambda texts, calls: Reply(
        [*map(text_block, texts), *(tool_block(f"toolu_{n}", "weather", given) for n, given in enumerate(calls))],
        "tool_use" if calls else "end_turn",
        cache_read=3,
        piece=2,
    ),
    st.lists(WORDS, max_size=1),
    st.lists(ARGUMENTS, max_size=3),
)


@settings(max_examples=60)
@given(REPLIES)
def test_an_answer_comes_back_as_it_was(reply):
    told = json.loads(message(read_answer(json.dumps(reply.message()).encode(), "", 0)))
    expected = reply.message()
    del expected["usage"]["cache_creation_input_tokens"]
    assert told == expected


EVENTS = TypeAdapter(RawMessageStreamEvent)


@settings(max_examples=60)
@given(REPLIES)
def test_a_stream_comes_back_as_it_was(reply):
    decoder, writer = MessageDecoder(lambda: 0.0), MessageEvents(9)
    chunks = [one for event in reply.events() for one in decoder.feed(ServerSentEvent(json.dumps(event).encode()))]
    written = b"".join([*map(writer.chunk, chunks), writer.end()])
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    for event in EventParser().feed(written):
        data = json.loads(event.data)
        assert data["type"] == event.event
        if event.event != "ping":
            read = EVENTS.validate_python(data)
            snapshot = accumulate_event(event=read, current_snapshot=snapshot, json_bufs=buffers)
    assert snapshot is not None
    told = snapshot.model_dump(exclude_none=True, warnings=False)
    expected = reply.message()
    del expected["usage"]["cache_creation_input_tokens"], expected["stop_sequence"]
    assert told == expected


BLOCK = st.fixed_dictionaries(
    {"type": st.sampled_from([*BLOCKS, "document"]) | VALUES},
    optional=dict.fromkeys(sorted(set().union(*BLOCKS.values())), VALUES),
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system"]) | VALUES},
    optional={"content": st.text(max_size=9) | st.lists(BLOCK | VALUES, max_size=3) | VALUES},
)
BODY = st.fixed_dictionaries(
    {"max_tokens": st.just(9) | VALUES, "messages": st.lists(MESSAGE | VALUES, max_size=3) | VALUES},
    optional=dict.fromkeys(sorted((CARRIED | HINTS) - {"max_tokens", "messages"}), VALUES) | {"top_k": VALUES},
)


@settings(max_examples=100)
@given(BODY)
def test_a_request_of_any_values_is_carried_or_refused_in_the_words_of_its_caller(body):
    refused = refusal(lambda: chat_request(body))
    if refused is None:
        prompt_of(chat_request(body))
    else:
        assert str(refused).partition(".")[0].partition("[")[0] in {*body, "max_tokens", "messages"}
