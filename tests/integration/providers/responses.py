"""What a provider can send that is wrong, byte for byte; and a few answers that are right in spite of all."""

import json
import zlib

JSON = "Content-Type: application/json"
EVENTS = "Content-Type: text/event-stream"
CLOSE = "Connection: close"
CHUNKED = "Transfer-Encoding: chunked"
MARK = b"[what the provider says]"
"""Fills bodies of failures, so that a text that shows too much of one is found."""


def head(status: str, *headers: str) -> bytes:
    """Return a status line and headers; such a response ends with its connection where no header says otherwise."""
    return "\r\n".join((f"HTTP/1.1 {status}", *headers, "", "")).encode("latin-1")


def ok(body: bytes, *headers: str) -> bytes:
    return head("200 OK", JSON, f"Content-Length: {len(body)}", CLOSE, *headers) + body


def failed(status: str, *headers: str) -> bytes:
    body = json.dumps({"error": {"message": (MARK * 100).decode(), "type": "whatever"}}).encode()
    return head(status, JSON, f"Content-Length: {len(body)}", CLOSE, *headers) + body


def stream(*events: bytes) -> bytes:
    return head("200 OK", EVENTS) + b"".join(events)


def event(document: object) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def delta(text: str, finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
    return event({"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m", "choices": [choice]})


def answer(text: str = "Hello") -> dict[str, object]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    return {"id": "chatcmpl-1", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}


ANSWER = json.dumps(answer()).encode()
TOKEN = delta("Hel")
END = delta("lo", "stop")
DONE = b"data: [DONE]\n\n"
WHOLE_STREAM = TOKEN + END + DONE
NESTED = b'{"choices": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
PACKED = zlib.compress(ANSWER, wbits=31)

RESPONSES = {
    # Right in spite of all.
    "plain_answer": ok(ANSWER),
    "plain_stream": stream(WHOLE_STREAM),
    "carriage_returns": stream(WHOLE_STREAM.replace(b"\n", b"\r\n")),
    "two_ends": stream(WHOLE_STREAM, DONE),
    "byte_order_mark_in_stream": stream(b"\xef\xbb\xbf", WHOLE_STREAM),
    "cookies": ok(ANSWER, "Set-Cookie: session=1; Path=/"),
    "duplicate_keys": ok(ANSWER.replace(b"{", b'{"id": "another", ', 1)),
    "compressed_unasked": ok(PACKED, "Content-Encoding: gzip"),
    "interim_responses": head("103 Early Hints") * 50 + ok(ANSWER),
    # No JSON, or not of this kind.
    "truncated_json": ok(ANSWER[:-10]),
    "empty_body": ok(b""),
    "page_of_html": head("200 OK", "Content-Type: text/html") + b"<html>" + MARK * 100,
    "html_called_json": ok(b"<html>" + MARK * 100),
    "wrong_content_type": head("200 OK", "Content-Type: image/png") + ANSWER,
    "no_content_type": head("200 OK") + ANSWER,
    "wrong_charset": head("200 OK", JSON + "; charset=utf-16") + ANSWER.decode().encode("utf-16"),
    "utf_16": ok(ANSWER.decode().encode("utf-16")),
    "invalid_utf_8": ok(ANSWER.replace(b"Hello", b"\xff\xfe\xc3(")),
    "byte_order_mark": ok(b"\xef\xbb\xbf" + ANSWER),
    "nul_bytes": ok(b"\0" * 10_000),
    "deep_nesting": ok(NESTED),
    "not_a_number": ok(ANSWER.replace(b'"prompt_tokens": 3', b'"prompt_tokens": NaN')),
    "a_list": ok(b"[" + ANSWER + b"]"),
    "another_object": ok(b'{"object": "list", "data": []}'),
    "no_choices": ok(b'{"object": "chat.completion", "choices": []}'),
    "choices_of_another_type": ok(b'{"object": "chat.completion", "choices": {"0": 1}}'),
    "failure_within_200": ok(json.dumps({"error": {"message": (MARK * 100).decode(), "code": 500}}).encode()),
    # Streams.
    "failure_before_first_token": stream(event({"error": {"message": (MARK * 100).decode(), "code": 502}})),
    "failure_after_first_token": stream(TOKEN, event({"error": {"message": (MARK * 100).decode(), "code": 502}})),
    "stream_without_end": stream(TOKEN),
    "empty_stream": stream(),
    "end_without_answer": stream(DONE),
    "lines_of_json": head("200 OK", EVENTS) + ANSWER + b"\n" + ANSWER + b"\n",
    "event_of_broken_json": stream(TOKEN, b'data: {"choices": [\n\n'),
    "event_of_nested_json": stream(b"data: " + NESTED + b"\n\n"),
    "answer_instead_of_stream": ok(ANSWER),
    # Broken HTTP.
    "no_http": b"SSH-2.0-OpenSSH_9.2\r\n" + MARK * 100,
    "connection_closed": b"",
    "bad_status": b"HTTP/1.1 2OO OK\r\n\r\n" + MARK,
    "header_without_colon": b"HTTP/1.1 200 OK\r\nrubbish " + MARK + b"\r\n\r\n",
    "header_with_nul": b"HTTP/1.1 200 OK\r\nX-A: a\0b\r\n\r\n",
    "shorter_than_announced": head("200 OK", JSON, "Content-Length: 100000") + ANSWER,
    "negative_length": head("200 OK", JSON, "Content-Length: -5") + ANSWER,
    "two_lengths": head("200 OK", JSON, "Content-Length: 5", "Content-Length: 500") + ANSWER,
    "bad_chunk_size": head("200 OK", JSON, CHUNKED) + b"zz\r\n" + ANSWER,
    "huge_chunk_size": head("200 OK", JSON, CHUNKED) + b"f" * 40 + b"\r\n" + ANSWER,
    "chunks_without_end": head("200 OK", JSON, CHUNKED) + b"%x\r\n%s\r\n" % (len(ANSWER), ANSWER),
    "broken_compression": ok(b"\x1f\x8b" + MARK * 100, "Content-Encoding: gzip"),
    "truncated_compression": ok(PACKED[:-8], "Content-Encoding: gzip"),
    "two_compressed_parts": ok(PACKED + PACKED, "Content-Encoding: gzip"),
    "unknown_compression": ok(MARK, "Content-Encoding: br"),
    "protocol_switched": head("101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade") + MARK,
    "no_content": head("204 No Content"),
    "not_modified": head("304 Not Modified"),
    # Failures with a status of their own.
    "bad_request": failed("400 Bad Request"),
    "unauthorized": failed("401 Unauthorized"),
    "forbidden": failed("403 Forbidden"),
    "not_found": failed("404 Not Found"),
    "too_large": failed("413 Content Too Large"),
    "unprocessable": failed("422 Unprocessable Content"),
    "internal_error": failed("500 Internal Server Error"),
    "unavailable": failed("503 Service Unavailable", "Retry-After: 7"),
    "overloaded": failed("529 Overloaded"),
    "unknown_status": failed("799 Whatever"),
    "failure_of_html": head("502 Bad Gateway", "Content-Type: text/html") + b"<html>" + MARK * 1000,
    "failure_of_nested_json": head("500 Internal Server Error", JSON) + NESTED,
    "retry_after_seconds": failed("429 Too Many Requests", "Retry-After: 7"),
    "retry_after_date": failed("429 Too Many Requests", "Retry-After: Thu, 01 Jan 1970 00:00:07 GMT"),
    "retry_after_negative": failed("429 Too Many Requests", "Retry-After: -7"),
    "retry_after_huge": failed("429 Too Many Requests", f"Retry-After: {'9' * 400}"),
    "retry_after_rubbish": failed("429 Too Many Requests", "Retry-After: soon, perhaps \xff"),
}
