"""The stream of Anthropic's Messages API (https://docs.anthropic.com/en/docs/build-with-claude/streaming)."""

from collections.abc import Callable, Iterator
from typing import Any

from adapters.providers.chat import Chunk
from adapters.providers.errors import MalformedAnswerError
from adapters.providers.formats.anthropic_answer import failure_within, finish_reason, spent, told
from adapters.providers.formats.chat_format import ServerSentEvent
from adapters.providers.formats.completions import ChunkWriter, compact, tool_call
from adapters.providers.formats.failures import Report, reported
from adapters.providers.json_text import field, read, text


class MessageDecoder:
    """Reads one stream. Blocks come one after the other: only the one that is open gets deltas."""

    __slots__ = ("_arguments_open", "_calls", "_clock", "_complete", "_start_input", "_usage", "_writer")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._writer: ChunkWriter | None = None
        self._usage: dict[str, Any] = {}
        self._calls = 0
        self._arguments_open = False  # a call has begun, and nothing of its arguments came
        self._start_input: Any = None
        self._complete = False

    @property
    def is_complete(self) -> bool:
        """Whether the message has stopped."""
        return self._complete

    def feed(self, event: ServerSentEvent) -> Iterator[Chunk]:
        """Yield what an event says; nothing for a ping, or for events and blocks that are new."""
        data = read(event.data)
        kind = text(field(data, "type"))
        if kind == "message_start":
            yield self._message_start(field(data, "message"))
        elif kind == "error":
            raise failure_within(reported(data) or Report())
        elif kind == "message_stop":
            self._complete = True
        elif not kind:
            raise MalformedAnswerError("the provider sent an event that is none of its format")
        elif kind != "ping":
            yield from self._within(kind, data)

    def _within(self, kind: str, data: Any) -> Iterator[Chunk]:
        """Yield what an event within a message says."""
        if (writer := self._writer) is None:
            raise MalformedAnswerError("the provider's stream does not begin with the start of a message")
        if kind == "content_block_delta":
            yield from self._block_delta(data, writer)
        elif kind == "content_block_start":
            yield from self._block_start(data, writer)
        elif kind == "content_block_stop":
            yield from self._block_stop(writer)
        elif kind == "message_delta":
            yield from self._message_delta(data, writer)

    def _message_start(self, message: Any) -> Chunk:
        self._count(field(message, "usage"))
        self._writer = ChunkWriter(told(message, int(self._clock())))
        return self._writer.role()

    def _block_start(self, data: Any, writer: ChunkWriter) -> Iterator[Chunk]:
        block = field(data, "content_block")
        kind = field(block, "type")
        if kind == "tool_use":
            self._calls += 1
            self._arguments_open, self._start_input = True, field(block, "input")
            yield writer.tool_call(self._calls - 1, tool_call(text(field(block, "id")), text(field(block, "name")), ""))
        elif kind == "text" and (said := text(field(block, "text"))):
            yield writer.text(said)

    def _block_delta(self, data: Any, writer: ChunkWriter) -> Iterator[Chunk]:
        delta = field(data, "delta")
        kind = field(delta, "type")
        if kind == "text_delta" and (said := text(field(delta, "text"))):
            yield writer.text(said)
        elif kind == "thinking_delta" and (thought := text(field(delta, "thinking"))):
            yield writer.reasoning(thought)
        elif kind == "input_json_delta" and self._calls and (part := text(field(delta, "partial_json"))):
            self._arguments_open = False
            yield writer.arguments(self._calls - 1, part)

    def _block_stop(self, writer: ChunkWriter) -> Iterator[Chunk]:
        if self._arguments_open:
            self._arguments_open = False
            whole = self._start_input if isinstance(self._start_input, dict) else {}
            yield writer.arguments(self._calls - 1, compact(whole))

    def _message_delta(self, data: Any, writer: ChunkWriter) -> Iterator[Chunk]:
        self._count(field(data, "usage"))
        reason = field(data, "delta", "stop_reason")
        if reason is not None:
            yield writer.finish(finish_reason(reason))
            total = spent(self._usage)
            if total.usage.input_tokens is not None and total.usage.output_tokens is not None:
                yield writer.usage(total)

    def _count(self, usage: Any) -> None:
        """Take over what is counted: later figures stand for the whole answer, and leave out what did not change."""
        if isinstance(usage, dict):
            self._usage |= {name: value for name, value in usage.items() if value is not None}
