"""How callers speak: their requests become chat completions, and what is answered takes their form again. Pure."""

from typing import Protocol

from adapters.providers.chat import Answer, Chunk
from server.http.chat_requests import Wish
from server.http.exchange import Document
from server.http.openai_errors import ApiError


class EventWriter(Protocol):
    """Writes the events of one stream, each with its framing; nothing is written where nothing is to be told."""

    def chunk(self, chunk: Chunk) -> bytes:
        """Return what a part of the answer is told as. Raises ProviderError where it cannot be told."""

    def end(self) -> bytes:
        """Return how a complete answer ends."""

    def failed(self, error: ApiError) -> bytes:
        """Return how an answer ends that failed on the way."""


class Dialect(Protocol):
    """A way to speak to the gateway."""

    def request(self, body: Document) -> Document:
        """Return a chat completion request. Raises InvalidFieldError, which names a field as the caller wrote it."""

    def answer(self, answer: Answer) -> bytes:
        """Return the body of a whole answer. Raises ProviderError where it cannot be told."""

    def events(self, wish: Wish) -> EventWriter:
        """Return what writes the stream that is wished."""

    def error(self, error: ApiError) -> bytes:
        """Return the body of a failure."""
