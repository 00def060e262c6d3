"""One chat completion in the form of OpenAI's API, which the other formats are translated to and from."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple, Protocol

Body = Mapping[str, Any]
"""A chat completion request, parsed. What it says of `model` and `stream` does not count: the call itself does."""


class MarkedBody(dict[str, Any]):
    """A request whose parts tell, as `cache_control`, how far its prompt is worth caching.

    OpenAI has no such word and some servers refuse it: what is sent in that format goes without.
    """


class Timeouts(NamedTuple):
    """How long a call may take, in seconds: to connect, to the first token, between two chunks, and in all."""

    connect_s: float = 5.0
    first_token_s: float = 60.0
    idle_s: float = 60.0
    total_s: float = 300.0


class Usage(NamedTuple):
    """What a call used, as the provider counts it; None is unknown.

    `input_tokens` is the whole prompt, of which `cached_input_tokens` were read from the provider's cache. `cost_usd`
    is what the provider says that it bills.
    """

    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None


class Answer(NamedTuple):
    """A whole answer: `body` is the JSON of a `chat.completion`, exactly the provider's where it speaks that format."""

    body: bytes
    usage: Usage = Usage()
    finish_reason: str = ""
    request_id: str = ""


class Chunk(NamedTuple):
    """A part of an answer: `data` is the JSON of a `chat.completion.chunk`, without framing.

    `has_token` says that it carries something of the answer: text, reasoning, or a part of a tool call. A chunk with
    `usage` and no choices is the one that a caller has to ask for (`stream_options.include_usage`).
    """

    data: bytes
    has_token: bool = False
    finish_reason: str = ""
    usage: Usage | None = None
    has_choices: bool = True


class AnswerStream(Protocol):
    """An answer that arrives in parts. Iterating raises ProviderError; it ends only where the answer is complete."""

    @property
    def request_id(self) -> str:
        """What the provider calls the request; empty where it does not say."""

    def __aiter__(self) -> AsyncIterator[Chunk]:
        """Return the chunks, once."""

    async def aclose(self) -> None:
        """Give up what is still to come and release the connection. Safe to call twice."""
