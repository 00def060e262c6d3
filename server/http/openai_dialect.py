"""Callers who speak OpenAI's API, in whose form everything is here anyway."""

from adapters.providers.chat import Answer, Chunk
from server.http.chat_replies import DONE, event
from server.http.chat_requests import Wish
from server.http.exchange import Document
from server.http.openai_errors import ApiError


class OpenAIDialect:
    """Passes requests and answers on as they are."""

    def request(self, body: Document) -> Document:
        """Return the request as it came."""
        return body

    def answer(self, answer: Answer) -> bytes:
        """Return the answer as it came."""
        return answer.body

    def events(self, wish: Wish) -> "ChunkEvents":
        """Return what writes a stream, with the chunk that tells the usage or without."""
        return ChunkEvents(includes_usage=wish.includes_usage)

    def error(self, error: ApiError) -> bytes:
        """Return `{"error": {...}}`."""
        return error.body()


class ChunkEvents:
    """Writes chunks as they came; one that tells an error is the last, and no `[DONE]` follows it."""

    __slots__ = ("_includes_usage",)

    def __init__(self, *, includes_usage: bool) -> None:
        self._includes_usage = includes_usage

    def chunk(self, chunk: Chunk) -> bytes:
        """Return the chunk."""
        if chunk.usage is not None and not (chunk.has_choices or self._includes_usage):
            return b""
        return event(chunk.data)

    def end(self) -> bytes:
        """Return `[DONE]`."""
        return DONE

    def failed(self, error: ApiError) -> bytes:
        """Return the error."""
        return event(error.body())
