"""The transport by aiohttp, and the only module that knows aiohttp as a client.

aiohttp's exceptions carry the request with its headers, and so the key. None of them leaves this module, not even as
the cause or the context of what is raised instead.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from functools import lru_cache
from os import strerror
from socket import AF_UNSPEC, AddressFamily
from typing import Final

from adapters.providers.addresses import check_address, check_url
from adapters.providers.chat import Timeouts
from adapters.providers.compression import inflater
from adapters.providers.errors import (
    MalformedAnswerError,
    MissingExtraError,
    ProviderError,
    ProviderTimeoutError,
    UnreachableError,
)
from adapters.providers.transport import HttpRequest

try:
    import aiohttp
    from aiohttp.abc import AbstractResolver, ResolveResult
    from aiohttp.http_exceptions import HttpProcessingError
except ModuleNotFoundError as error:
    raise MissingExtraError("calling providers needs aiohttp: pip install 'routeward[gateway]'") from error

HEADER_BYTES: Final = 16384
"""What a line of headers may have; how many there may be is aiohttp's to say (128)."""
KEEPALIVE_S: Final = 30.0
"""How long a connection rests. Most providers close theirs after a minute or later; who closes first loses no call."""
HEADERS: Final = {"Accept-Encoding": "identity", "User-Agent": "routeward"}

_FAILURES: Final = (aiohttp.ClientError, HttpProcessingError, OSError, ValueError)
_KNOWN_URLS: Final = 1024
_SHORTEST_S: Final = 0.001
_NEVER_ROUND_UP_S: Final = 1e9


class AiohttpTransport:
    """Sends requests over a pool of connections without a limit: who calls too much is held back elsewhere.

    Hosts in `private_hosts` (lower case) may lead to private addresses, and be spoken to without TLS. Nothing is taken
    from the environment, neither proxies nor netrc, and no cookies are kept. A request is sent once: one that was cut
    off may have been answered and billed, so that trying again is an attempt of its own, and up to the caller.
    """

    def __init__(self, private_hosts: frozenset[str] = frozenset()) -> None:
        self._private_hosts = private_hosts
        self._session: aiohttp.ClientSession | None = None
        self._is_closed = False
        self._check = lru_cache(_KNOWN_URLS)(lambda url: check_url(url, private_hosts))

    def send(self, request: HttpRequest, timeouts: Timeouts) -> "_Exchange":
        """Send a request; see `Transport.send`. To be entered in a running event loop, always in the same one."""
        if timeouts.total_s < _SHORTEST_S or timeouts.connect_s < _SHORTEST_S:  # aiohttp takes 0 and less for no limit
            total_s, connect_s = max(timeouts.total_s, _SHORTEST_S), max(timeouts.connect_s, _SHORTEST_S)
            timeouts = timeouts._replace(total_s=total_s, connect_s=connect_s)
        return _Exchange(self, request, timeouts)

    async def close(self) -> None:
        """Close every connection. Safe to call twice."""
        self._is_closed = True
        if self._session:
            await self._session.close()

    async def _sent(self, request: HttpRequest, timeouts: Timeouts) -> aiohttp.ClientResponse:
        if self._is_closed:
            raise UnreachableError("the transport to providers is closed")
        if wrong := self._check(request.url):
            raise UnreachableError(f"the address of the provider {wrong}")
        limits = aiohttp.ClientTimeout(timeouts.total_s, timeouts.connect_s, ceil_threshold=_NEVER_ROUND_UP_S)
        return await self._opened().request(
            request.method,
            request.url,
            data=request.body,
            headers=request.headers,
            allow_redirects=False,
            timeout=limits,
        )

    def _opened(self) -> aiohttp.ClientSession:
        if not self._session:
            resolver = _CheckedResolver(self._private_hosts)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S, resolver=resolver),
                headers=HEADERS,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                max_line_size=HEADER_BYTES,
                max_field_size=HEADER_BYTES,
            )
        return self._session


