"""The stream of Google's Gemini API: responses, each with the parts that are new and all tokens so far."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from adapters.providers.chat import Chunk
from adapters.providers.errors import MalformedAnswerError
from adapters.providers.formats.chat_format import ServerSentEvent
from adapters.providers.formats.completions import ChunkWriter, Spent
from adapters.providers.formats.gemini_answer import call_id, check, finish_reason, parts, spent, told, written_call
from adapters.providers.json_text import field, read, text


@dataclass(slots=True)
class _Candidate:
    """How far one answer has come."""

    calls: int = 0
    finished: bool = False


class ResponseDecoder:
    """Reads one stream. Nothing but the end of the connection ends it: complete is what has its finish reason."""

    __slots__ = ("_candidates", "_choices", "_clock", "_id", "_spent", "_writer")

    def __init__(self, clock: Callable[[], float], choices: int = 1) -> None:
        self._clock = clock
        self._choices = choices
        self._id = ""
        self._writer: ChunkWriter | None = None
        self._candidates: dict[int, _Candidate] = {}
        self._spent: Spent | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every answer that began has its finish reason, and as many as are wanted."""
        candidates = self._candidates.values()
        return len(candidates) >= self._choices and all(candidate.finished for candidate in candidates)

    def feed(self, event: ServerSentEvent) -> Iterator[Chunk]:
        """Yield what a response says."""
        response = read(event.data)
        if not isinstance(response, dict):
            raise MalformedAnswerError("the provider sent an event that is none of its format")
        check(response)
        writer = self._writer or self._begin(response)
        candidates = response.get("candidates")
        for candidate in candidates if isinstance(candidates, list) else ():
            yield from self._said(candidate, writer)
        self._spent = spent(response.get("usageMetadata")) or self._spent
        if self._spent is not None and self.is_complete:
            yield writer.usage(self._spent)
            self._spent = None

    def _begin(self, response: Any) -> ChunkWriter:
        about = told(response, int(self._clock()))
        self._id, self._writer = about.id, ChunkWriter(about)
        return self._writer

    def _said(self, candidate: Any, writer: ChunkWriter) -> Iterator[Chunk]:
        index = field(candidate, "index")
        index = index if type(index) is int and index >= 0 else 0
        if index not in self._candidates:
            self._candidates[index] = _Candidate()
            yield writer.role(index)
        state = self._candidates[index]
        for part in parts(candidate):
            yield from self._part(part, writer, index, state)
        if (reason := text(field(candidate, "finishReason"))) and not state.finished:
            said = finish_reason(reason, has_calls=state.calls > 0)
            state.finished = True
            yield writer.finish(said, index)

    def _part(self, part: Any, writer: ChunkWriter, index: int, state: _Candidate) -> Iterator[Chunk]:
        call = written_call(part, call_id(self._id, index, state.calls))
        if call is not None:
            state.calls += 1
            yield writer.tool_call(state.calls - 1, call, index)
        elif said := text(field(part, "text")):
            yield writer.reasoning(said, index) if field(part, "thought") is True else writer.text(said, index)
