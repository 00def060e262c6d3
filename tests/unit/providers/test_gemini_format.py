"""What Gemini's API is sent, and how its answers and failures are read."""

import json
from typing import Any

import pytest

from adapters.providers.chat import Usage
from adapters.providers.endpoint import Endpoint, Format
from adapters.providers.errors import (
    CredentialRefusedError,
    MalformedAnswerError,
    ModelMissingError,
    ProviderFaultError,
    RateLimitedError,
    RequestRefusedError,
    UnsupportedRequestError,
)
from adapters.providers.formats.gemini_format import GeminiFormat
from adapters.providers.formats.gemini_request import UNSIGNED, generate_request
from adapters.providers.secret import Secret
from tests.unit.providers.openai_reading import completion, decoded, said

FORMAT = GeminiFormat(clock=lambda: 1_790_000_000.5)
HELLO = [{"role": "user", "content": "Hello"}]
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
NOW = {"type": "function", "function": {"name": "now", "description": "The time."}}


def translated(**body: Any) -> dict[str, Any]:
    return generate_request({"messages": HELLO} | body)


def candidate(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"content": {"parts": list(parts), "role": "model"}} | more


def response(*candidates: Any, **more: Any) -> dict[str, Any]:
    return {"candidates": list(candidates), "responseId": "r1", "modelVersion": "gemini"} | more


def read(*candidates: Any, **more: Any) -> Any:
    return completion(FORMAT.answer(json.dumps(response(*candidates, **more)).encode(), "q").body)


def failed(status: int, error: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    return FORMAT.failure(status, headers or {}, json.dumps({"error": error}).encode(), 0.0)


@pytest.mark.parametrize(
    ("base_url", "model", "stream", "url"),
    [
        ("https://g.example", "gemini-3", False, "https://g.example/v1beta/models/gemini-3:generateContent"),
        (
            "https://g.example/v1beta",
            "models/gemini-3",
            False,
            "https://g.example/v1beta/models/gemini-3:generateContent",
        ),
        ("https://g.example/v1", "g", True, "https://g.example/v1/models/g:streamGenerateContent?alt=sse&a=b"),
        ("https://g.example", "../x?y#z", False, "https://g.example/v1beta/models/..%2Fx%3Fy%23z:generateContent"),
    ],
)
def test_the_model_is_part_of_the_address_and_the_key_is_not(base_url, model, stream, url):
    query = {"a": "b"} if stream else {}
    endpoint = Endpoint("g", Format.GEMINI, base_url, Secret("AIza-1"), query=query)
    sent = FORMAT.request(endpoint, model, {"messages": HELLO}, stream=stream)
    assert (sent.url, sent.headers["x-goog-api-key"]) == (url, "AIza-1")
    assert json.loads(sent.body) == {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"max_tokens": 5}, {"maxOutputTokens": 5}),
        ({"temperature": 2}, {"temperature": 2.0}),
        ({"top_p": 0.5}, {"topP": 0.5}),
        ({"stop": "END"}, {"stopSequences": ["END"]}),
        ({"n": 2}, {"candidateCount": 2}),
        ({"seed": 7}, {"seed": 7}),
        ({"frequency_penalty": 1, "presence_penalty": -1}, {"frequencyPenalty": 1.0, "presencePenalty": -1.0}),
        ({"reasoning_effort": "none"}, {"thinkingConfig": {"thinkingBudget": 0}}),
        ({"reasoning_effort": "xhigh"}, {"thinkingConfig": {"thinkingBudget": 24576}}),
        ({"response_format": {"type": "json_object"}}, {"responseMimeType": "application/json"}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}},
            {"responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}},
        ),
    ],
)
def test_fields_have_their_counterparts(body, expected):
    assert translated(**body)["generationConfig"] == expected


@pytest.mark.parametrize(
    "body", [{}, {"n": 1}, {"stop": []}, {"response_format": {"type": "text"}}, {"tool_choice": "auto"}]
)
def test_what_says_nothing_is_not_sent(body):
    assert translated(**body) == translated()


@pytest.mark.parametrize(
    ("choice", "calling"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ({"type": "function", "function": {"name": "now"}}, {"mode": "ANY", "allowedFunctionNames": ["now"]}),
    ],
)
def test_tools_and_their_choice_have_theirs(choice, calling):
    request = translated(tools=[WEATHER, NOW], tool_choice=choice, parallel_tool_calls=True)
    declared = [
        {"name": "weather", "parametersJsonSchema": {"type": "object"}},
        {"name": "now", "description": "The time."},
    ]
    assert request["tools"] == [{"functionDeclarations": declared}]
    assert request["toolConfig"] == {"functionCallingConfig": calling}