class _Exchange:
    """A request and its response, as a context manager."""

    def __init__(self, transport: AiohttpTransport, request: HttpRequest, timeouts: Timeouts) -> None:
        self._transport = transport
        self._request = request
        self._timeouts = timeouts
        self._response: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> "_Response":
        try:
            self._response = await self._transport._sent(self._request, self._timeouts)
            return _Response(self._response, self._timeouts)
        except _FAILURES as error:
            failure = _failure(error, self._timeouts)
        raise failure

    async def __aexit__(self, *_: object) -> None:
        if self._response:
            # A connection whose response was read to its end is back in the pool by now; any other is cut.
            self._response.close()


class _Response:
    """A response whose headers have arrived."""

    def __init__(self, response: aiohttp.ClientResponse, timeouts: Timeouts) -> None:
        self._response = response
        self._timeouts = timeouts
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives; see `HttpResponse.chunks`."""
        return _Chunks(self._response.content, self.headers.get("content-encoding", ""), self._timeouts)


class _Chunks:
    """A body. No generator, since one that is given up is closed by the event loop, and only some time later."""

    def __init__(self, content: aiohttp.StreamReader, encoding: str, timeouts: Timeouts) -> None:
        self._content = content
        self._timeouts = timeouts
        self._inflater = inflater(encoding)
        self._pieces: Iterator[bytes] = iter(())

    def __aiter__(self) -> "_Chunks":
        return self

    async def __anext__(self) -> bytes:
        if not self._inflater:
            if chunk := await self._read():
                return chunk
            raise StopAsyncIteration
        while not (piece := next(self._pieces, b"")):
            if not (chunk := await self._read()):
                self._inflater.finish()
                raise StopAsyncIteration
            self._pieces = self._inflater.pieces(chunk)
        return piece

    async def _read(self) -> bytes:
        try:
            return await self._content.readany()
        except _FAILURES as error:
            failure = _failure(error, self._timeouts)
        raise failure


class _CheckedResolver(AbstractResolver):
    """Looks names up as the system does, and lets no connection go where none may."""

    def __init__(self, private_hosts: frozenset[str]) -> None:
        self._private_hosts = private_hosts
        self._system = aiohttp.ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: AddressFamily = AF_UNSPEC) -> list[ResolveResult]:
        """Return the addresses of a host. Raises UnreachableError where one of them may not be reached."""
        found = await self._system.resolve(host, port, family)
        for one in found:
            if wrong := check_address(host, one["host"], self._private_hosts):
                raise UnreachableError(f"{host} {wrong}")
        return found

    async def close(self) -> None:
        """Nothing is held."""


def _reason(error: OSError) -> str:
    """Return the system's own words; those of asyncio show the address once more, as a tuple."""
    return strerror(error.errno).lower() if error.errno else "refused"


def _failure(error: Exception, timeouts: Timeouts) -> ProviderError:
    """Return what an exception of aiohttp means, in words that hold nothing of a request or an answer."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return ProviderTimeoutError("connect", timeouts.connect_s)
        case TimeoutError():
            return ProviderTimeoutError("total", timeouts.total_s)
        case aiohttp.ClientConnectorDNSError():
            return UnreachableError(f"the name {error.host} is not found")
        case aiohttp.ClientConnectorCertificateError():
            return UnreachableError(f"the certificate of {error.host} is not accepted")
        case aiohttp.ClientConnectorSSLError():
            return UnreachableError(f"{error.host}:{error.port} does not speak TLS as it should")
        case aiohttp.ClientConnectorError():
            return UnreachableError(f"no connection to {error.host}:{error.port}: {_reason(error.os_error)}")
        case aiohttp.ClientPayloadError():
            return UnreachableError("the answer was cut off")
        case aiohttp.ClientResponseError() | HttpProcessingError():
            return MalformedAnswerError("the answer is no HTTP")
        case aiohttp.ClientConnectionError() | OSError():
            return UnreachableError("the provider cut the connection")
        case _:
            return UnreachableError("the request cannot be sent: its address or a header has a forbidden character")
