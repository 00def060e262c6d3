"""What models answer, whole and in streams, in Anthropic's words."""

import json
from typing import Any

import pytest

from adapters.providers.chat import Answer, Chunk, Usage
from adapters.providers.errors import MalformedAnswerError
from adapters.providers.formats.anthropic_words import ERROR_STATUSES, FINISH_REASONS, STOP_REASONS
from adapters.providers.sse import EventParser
from server.http.messages.answers import message
from server.http.messages.errors import error_body
from server.http.messages.events import MessageEvents
from server.http.openai_errors import ApiError

USAGE = Usage(11, 4, 3)


def told(usage: Usage = USAGE, finish: str | None = "stop", **said: Any) -> Any:
    choice = {"index": 0, "message": {"role": "assistant", **said}, "finish_reason": finish}
    body = json.dumps({"id": "c-1", "model": "m", "choices": [choice]}).encode()
    return json.loads(message(Answer(body, usage)))


def call(arguments: str = "{}", **more: Any) -> dict[str, Any]:
    return {"id": "t-1", "type": "function", "function": {"name": "weather", "arguments": arguments}, **more}


def test_an_answer_is_a_message():
    assert told(content="Hello") == {
        "id": "c-1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 7, "cache_read_input_tokens": 4, "output_tokens": 3},
    }


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        (None, "end_turn"),
        ("new", "end_turn"),
    ],
)
def test_why_the_model_stopped_has_its_word(finish, reason):
    assert told(finish=finish, content="Hello")["stop_reason"] == reason


def test_a_call_of_a_tool_is_why_the_model_stopped_whatever_its_server_says():
    answer = told(content=None, tool_calls=[call('{"city":"Rome"}')])
    assert answer["content"] == [{"type": "tool_use", "id": "t-1", "name": "weather", "input": {"city": "Rome"}}]
    assert answer["stop_reason"] == "tool_use"


def test_thoughts_are_left_out_and_refusals_are_text():
    answer = told(content=None, reasoning_content="Hm.", refusal="I would rather not.")
    assert answer["content"] == [{"type": "text", "text": "I would rather not."}]


def test_a_content_in_parts_is_its_texts():
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "Hello"}]
    assert told(content=parts)["content"] == [{"type": "text", "text": "Hello"}]


def test_what_is_unknown_of_the_usage_is_null():
    assert told(Usage(), content="Hello")["usage"] == {
        "input_tokens": None,
        "cache_read_input_tokens": None,
        "output_tokens": None,
    }


@pytest.mark.parametrize("arguments", ['{"city":', "[]", "7"])
def test_arguments_that_are_no_object_are_no_answer(arguments):
    with pytest.raises(MalformedAnswerError):
        told(content=None, tool_calls=[call(arguments)])


def test_words_of_both_apis_are_inverse():
    assert {stop: FINISH_REASONS.get(stop, "stop") for stop in STOP_REASONS.values()} == {
        stop: finish for finish, stop in STOP_REASONS.items()
    }
    assert len(set(ERROR_STATUSES.values())) == len(ERROR_STATUSES)


def part(delta: Any = None, finish: str | None = None, usage: Usage | None = None, **fields: Any) -> Chunk:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    data = json.dumps({"id": "c-1", "model": "m", "choices": choices, **fields}).encode()
    return Chunk(data, usage=usage, has_choices=bool(choices))


def calls(position: int | None, id_: str | None, arguments: str = "") -> Chunk:
    piece: dict[str, Any] = {"function": {"arguments": arguments}}
    if position is not None:
        piece["index"] = position
    if id_:
        piece |= {"id": id_, "function": {"name": f"tool-{id_}", "arguments": arguments}}
    return part({"tool_calls": [piece]})


def written(*chunks: Chunk) -> list[Any]:
    writer = MessageEvents(9)
    raw = b"".join([*map(writer.chunk, chunks), writer.end()])
    return [json.loads(event.data) for event in EventParser().feed(raw)]


def shape(events: list[Any]) -> str:
    """What happens in a stream: each block with its number, and what it gets."""
    marks = {"content_block_start": "<", "content_block_delta": ".", "content_block_stop": ">"}
    return "".join(f"{marks[event['type']]}{event['index']}" for event in events if event["type"] in marks)


def test_a_stream_is_a_message_from_its_start_to_its_stop():
    events = written(
        part({"role": "assistant", "content": ""}),
        part({"content": "Hel"}),
        part({"content": "lo"}),
        part({}, "stop"),
        part(usage=USAGE),
    )
    assert [event["type"] for event in events] == [
        *("message_start", "ping", "content_block_start", "content_block_delta", "content_block_delta"),
        *("content_block_stop", "message_delta", "message_stop"),
    ]
    start, end = events[0]["message"], events[-2]
    assert (start["id"], start["model"], start["content"]) == ("c-1", "m", [])
    assert start["usage"] == {"input_tokens": 9, "output_tokens": 0}
    assert end["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert end["usage"] == {"input_tokens": 7, "cache_read_input_tokens": 4, "output_tokens": 3}


def test_blocks_come_one_after_the_other():
    events = written(
        part({"content": "I look."}),
        calls(0, "a"),
        calls(0, None, "{"),
        calls(0, None, "}"),
        calls(1, "b", "{}"),
        part({}, "tool_calls"),
    )
    assert shape(events) == "<0.0>0<1.1.1>1<2.2>2"
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


@pytest.mark.parametrize("position", [0, None])
def test_calls_are_told_apart_by_their_ids_where_servers_do_not_number_them(position):
    assert shape(written(calls(position, "a", "{}"), calls(position, "b", "{}"))) == "<0.0>0<1.1>1"


def test_an_id_that_is_said_again_is_no_new_call():
    assert shape(written(calls(0, "a", "{"), calls(0, "a", "}"))) == "<0.0.0>0"


def test_parts_of_calls_that_come_mixed_are_no_stream():
    with pytest.raises(MalformedAnswerError):
        written(calls(0, "a", "{"), calls(1, "b", "{"), calls(0, None, "}"))
    with pytest.raises(MalformedAnswerError):
        written(calls(0, None, "{"))


def test_what_comes_before_an_answer_does_not_begin_a_message():
    events = written(Chunk(b'{"id":"","model":"","choices":[]}', has_choices=False), part({"content": "Hello"}))
    assert events[0]["message"]["id"] == "c-1"


def test_thoughts_and_further_choices_are_not_told():
    second = json.dumps({"id": "c-1", "choices": [{"index": 1, "delta": {"content": "Other"}}]}).encode()
    assert shape(written(part({"reasoning_content": "Hm."}), Chunk(second), part({"content": "Hi"}))) == "<0.0>0"


def test_what_is_unknown_at_the_end_of_a_stream_is_null():
    assert written(part({"content": "Hello"}, "stop"))[-2]["usage"]["output_tokens"] is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (404, "not_found_error"),
        (405, "invalid_request_error"),
        (413, "request_too_large"),
        (415, "invalid_request_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
    ],
)
def test_a_failure_has_the_type_of_its_status(status, kind):
    body = json.loads(error_body(ApiError(status, "x", "what to do", "some_code")))
    assert body == {
        "type": "error",
        "error": {"type": kind, "message": "what to do", "details": {"error_code": "some_code"}},
    }
