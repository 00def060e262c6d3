"""What a caller wants answered, and what answered it."""

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple, Protocol

from adapters.providers.chat import Answer, Body, Chunk
from adapters.providers.errors import ProviderError
from server.credentials import Principal
from server.requests import Call
from server.routing import Decision


class Chat(NamedTuple):
    """A chat completion that a caller wants within `deadline_s` seconds from now; `call` is what Route is asked."""

    body: Body
    call: Call
    deadline_s: float


class Attempt(NamedTuple):
    """One call to a model, under its own decision id; `error` is None where it answered."""

    decision_id: str
    model: str
    error: ProviderError | None = None


class Served(NamedTuple):
    """What serves a chat: the decision, the attempts in order, of which the last answers, and what that should cost.

    `request_id` is what the provider calls the request.
    """

    decision: Decision
    attempts: Sequence[Attempt]
    forecast_usd: float
    request_id: str = ""

    @property
    def decision_id(self) -> str:
        """Decision id of the attempt that answers: outcome and thumbs belong to it."""
        return self.attempts[-1].decision_id

    @property
    def model(self) -> str:
        """The model that answers."""
        return self.attempts[-1].model

    def failed(self, error: ProviderError) -> "CallFailedError":
        """Return that what answers failed on the way."""
        return CallFailedError([*self.attempts[:-1], self.attempts[-1]._replace(error=error)])


class Completed(NamedTuple):
    """A whole answer."""

    served: Served
    answer: Answer


class Streaming(Protocol):
    """An answer whose first token is there. Iterating raises CallFailedError where it breaks off."""

    @property
    def served(self) -> Served:
        """What serves it."""

    def __aiter__(self) -> AsyncIterator[Chunk]:
        """Return the chunks, once, the first one without waiting."""

    async def aclose(self) -> None:
        """End the answer; the outcome is reported as far as it is known. Safe to call twice."""


class CallFailedError(Exception):
    """No model answered. `attempts` are those that were made, of which the last one's error decides what is told."""

    def __init__(self, attempts: Sequence[Attempt]) -> None:
        super().__init__(f"{len(attempts)} attempts failed, the last with: {attempts[-1].error}")
        self.attempts = tuple(attempts)

    @property
    def error(self) -> ProviderError:
        """What the last attempt failed with."""
        error = self.attempts[-1].error
        assert error is not None  # noqa: S101 - only failed attempts get here
        return error


class Chats(Protocol):
    """Answers chats. Both raise ServiceError where no model is called, CallFailedError where none answers."""

    async def complete(self, chat: Chat, caller: Principal) -> Completed:
        """Return a whole answer. Being cancelled cancels the call to the model."""

    async def stream(self, chat: Chat, caller: Principal) -> Streaming:
        """Return an answer that has begun; the caller closes it."""
