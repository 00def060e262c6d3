"""What a format has to do: translate a request there, and what comes back. Pure, without I/O and without a clock."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from adapters.providers.chat import Answer, Body, Chunk
from adapters.providers.endpoint import Endpoint
from adapters.providers.errors import ProviderError
from adapters.providers.transport import HttpRequest


class ServerSentEvent(NamedTuple):
    """One event of a stream; `event` is empty where it has no name."""

    data: bytes
    event: str = ""


class StreamDecoder(Protocol):
    """Turns the events of one stream into chunks."""

    @property
    def is_complete(self) -> bool:
        """Whether the end of the answer was seen."""

    def feed(self, event: ServerSentEvent) -> Iterable[Chunk]:
        """Return what an event says. Raises ProviderError where it reports one, or is none of this format."""


class ChatFormat(Protocol):
    """A way to speak to models. Requests and answers on this side are OpenAI's (`adapters.providers.chat`)."""

    def request(self, endpoint: Endpoint, model: str, body: Body, *, stream: bool) -> HttpRequest:
        """Return what to send. Raises RequestRefusedError, with the `param`, for what the format cannot say."""

    def answer(self, content: bytes, request_id: str) -> Answer:
        """Read a 200. Raises MalformedAnswerError, or what the provider reports within it."""

    def decoder(self, choices: int = 1) -> StreamDecoder:
        """Return what reads one stream, of which `choices` answers are wanted."""

    def failure(self, status: int, headers: Mapping[str, str], content: bytes, now_s: float) -> ProviderError:
        """Return what a response that is no 200 means; `content` is its beginning, `now_s` the time since 1970."""
