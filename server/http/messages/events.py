"""A streamed chat completion as the events of a message."""

from collections.abc import Mapping
from typing import Any, Final

from adapters.providers.chat import Chunk, Usage
from adapters.providers.errors import MalformedAnswerError
from adapters.providers.formats.completions import compact
from adapters.providers.json_text import field, read, text
from server.http.exchange import Document
from server.http.messages.answers import account, envelope, stop_reason, text_block, texts, tool_use
from server.http.messages.errors import error_body
from server.http.openai_errors import ApiError

_TEXT: Final = -1
"""Stands for the block of text where calls of tools stand by their position."""


class MessageEvents:
    """Writes one stream. Blocks come one after the other: only the one that is open gets deltas.

    `input_tokens` is how long the prompt is estimated to be, which the start of a message has to tell; its end tells
    what the provider counted.
    """

    __slots__ = ("_begun", "_block", "_call_id", "_calls", "_finish_reason", "_input_tokens", "_open", "_usage")

    def __init__(self, input_tokens: int) -> None:
        self._input_tokens = input_tokens
        self._begun = False
        self._block = -1  # number of the last block
        self._open: int | None = None  # what it is: text, or which call
        self._calls = 0
        self._call_id = ""
        self._finish_reason = ""
        self._usage = Usage()

    def chunk(self, chunk: Chunk) -> bytes:
        """Return the events of a part. Raises MalformedAnswerError where parts of calls come mixed."""
        document = read(chunk.data)
        if chunk.usage is not None:
            self._usage = chunk.usage
        choices = field(document, "choices")
        if not choices or choices[0].get("index", 0) != 0:
            return b""
        events = [] if self._begun else self._start(document)
        self._choice(choices[0], events)
        return b"".join(events)

    def end(self) -> bytes:
        """Return why the model stopped, what it used, and that this is all."""
        events = self._close() if self._begun else self._start({})
        reason = stop_reason(self._finish_reason, has_calls=self._calls > 0)
        usage = account(self._usage) | {"output_tokens": self._usage.output_tokens}
        delta = {"stop_reason": reason, "stop_sequence": None}
        events.append(_event("message_delta", {"delta": delta, "usage": usage}))
        events.append(_event("message_stop", {}))
        return b"".join(events)

    def failed(self, error: ApiError) -> bytes:
        """Return the error, which is the last event."""
        return b"event: error\ndata: " + error_body(error) + b"\n\n"

    def _start(self, document: Any) -> list[bytes]:
        self._begun = True
        usage = {"input_tokens": self._input_tokens, "output_tokens": 0}
        return [
            _event("message_start", {"message": envelope(document, []) | {"usage": usage}}),
            _event("ping", {}),
        ]

    def _choice(self, choice: Document, events: list[bytes]) -> None:
        delta = choice.get("delta") or {}
        for block in texts(delta):
            if self._open != _TEXT:
                events += self._begin(_TEXT, text_block(""))
            events.append(self._delta({"type": "text_delta", "text": block["text"]}))
        for call in delta.get("tool_calls") or ():
            self._call(call, events)
        self._finish_reason = text(choice.get("finish_reason")) or self._finish_reason

    def _call(self, call: Any, events: list[bytes]) -> None:
        id_, position = text(field(call, "id")), call.get("index")
        if id_ and id_ != self._call_id:  # some servers leave the index out, or at 0
            self._call_id = id_
            self._calls += 1
            events += self._begin(self._calls if position is None else position, tool_use(call, {}))
        elif position not in (None, self._open) or self._open in (None, _TEXT):
            raise MalformedAnswerError("the provider sent the parts of several calls of tools mixed")
        if arguments := text(field(call, "function", "arguments")):
            events.append(self._delta({"type": "input_json_delta", "partial_json": arguments}))

    def _begin(self, kind: int, block: Document) -> list[bytes]:
        events = self._close()
        self._block += 1
        self._open = kind
        events.append(_event("content_block_start", {"index": self._block, "content_block": block}))
        return events

    def _close(self) -> list[bytes]:
        if self._open is None:
            return []
        self._open = None
        return [_event("content_block_stop", {"index": self._block})]

    def _delta(self, delta: Document) -> bytes:
        return _event("content_block_delta", {"index": self._block, "delta": delta})


def _event(kind: str, fields: Mapping[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {compact({'type': kind, **fields})}\n\n".encode("ascii")