def test_calls_that_no_gemini_model_made_are_marked_at_the_first_of_a_turn():
    calls = [
        {"id": id_, "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
        for id_ in ("1", "2")
    ]
    results = [{"role": "tool", "tool_call_id": id_, "content": "sunny"} for id_ in ("1", "2")]
    turns = translated(messages=[*HELLO, {"role": "assistant", "content": "So.", "tool_calls": calls}, *results])
    said_parts, result_parts = (turn["parts"] for turn in turns["contents"][1:])
    call = {"name": "weather", "args": {"city": "Rome"}}
    assert said_parts == [
        {"text": "So."},
        {"functionCall": {"id": "1"} | call, "thoughtSignature": UNSIGNED},
        {"functionCall": {"id": "2"} | call},
    ]
    assert result_parts == [
        {"functionResponse": {"id": id_, "name": "weather", "response": {"output": "sunny"}}} for id_ in ("1", "2")
    ]


def test_pictures_have_their_type_where_the_address_tells_it():
    urls = ["https://a.example/b.JPG?c=d.png", "https://a.example/b", "data:image/webp;base64,aGk="]
    content = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    assert translated(messages=[{"role": "user", "content": content}])["contents"][0]["parts"] == [
        {"fileData": {"fileUri": urls[0], "mimeType": "image/jpeg"}},
        {"fileData": {"fileUri": urls[1]}},
        {"inlineData": {"mimeType": "image/webp", "data": "aGk="}},
    ]


@pytest.mark.parametrize(
    ("body", "param"),
    [({"tools": [NOW], "parallel_tool_calls": False}, "parallel_tool_calls"), ({"logit_bias": {"5": 1}}, "logit_bias")],
)
def test_what_the_api_does_not_have_is_unsupported(body, param):
    with pytest.raises(UnsupportedRequestError) as caught:
        translated(**body)
    assert caught.value.param == param


@pytest.mark.parametrize("body", [{"n": 0}, {"n": 9}, {"seed": 2**31}, {"seed": "a"}, {"presence_penalty": 3}])
def test_what_is_out_of_range_is_refused(body):
    with pytest.raises(RequestRefusedError) as caught:
        translated(**body)
    assert (type(caught.value), caught.value.param) == (RequestRefusedError, next(iter(body)))


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("NEW", "stop"),
    ],
)
def test_finish_reasons_are_openais(reason, finish):
    assert read(candidate({"text": "a"}, finishReason=reason)).choices[0].finish_reason == finish


def test_a_candidate_that_is_blocked_has_an_empty_text():
    assert read({"finishReason": "SAFETY"}).choices[0].message.content == ""
    calls = {"functionCall": {"name": "now"}}
    assert read(candidate(calls, finishReason="STOP")).choices[0].message.content is None


def test_feedback_on_a_prompt_that_was_answered_blocks_nothing():
    feedback = {"blockReason": "OTHER"}
    assert said(read(candidate({"text": "a"}, finishReason="STOP"), promptFeedback=feedback))["text"] == "a"


def test_calls_without_ids_get_one_each():
    calls = [{"functionCall": {"name": "now"}}, {"functionCall": {"name": "now", "args": {"a": 1}}}]
    answer = said(read(candidate(*calls, finishReason="STOP")))
    assert answer["calls"] == [("call_r1_0_0", "now", {}), ("call_r1_0_1", "now", {"a": 1})]
    assert answer["finish"] == "tool_calls"


def test_several_answers_are_several_choices():
    several = read(candidate({"text": "a"}, finishReason="STOP"), candidate({"text": "b"}, finishReason="STOP"))
    assert [(choice.index, choice.message.content) for choice in several.choices] == [(0, "a"), (1, "b")]


def test_thoughts_are_output_and_what_is_left_out_is_zero():
    counts = {"promptTokenCount": 12, "thoughtsTokenCount": 3, "candidatesTokenCount": 4}
    content = json.dumps(response(candidate({"text": "a"}), usageMetadata=counts)).encode()
    assert FORMAT.answer(content, "q").usage == Usage(12, 0, 7)
    assert FORMAT.answer(json.dumps(response(candidate({"text": "a"}))).encode(), "q").usage == Usage()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"5",
        b"{}",
        b'{"candidates":[]}',
        b'{"candidates":5}',
        b"\xff",
        json.dumps(response(candidate({"functionCall": {"name": "a", "args": 5}}))).encode(),
    ],
)
def test_what_is_no_response_is_malformed(content):
    with pytest.raises(MalformedAnswerError):
        FORMAT.answer(content, "q")


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (400, "INVALID_ARGUMENT", RequestRefusedError),
        (400, "FAILED_PRECONDITION", CredentialRefusedError),
        (403, "PERMISSION_DENIED", CredentialRefusedError),
        (404, "NOT_FOUND", ModelMissingError),
        (429, "RESOURCE_EXHAUSTED", RateLimitedError),
        (499, "CANCELLED", ProviderFaultError),
        (500, "INTERNAL", ProviderFaultError),
        (503, "UNAVAILABLE", ProviderFaultError),
        (504, "DEADLINE_EXCEEDED", ProviderFaultError),
    ],
)
def test_failures_are_typed_by_status_wherever_they_stand(status, kind, error):
    body = {"error": {"code": status, "message": "made up", "status": kind}}
    for content in (body, [body]):
        failure = FORMAT.failure(status, {}, json.dumps(content).encode(), 0.0)
        assert (type(failure), failure.http_status) == (error, status)
    for raising in (lambda: decoded(FORMAT.decoder(), [body]), lambda: FORMAT.answer(json.dumps(body).encode(), "q")):
        with pytest.raises(error) as caught:
            raising()
        assert caught.value.http_status == 200


