"""Every field of OpenAI's API has a fate that was decided: translated, a hint, or refused."""

import math

import pytest
from openai.types.chat import completion_create_params

from adapters.providers.errors import RequestRefusedError, UnsupportedRequestError
from adapters.providers.formats.request_fields import (
    HINTS,
    NEUTRAL,
    OF_THE_CALL,
    TRANSLATED,
    JsonMode,
    check_fields,
    json_mode,
    max_tokens,
    number,
    reasoning_effort,
    stops,
)
from adapters.providers.formats.request_tools import Tool, Toolbox, toolbox

REFUSED = {"audio", "function_call", "moderation", "web_search_options"}
WEATHER = {"type": "function", "function": {"name": "weather"}}


def test_every_field_of_the_official_types_has_its_place():
    official = {
        *completion_create_params.CompletionCreateParamsBase.__annotations__,
        *completion_create_params.CompletionCreateParamsStreaming.__annotations__,
    }
    assert official == TRANSLATED | HINTS | OF_THE_CALL | NEUTRAL.keys() | REFUSED


@pytest.mark.parametrize("name", sorted(REFUSED | NEUTRAL.keys() | {"made_up"}))
def test_what_cannot_be_said_is_refused_by_name_unless_it_says_nothing(name):
    for value in (None, *NEUTRAL.get(name, ())):
        check_fields({name: value})
    with pytest.raises(UnsupportedRequestError, match=name) as caught:
        check_fields({name: ["something"]})
    assert caught.value.param == name
    check_fields({name: ["something"]}, translated=frozenset({name}))


def test_hints_are_left_out():
    check_fields(dict.fromkeys(HINTS, "anything"))


@pytest.mark.parametrize("value", ["0.5", True, math.nan, -0.1, 2.1, [1]])
def test_a_number_out_of_range_is_refused(value):
    with pytest.raises(RequestRefusedError) as caught:
        number({"temperature": value}, "temperature", 0, 2)
    assert caught.value.param == "temperature"


@pytest.mark.parametrize("value", ["5", 0, -1, 1.5, True, 2**31])
def test_a_bound_of_tokens_is_a_whole_number_above_zero(value):
    for name in ("max_tokens", "max_completion_tokens"):
        with pytest.raises(RequestRefusedError) as caught:
            max_tokens({name: value})
        assert caught.value.param == name


def test_the_newer_name_of_the_bound_wins():
    assert max_tokens({"max_tokens": 5, "max_completion_tokens": 7}) == 7
    assert max_tokens({"max_tokens": 5, "max_completion_tokens": None}) == 5
    assert max_tokens({}) is None


def test_what_ends_an_answer_is_a_text_or_several():
    assert [stops({}), stops({"stop": None}), stops({"stop": "a"}), stops({"stop": ["a", "b"]})] == [
        [],
        [],
        ["a"],
        ["a", "b"],
    ]
    for bad in ([""], [5], 5, {"a": 1}):
        with pytest.raises(RequestRefusedError):
            stops({"stop": bad})


def test_json_is_wanted_as_any_object_or_by_a_schema():
    schema = {"type": "object"}
    assert json_mode({}) is None
    assert json_mode({"response_format": {"type": "text"}}) is None
    assert json_mode({"response_format": {"type": "json_object"}}) == JsonMode(None)
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    assert json_mode({"response_format": wanted}) == JsonMode(schema)
    for bad in ("json", {}, {"type": "xml"}, {"type": "json_schema"}, {"type": "json_schema", "json_schema": {}}):
        with pytest.raises(RequestRefusedError) as caught:
            json_mode({"response_format": bad})
        assert caught.value.param.startswith("response_format.")


def test_an_effort_is_one_of_those_known():
    assert [reasoning_effort({}), reasoning_effort({"reasoning_effort": "high"})] == [None, "high"]
    for bad in ("enormous", 5, ["low"]):
        with pytest.raises(RequestRefusedError):
            reasoning_effort({"reasoning_effort": bad})


def test_a_choice_of_tools_is_read():
    named = {"type": "function", "function": {"name": "weather"}}
    box = toolbox({"tools": [WEATHER], "tool_choice": named, "parallel_tool_calls": False})
    assert box == Toolbox([Tool("weather")], "required", "weather", at_most_one=True)
    assert toolbox({"tools": [WEATHER], "tool_choice": "none"}).mode == "none"
    assert toolbox({"tool_choice": "auto", "parallel_tool_calls": False}) == Toolbox([], "auto")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tools": 5}, "tools"),
        ({"tools": [5]}, "tools[0].type"),
        ({"tools": [WEATHER, {"type": "custom"}]}, "tools[1].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function.name"),
        ({"tools": [{"type": "function", "function": {"name": ""}}]}, "tools[0].function.name"),
        (
            {"tools": [{"type": "function", "function": {"name": "a", "description": 5}}]},
            "tools[0].function.description",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "a", "parameters": []}}]},
            "tools[0].function.parameters",
        ),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": "maybe"}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function"}}, "tool_choice"),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "other"}}},
            "tool_choice.function.name",
        ),
        ({"tools": [WEATHER], "parallel_tool_calls": "no"}, "parallel_tool_calls"),
    ],
)
def test_a_tool_or_a_choice_that_is_none_is_refused_by_its_path(body, param):
    with pytest.raises(RequestRefusedError) as caught:
        toolbox(body)
    assert caught.value.param == param
