"""The port to the network. One module satisfies it, and only that one knows which library does the work."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from adapters.providers.chat import Timeouts


class HttpRequest(NamedTuple):
    """A request to send; the values of `headers` may be secret."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"

    def __repr__(self) -> str:
        return f"HttpRequest({self.method}, {len(self.headers)} headers, {len(self.body)} bytes)"


class HttpResponse(Protocol):
    """A response whose headers have arrived. Names of headers are lower case."""

    @property
    def status(self) -> int:
        """The status code."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives, decompressed, never more than a bounded piece at once.

        Raises UnreachableError where it is cut off, ProviderTimeoutError past the total time, MalformedAnswerError
        where it cannot be decompressed.
        """


class Transport(Protocol):
    """Sends requests over connections that it keeps. Redirects are not followed: they arrive as responses."""

    def send(self, request: HttpRequest, timeouts: Timeouts) -> AbstractAsyncContextManager[HttpResponse]:
        """Send a request; leaving the context, also by cancellation, ends the exchange.

        Only `connect_s` and `total_s` are kept here. Entering raises UnreachableError, ProviderTimeoutError, and
        MalformedAnswerError for what is no HTTP.
        """

    async def close(self) -> None:
        """Close every connection. Safe to call twice."""