def test_a_blocked_prompt_was_sent_and_is_refused_within_a_200():
    body = {"promptFeedback": {"blockReason": "SAFETY"}}
    for raising in (lambda: decoded(FORMAT.decoder(), [body]), lambda: FORMAT.answer(json.dumps(body).encode(), "q")):
        with pytest.raises(RequestRefusedError) as caught:
            raising()
        assert (caught.value.code, caught.value.http_status) == ("content_filter", 200)


def test_a_prompt_that_is_too_long_may_fit_another_model():
    message = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
    failure = failed(400, {"status": "INVALID_ARGUMENT", "message": message})
    assert isinstance(failure, UnsupportedRequestError)
    assert (failure.code, failure.elsewhere) == ("context_length_exceeded", True)


def test_a_bad_key_is_one_although_the_status_blames_the_request():
    failure = failed(400, {"status": "INVALID_ARGUMENT", "message": "bad", "details": [{"reason": "API_KEY_INVALID"}]})
    assert type(failure) is CredentialRefusedError


@pytest.mark.parametrize(
    ("delay", "headers", "expected"),
    [
        ("34.5s", {}, 34.5),
        ("34.5s", {"retry-after": "2"}, 2.0),
        ("9999s", {}, 300.0),
        ("-1s", {}, None),
        ("soon", {}, None),
        ("nans", {}, None),
        (5, {}, None),
    ],
)
def test_the_delay_that_an_error_asks_for_is_kept(delay, headers, expected):
    details = [{"@type": "type.googleapis.com/google.rpc.Help"}, {"retryDelay": delay}]
    assert failed(429, {"status": "RESOURCE_EXHAUSTED", "details": details}, headers).retry_after_s == expected


@pytest.mark.parametrize("error", [None, 5, [], {"details": 5}, {"details": [5, {"reason": {}}]}, {"message": 5}])
def test_a_failure_of_another_shape_still_has_a_type(error):
    assert type(FORMAT.failure(503, {}, json.dumps({"error": error}).encode(), 0.0)) is ProviderFaultError
    assert type(FORMAT.failure(503, {}, b"<html>", 0.0)) is ProviderFaultError


def test_a_stream_is_complete_when_each_answer_has_its_finish_reason():
    decoder = FORMAT.decoder()
    both = [response(candidate({"text": "a"}, index=0)), response(candidate({"text": "b"}, index=1))]
    chunks = [json.loads(chunk.data) for chunk in decoded(decoder, both)]
    assert [chunk["choices"][0]["index"] for chunk in chunks] == [0, 0, 1, 1]
    assert not decoder.is_complete
    decoded(decoder, [response({"finishReason": "STOP"})])
    assert not decoder.is_complete
    decoded(decoder, [response({"finishReason": "STOP", "index": 1})])
    assert decoder.is_complete


def test_an_answer_that_is_wanted_and_not_yet_begun_is_waited_for():
    decoder = FORMAT.decoder(2)
    used = {"promptTokenCount": 2}
    ends = [response(candidate({"text": "a"}, index=at, finishReason="STOP"), usageMetadata=used) for at in (0, 1)]
    assert [chunk.usage for chunk in decoded(decoder, ends[:1]) if chunk.usage] == []
    assert not decoder.is_complete
    assert [chunk.usage for chunk in decoded(decoder, ends[1:]) if chunk.usage] == [Usage(2, 0, 0)]
    assert decoder.is_complete


def test_an_end_and_its_figures_are_told_once():
    end = response(candidate({"text": "a"}, finishReason="STOP"), usageMetadata={"promptTokenCount": 2})
    chunks = decoded(FORMAT.decoder(), [end, response(candidate({"text": ""}, finishReason="STOP")), response()])
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]
    assert [chunk.usage for chunk in chunks if chunk.usage] == [Usage(2, 0, 0)]


def test_figures_that_come_after_the_end_are_still_told():
    events = [response(candidate({"text": "a"}, finishReason="STOP")), response(usageMetadata={"promptTokenCount": 2})]
    assert [chunk.usage for chunk in decoded(FORMAT.decoder(), events)] == [None, None, None, Usage(2, 0, 0)]


@pytest.mark.parametrize("event", [None, 5, []])
def test_what_is_no_event_is_malformed(event):
    with pytest.raises(MalformedAnswerError):
        decoded(FORMAT.decoder(), [event])
