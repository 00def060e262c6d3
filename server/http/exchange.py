"""What a request says and what is answered, without a trace of who carries it. Names of headers are lower case."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

JSON: Final = "application/json"
NO_HEADERS: Final[Mapping[str, str]] = {}


class Incoming(NamedTuple):
    """A request whose headers have arrived.

    `path` is decoded. `read` returns the body, and raises RequestError where it is larger than so many bytes.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    read: Callable[[int], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON


class Events(Protocol):
    """An answer that is sent as it comes, as server-sent events; whoever sends it closes it."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What is sent before."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return the events, once, each with its framing. What fails on the way is one of them."""

    async def aclose(self) -> None:
        """Give up what is still to come. Safe to call twice."""


class Answers(Protocol):
    """Everything that is served. Raises nothing but what cancels it."""

    async def answer(self, incoming: Incoming) -> Reply | Events:
        """Return what is answered."""

    def refused(self, status: int, message: str) -> Reply:
        """Return what is answered to bytes that are no request."""

    def drain(self) -> None:
        """Say from now on that other replicas should be asked."""


Document = dict[str, Any]
"""A JSON object."""
