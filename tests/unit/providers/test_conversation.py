"""The messages of a request become turns in alternation, or are refused where they stand."""

from typing import Any

import pytest

from adapters.providers.errors import RequestRefusedError, UnsupportedRequestError
from adapters.providers.formats.conversation import Conversation, Image, Text, ToolCall, ToolResult, Turn, conversation


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content} | more


def called(id_: str = "c", arguments: Any = "{}", **more: Any) -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": "weather", "arguments": arguments}} | more


def assistant(*calls: Any, content: Any = None) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(calls)}


def result(id_: str, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id_, "content": content}


def test_instructions_stand_apart_wherever_they_stood():
    talk = conversation(
        [
            {"role": "system", "content": "Be brief."},
            user("Hello"),
            {"role": "developer", "content": [{"type": "text", "text": "In French."}]},
        ]
    )
    assert talk == Conversation([Text("Be brief."), Text("In French.")], [Turn(False, [Text("Hello")])])


def test_turns_of_the_same_side_become_one():
    talk = conversation(
        [
            user("a"),
            user([{"type": "text", "text": "b"}]),
            assistant(called("1", '{"x": 1}'), called("2", "")),
            result("1", "one"),
            result("2", [{"type": "text", "text": "t"}, {"type": "text", "text": "wo"}]),
            user("c"),
        ]
    )
    assert talk.turns == [
        Turn(False, [Text("a"), Text("b")]),
        Turn(True, [ToolCall("1", "weather", {"x": 1}), ToolCall("2", "weather", {})]),
        Turn(False, [ToolResult("1", "weather", "one"), ToolResult("2", "weather", "two"), Text("c")]),
    ]


def test_what_says_nothing_is_left_out():
    talk = conversation([user("a"), assistant(content=""), user(""), user([{"type": "text", "text": ""}]), user("b")])
    assert talk.turns == [Turn(False, [Text("a"), Text("b")])]


def test_pictures_are_taken_by_address_and_by_value():
    data = "data:image/png;base64,aGk="
    urls = [{"type": "image_url", "image_url": {"url": url}} for url in ("https://example.com/a", data)]
    assert conversation([user(urls)]).turns[0].parts == [
        Image("messages[0].content[0]", url="https://example.com/a"),
        Image("messages[0].content[1]", media_type="image/png", data="aGk="),
    ]


def test_marks_of_a_cache_and_signatures_of_thoughts_are_kept():
    mark = {"type": "ephemeral"}
    signed = called("1", extra_content={"google": {"thought_signature": "c2ln"}})
    talk = conversation([user([{"type": "text", "text": "a", "cache_control": mark}]), assistant(signed)])
    assert talk.turns == [Turn(False, [Text("a", mark)]), Turn(True, [ToolCall("1", "weather", {}, "c2ln")])]


def test_what_a_model_refused_with_is_its_text_and_what_it_thought_is_left_out():
    said = {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}], "reasoning_content": "Hm."}
    assert conversation([user("a"), said]).turns[1] == Turn(True, [Text("No.")])


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        (None, "messages"),
        ([], "messages"),
        ("Hello", "messages"),
        ([{"role": "system", "content": "a"}], "messages"),
        ([user("")], "messages"),
        ([5], "messages[0].role"),
        ([{"role": "narrator", "content": "a"}], "messages[0].role"),
        ([user(None)], "messages[0].content"),
        ([user({"type": "text"})], "messages[0].content"),
        ([user([{"type": "text"}])], "messages[0].content[0].text"),
        ([user(["a"])], "messages[0].content[0].type"),
        ([user([{"type": "image_url", "image_url": "https://a"}])], "messages[0].content[0].image_url.url"),
        ([user([{"type": "text", "text": "a", "cache_control": 1}])], "messages[0].content[0].cache_control"),
        ([user("a"), assistant()], "messages[1].content"),
        ([user("a"), {"role": "assistant", "tool_calls": 5}], "messages[1].tool_calls"),
        ([user("a"), assistant(5)], "messages[1].tool_calls[0].function"),
        ([user("a"), assistant(called(""))], "messages[1].tool_calls[0].id"),
        ([user("a"), assistant({"id": "c", "function": {}})], "messages[1].tool_calls[0].function.name"),
        ([user("a"), assistant(called("c", "{"))], "messages[1].tool_calls[0].function.arguments"),
        ([user("a"), assistant(called("c", "[1]"))], "messages[1].tool_calls[0].function.arguments"),
        ([user("a"), assistant(called("c", {"x": 1}))], "messages[1].tool_calls[0].function.arguments"),
        ([user("a"), assistant(called("c", "[" * 100_000))], "messages[1].tool_calls[0].function.arguments"),
        ([user("a"), assistant(called("c")), result("d", "a")], "messages[2].tool_call_id"),
        ([user("a"), assistant(called("c")), result("c", None)], "messages[2].content"),
    ],
)
def test_what_no_model_understands_is_refused_by_its_path(messages, param):
    with pytest.raises(RequestRefusedError) as caught:
        conversation(messages)
    assert type(caught.value) is RequestRefusedError
    assert caught.value.param == param
    assert caught.value.message.startswith(param)


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([user([{"type": "input_audio", "input_audio": {}}])], "messages[0].content[0]"),
        ([user([{"type": "text", "text": "a"}, {"type": "file", "file": {}}])], "messages[0].content[1]"),
        ([user([{"type": "image_url", "image_url": {"url": "http://a"}}])], "messages[0].content[0].image_url.url"),
        ([user([{"type": "image_url", "image_url": {"url": "data:,a"}}])], "messages[0].content[0].image_url.url"),
        ([{"role": "function", "name": "a", "content": "b"}], "messages[0].role"),
        ([user("a"), {"role": "assistant", "content": None, "function_call": {}}], "messages[1].function_call"),
        ([user("a"), {"role": "assistant", "content": None, "audio": {"id": "a"}}], "messages[1].audio"),
        (
            [
                user("a"),
                assistant(called("c")),
                result("c", [{"type": "image_url", "image_url": {"url": "https://a"}}]),
            ],
            "messages[2].content[0]",
        ),
    ],
)
def test_what_another_model_may_understand_is_refused_as_unsupported(messages, param):
    with pytest.raises(UnsupportedRequestError) as caught:
        conversation(messages)
    assert (caught.value.param, caught.value.elsewhere) == (param, True)


def test_no_refusal_shows_anything_of_a_message():
    for bad in ({"type": "secret-kind"}, {"type": "image_url", "image_url": {"url": "ftp://secret"}}):
        with pytest.raises(RequestRefusedError) as caught:
            conversation([user([bad])])
        assert "secret" not in str(caught.value)
