"""What is read of messages: how long, what they need, and what is wrong with them."""

import pytest

from server.errors import InvalidFieldError
from server.http.needs import needs_of
from server.http.prompts import IMAGE_TOKENS, LOW_DETAIL_IMAGE_TOKENS, MESSAGE_TOKENS, prompt_of

IMAGE = {"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "A" * 64_000, "format": "wav"}}
FILE = {"type": "file", "file": {"file_id": "f-1"}}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def user(*parts):
    return {"messages": [{"role": "user", "content": list(parts)}]}


def text(words):
    return {"type": "text", "text": words}


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ({"messages": [{"role": "user", "content": "x" * 400}]}, 100 + MESSAGE_TOKENS),
        ({"messages": [{"role": "user", "content": "é" * 400}]}, 200 + MESSAGE_TOKENS),
        ({"messages": [{"role": "user", "content": "x"}, {"role": "assistant"}]}, 1 + 2 * MESSAGE_TOKENS),
        (user(text("x" * 40), text("x" * 40)), 20 + MESSAGE_TOKENS),
        (user(IMAGE, IMAGE), 2 * IMAGE_TOKENS + MESSAGE_TOKENS),
        (user({**IMAGE, "image_url": {"url": "u", "detail": "low"}}), LOW_DETAIL_IMAGE_TOKENS + MESSAGE_TOKENS),
        (user(SOUND), 10 + MESSAGE_TOKENS),
    ],
)
def test_the_length_of_a_prompt_is_estimated_from_its_bytes_and_its_parts(body, tokens):
    assert prompt_of(body).input_tokens == tokens


def test_tools_and_calls_of_tools_count_towards_the_prompt():
    plain, call = {"role": "user", "content": ""}, {"function": {"name": "weather", "arguments": "x" * 400}}
    asked = [plain, {"role": "assistant", "content": None, "tool_calls": [call]}]
    assert prompt_of({"messages": asked}).input_tokens == 100 + 2 * MESSAGE_TOKENS
    assert prompt_of({"messages": [plain], "tools": [TOOL]}).input_tokens == 21 + MESSAGE_TOKENS


@pytest.mark.parametrize(
    ("fields", "wants"),
    [
        (user(IMAGE), {"vision": "messages[0].content[0].type"}),
        (user(text("a"), SOUND, SOUND), {"audio": "messages[0].content[1].type"}),
        (user(FILE), {"files": "messages[0].content[0].type"}),
        (user(text("a")) | {"tools": [TOOL]}, {"tools": "tools"}),
        (user(text("a")) | {"functions": [{"name": "old"}]}, {"tools": "functions"}),
        (user(text("a")) | {"response_format": {"type": "json_schema"}}, {"json": "response_format"}),
        (user(text("a")) | {"response_format": {"type": "text"}, "tools": [], "functions": None}, {}),
    ],
)
def test_a_prompt_wants_the_capabilities_that_its_parts_need(fields, wants):
    assert prompt_of(fields).wants == wants


def test_system_texts_and_names_of_tools_tell_kinds_of_tasks_apart():
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello?"},
        {"role": "developer", "content": [text("Be kind.")]},
    ]
    prompt = prompt_of({"messages": messages, "tools": [TOOL, {"type": "custom", "custom": {"name": "grep"}}]})
    assert (prompt.system, prompt.tools) == (("Be brief.", "Be kind."), ("weather", "grep"))


USER = {"role": "user", "content": "a"}
WRONG = [
    ({}, "messages"),
    ({"messages": None}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": {"role": "user"}}, "messages"),
    ({"messages": [USER] * 10_001}, "messages"),
    ({"messages": [USER, "hello"]}, "messages[1]"),
    ({"messages": [{"content": "a"}]}, "messages[0].role"),
    ({"messages": [{"role": ["user"], "content": "a"}]}, "messages[0].role"),
    ({"messages": [{"role": "robot", "content": "a"}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
    ({"messages": [{"role": "tool", "content": None}]}, "messages[0].content"),
    ({"messages": [{"role": "assistant", "tool_calls": "a"}]}, "messages[0].tool_calls"),
    ({"messages": [{"role": "assistant", "tool_calls": ["a"]}]}, "messages[0].tool_calls"),
    (user(), "messages[0].content"),
    (user(*[text("a")] * 10_001), "messages[0].content"),
    (user("a"), "messages[0].content[0]"),
    (user({"type": "text"}), "messages[0].content[0].text"),
    (user(text(7)), "messages[0].content[0].text"),
    (user({"type": "video"}), "messages[0].content[0].type"),
    (user({"type": ["text"]}), "messages[0].content[0].type"),
    (user({"type": "image_url", "image_url": "https://a"}), "messages[0].content[0].image_url"),
    (user({"type": "image_url", "image_url": {}}), "messages[0].content[0].image_url.url"),
    (user({"type": "input_audio"}), "messages[0].content[0].input_audio"),
    (user({"type": "file", "file": 3}), "messages[0].content[0].file"),
    (user(text("a")) | {"tools": {}}, "tools"),
    (user(text("a")) | {"tools": ["a"]}, "tools"),
    (user(text("a")) | {"functions": ["a"]}, "functions"),
    (user(text("a")) | {"response_format": "json"}, "response_format"),
    (user(text("a")) | {"response_format": {}}, "response_format"),
    (user(text("a")) | {"max_tokens": 0}, "max_tokens"),
    (user(text("a")) | {"max_completion_tokens": True}, "max_completion_tokens"),
    (user(text("a")) | {"max_completion_tokens": "9"}, "max_completion_tokens"),
    (user(text("a"), SOUND), "messages[0].content[1].type"),
    (user(FILE), "messages[0].content[0].type"),
    (user(text("a")) | {"modalities": ["text", "audio"]}, "modalities"),
    (user(text("a")) | {"modalities": 5}, "modalities"),
]


@pytest.mark.parametrize(("body", "field"), WRONG, ids=[f"{n}-{field}" for n, (_, field) in enumerate(WRONG)])
def test_what_is_wrong_is_named_by_its_path(body, field):
    with pytest.raises(InvalidFieldError) as raised:
        needs_of(body, prompt_of(body), frozenset({"vision"}))
    assert [violation.field for violation in raised.value.violations] == [field]


def test_only_a_capability_that_some_model_declares_is_required():
    body = user(IMAGE, SOUND) | {"tools": [TOOL]}
    assert needs_of(body, prompt_of(body), frozenset({"audio", "vision"})).capabilities == {"audio", "vision"}


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({}, None),
        ({"max_tokens": 5}, 5),
        ({"max_tokens": 5, "max_completion_tokens": 7}, 7),
        ({"max_tokens": None}, None),
    ],
)
def test_the_limit_of_the_answer_is_the_one_that_is_given(fields, limit):
    body = user(text("a")) | fields
    assert needs_of(body, prompt_of(body), frozenset()).max_output_tokens == limit
