"""A request in Anthropic's words: what becomes of each field, and by which path it is refused."""

import re
from pathlib import Path
from typing import Any

import pytest

from adapters.providers.chat import MarkedBody
from server.errors import InvalidFieldError
from server.http.messages.fields import CARRIED, HINTS, NEUTRAL
from server.http.messages.requests import chat_request

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
CALL = {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Rome"}}
RESULT: dict[str, Any] = {"type": "tool_result", "tool_use_id": "t1", "content": "sunny"}
TOOL = {"name": "weather", "input_schema": {"type": "object"}}
FUNCTION = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
MARK = {"type": "ephemeral"}


def carried(**fields: Any) -> Any:
    return chat_request({"model": "auto", "max_tokens": 9, "messages": HELLO, **fields})


def after_call(*blocks: Any) -> list[Any]:
    """Messages in which a tool was called, and then these blocks were said."""
    return [*HELLO, {"role": "assistant", "content": [CALL]}, {"role": "user", "content": list(blocks)}]


def test_a_request_is_a_chat_completion_request():
    body = carried(
        system="Be brief.",
        stream=True,
        temperature=0.5,
        stop_sequences=["END"],
        tools=[TOOL | {"description": "The weather.", "strict": True}],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        metadata={"user_id": "someone"},
        service_tier="auto",
        speed="standard",
        top_k=None,
    )
    function = {"name": "weather", "description": "The weather.", "parameters": {"type": "object"}, "strict": True}
    assert body == {
        "model": "auto",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
        "max_completion_tokens": 9,
        "stream": True,
        "temperature": 0.5,
        "stop": ["END"],
        "tools": [{"type": "function", "function": function}],
        "tool_choice": "required",
        "parallel_tool_calls": False,
    }


def test_results_of_tools_are_messages_before_what_the_user_says():
    body = carried(messages=after_call(RESULT, {"type": "text", "text": "And tomorrow?"}))
    call = {"id": "t1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}}
    assert body["messages"][1:] == [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "t1", "content": "sunny"},
        {"role": "user", "content": "And tomorrow?"},
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("no network", "Error: no network"),
        ("Error: no network", "Error: no network"),
        (None, "Error: "),
        ([], "Error: "),
    ],
)
def test_a_tool_that_failed_says_so_in_words(content, told):
    body = carried(messages=after_call(RESULT | {"content": content, "is_error": True}))
    assert body["messages"][-1]["content"] == told


def test_effort_and_schema_have_their_words():
    body = carried(output_config={"effort": "high", "format": {"type": "json_schema", "schema": {"type": "object"}}})
    schema = {"name": "answer", "schema": {"type": "object"}, "strict": True}
    assert (body["reasoning_effort"], body["response_format"]) == (
        "high",
        {"type": "json_schema", "json_schema": schema},
    )
    assert carried(thinking={"type": "disabled"})["reasoning_effort"] == "none"


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "weather"}, {"type": "function", "function": {"name": "weather"}}),
    ],
)
def test_which_tool_to_call_has_its_words(choice, said):
    assert carried(tools=[TOOL], tool_choice=choice)["tool_choice"] == said


def test_instructions_within_the_conversation_stay_where_they_are():
    messages = [*HELLO, {"role": "system", "content": "In French."}, *HELLO]
    assert [one["role"] for one in carried(messages=messages)["messages"]] == ["user", "system", "user"]


def test_a_request_that_marks_nothing_for_a_cache_is_no_marked_one():
    assert type(carried()) is dict
    assert type(carried(cache_control=MARK)) is MarkedBody
    assert type(carried(messages=after_call(RESULT | {"cache_control": MARK}))) is MarkedBody


def test_a_mark_for_the_whole_request_is_at_its_end():
    body = carried(cache_control=MARK, messages=after_call(RESULT))
    assert body["messages"][-1]["content"] == [{"type": "text", "text": "sunny", "cache_control": MARK}]


def refused(**fields: Any) -> str:
    with pytest.raises(InvalidFieldError) as raised:
        carried(**fields)
    return raised.value.violations[0].field


def of_user(**block: Any) -> list[Any]:
    return [{"role": "user", "content": [block]}]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": ["Hello"]}, "messages[0]"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": "a", "name": "b"}]}, "messages[0].name"),
        ({"messages": [*HELLO, {"role": "assistant", "content": "The answer is ("}]}, "messages[1]"),
        ({"messages": of_user(type="document")}, "messages[0].content[0].type"),
        ({"messages": of_user(type="thinking")}, "messages[0].content[0].type"),
        ({"messages": of_user(type="tool_use")}, "messages[0].content[0].type"),
        ({"messages": of_user(type="text")}, "messages[0].content[0].text"),
        ({"messages": of_user(type="text", text="a", citations=[{}])}, "messages[0].content[0].citations"),
        ({"messages": of_user(type="image")}, "messages[0].content[0].source.type"),
        ({"messages": of_user(type="image", source={"type": "file"})}, "messages[0].content[0].source.type"),
        ({"messages": of_user(type="image", source={"type": "url"})}, "messages[0].content[0].source.url"),
        ({"messages": of_user(**RESULT)}, "messages[0].content[0].tool_use_id"),
        ({"messages": after_call({"type": "text", "text": "a"}, RESULT)}, "messages[2].content[1]"),
        (
            {"messages": after_call(RESULT | {"content": [{"type": "image"}]})},
            "messages[2].content[0].content[0].type",
        ),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"system": 7}, "system"),
        ({"system": of_user(type="image")[0]["content"]}, "system[0].type"),
        ({"stream": "yes"}, "stream"),
        ({"temperature": 1.5}, "temperature"),
        ({"top_p": True}, "top_p"),
        ({"top_k": 5}, "top_k"),
        ({"stop_sequences": [" "]}, "stop_sequences"),
        ({"thinking": {"type": "adaptive"}}, "thinking"),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, "output_config.effort"),
        ({"output_config": {"effort": "none"}}, "output_config.effort"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format"),
        ({"output_config": {"task_budget": 5}}, "output_config.task_budget"),
        ({"cache_control": 7}, "cache_control"),
        ({"container": "c"}, "container"),
        ({"mcp_servers": [{}]}, "mcp_servers"),
        ({"inference_geo": "eu"}, "inference_geo"),
        ({"speed": "fast"}, "speed"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"name": "a"}]}, "tools[0].input_schema"),
        ({"tools": [TOOL | {"defer_loading": True}]}, "tools[0].defer_loading"),
        ({"tools": {}}, "tools"),
        ({"tools": [TOOL], "tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_its_path(fields, path):
    assert refused(**fields) == path


def test_a_refusal_shows_nothing_of_a_prompt():
    with pytest.raises(InvalidFieldError) as raised:
        carried(messages=[{"role": "user", "content": [{"type": "text", "text": {"a canary": 1}}]}])
    assert "canary" not in str(raised.value)


PAGE = (Path(__file__).parents[4] / "docs/reference/http.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("## Anthropic's Messages API")[2].partition("\n* ")[0]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TABLE.splitlines() if line.startswith("| `")]


def test_the_page_has_one_row_for_every_field():
    named = [name for row in ROWS for name in re.findall(r"`(\w+)`", row[0])]
    refused_too = {"top_k", "inference_geo", "container", "mcp_servers"}
    assert sorted(named) == sorted(CARRIED | HINTS | NEUTRAL.keys() | refused_too)


def test_what_the_page_says_is_left_out_are_the_hints():
    left_out = {name for row in ROWS if row[1].startswith("left out") for name in re.findall(r"`(\w+)`", row[0])}
    assert left_out == HINTS
