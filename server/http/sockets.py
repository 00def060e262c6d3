"""The sockets of the HTTP edge. The only module that knows which library serves HTTP."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from socket import socket
from typing import Any, Final, NamedTuple

from aiohttp import StreamReader, web

from server.http.exchange import JSON, Answers, Events, Incoming, Reply
from server.http.openai_errors import RequestError
from server.listening import BACKLOG, StartError, tls_context
from server.settings import TlsFiles

MAX_LINE_BYTES: Final = 8190
MAX_HEADERS: Final = 100
_SERVER: Final = {"server": "routeward"}
_EVENT_STREAM: Final = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
_SMALL_BYTES: Final = 32 * 1024
"""What a connection takes at once where nothing waits: asyncio lets 64 KiB wait before it holds writers up."""
_AT_ONCE_S: Final = 0.01
"""The library takes 0 for no limit."""
_CLEANING_S: Final = 5.0
"""How long cancelled calls may take to report how they went."""


class Patience(NamedTuple):
    """How long callers may take, in seconds: to send headers or to be idle, to send a body, to take what is sent.

    What is left of a refused body is read on for `linger_s`, so that its sender gets to read the refusal.
    """

    idle_s: float = 75.0
    body_s: float = 60.0
    write_s: float = 60.0
    linger_s: float = 2.0


Connect = Callable[[web.Server], "_Connection"]


class HttpEdge:
    """Serves `answers` at `listen`, "HOST:PORT". A caller who leaves cancels what is done for him.

    Where a socket is `inherited`, which listens there already, it is shared with other processes.
    """

    def __init__(
        self,
        answers: Answers,
        listen: str,
        tls: TlsFiles | None = None,
        patience: Patience | None = None,
        inherited: socket | None = None,
    ) -> None:
        self._inherited = inherited
        self._answers = answers
        self._listen = listen
        self._tls = tls
        self._patience = patience or Patience()
        self._http: _HttpServer | None = None
        self._sockets: asyncio.Server | None = None
        self._is_stopping = False
        self._running = 0
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    async def start(self) -> str:
        """Listen; return the address with the port that was taken. Raises StartError."""
        host, _, port = self._listen.rpartition(":")
        context = None if self._tls is None else tls_context(self._tls)
        self._http = _HttpServer(self._serve, self._connection)
        loop = asyncio.get_running_loop()
        try:
            if self._inherited is None:
                self._sockets = await loop.create_server(
                    self._http, host.strip("[]"), int(port), ssl=context, backlog=BACKLOG
                )
            else:
                self._sockets = await loop.create_server(self._http, sock=self._inherited, ssl=context, backlog=BACKLOG)
        except OSError as error:
            raise StartError(
                f"cannot listen on {self._listen}: {error.strerror or error}; stop what listens there, or change "
                "gateway.listen"
            ) from error
        return f"{host}:{self._sockets.sockets[0].getsockname()[1]}"

    def drain(self) -> None:
        """Tell health checks that other replicas should be asked; calls are still answered."""
        self._answers.drain()

    async def stop(self, grace_s: float) -> None:
        """Take no more calls, let running ones end, streams too, and cancel those that take longer than `grace_s`."""
        self.drain()
        if self._sockets is None or self._http is None:
            return
        self._sockets.close()
        self._is_stopping = True
        self._http.close_idle()
        await self._wait_for_calls(grace_s)
        await self._http.shutdown(_AT_ONCE_S)
        await self._wait_for_calls(_CLEANING_S)

    async def _wait_for_calls(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._is_idle.wait()

    def _connection(self, server: web.Server) -> "_Connection":
        return _Connection(
            server,
            self._answers,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=self._patience.idle_s,
            access_log=None,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
            max_headers=MAX_HEADERS,
            lingering_time=self._patience.linger_s,
            auto_decompress=False,
        )

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        self._running += 1
        self._is_idle.clear()
        try:
            return await self._answered(request)
        finally:
            self._running -= 1
            if not self._running:
                self._is_idle.set()

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}

        async def read(most: int) -> bytes:
            return await self._body(request, headers, most)

        answer = await self._answers.answer(Incoming(request.method, request.path, headers, read))
        if isinstance(answer, Reply):
            return await self._send(request, answer)
        try:
            return await self._send_events(request, answer)
        finally:
            await answer.aclose()

    async def _body(self, request: web.BaseRequest, headers: Mapping[str, str], most: int) -> bytes:
        if (request.content_length or 0) > most:
            raise _too_large(most)
        if headers.get("expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        try:
            if request.content.is_eof():  # it came with the headers, as most do, and needs no watch
                return _limited(request.content.read_nowait(), most)
            async with asyncio.timeout(self._patience.body_s):
                return await _gathered(request.content, most)
        except TimeoutError as error:
            what = f"the body did not arrive within {self._patience.body_s:g} s; is its content-length right?"
            raise RequestError(408, what, "body_timeout", {"connection": "close"}) from error
        except web.RequestPayloadError as error:
            raise RequestError(400, "the body breaks off, or its chunks are malformed", "malformed_http") from error

    async def _send(self, request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
        headers = {**_SERVER, **reply.headers, "content-type": reply.content_type}
        response = web.Response(status=reply.status, body=reply.body, headers=headers)
        if self._is_stopping or headers.get("connection") == "close":
            response.force_close()
        await self._within(request, len(reply.body), _whole(request, response))
        return response

    async def _send_events(self, request: web.BaseRequest, events: Events) -> web.StreamResponse:
        response = web.StreamResponse(headers={**_SERVER, **events.headers, **_EVENT_STREAM})
        await response.prepare(request)
        async for event in events:
            await self._within(request, len(event), response.write(event))
        await response.write_eof()
        return response

    async def _within(self, request: web.BaseRequest, size: int, writing: Awaitable[None]) -> None:
        """Give up a connection whose other end takes nothing for too long: what it is sent fills memory."""
        if size <= _SMALL_BYTES and request.transport is not None and not request.transport.get_write_buffer_size():
            await writing  # which cannot wait, and so needs no watch
            return
        try:
            async with asyncio.timeout(self._patience.write_s):
                await writing
        except TimeoutError as error:
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("the caller takes nothing of what is sent") from error


def _too_large(most: int) -> RequestError:
    return RequestError(413, f"the body has more than {most} bytes; send less at once", "body_too_large")


def _limited(body: bytes, most: int) -> bytes:
    if len(body) > most:
        raise _too_large(most)
    return body


async def _gathered(content: StreamReader, most: int) -> bytes:
    """Return a body as it arrives. Raises RequestError where it is too large."""
    blocks, size = [], 0
    async for block in content.iter_any():
        blocks.append(block)
        size += len(block)
        if size > most:
            raise _too_large(most)
    return b"".join(blocks)


async def _whole(request: web.BaseRequest, response: web.Response) -> None:
    await response.prepare(request)
    await response.write_eof()


class _Connection(web.RequestHandler):
    """A connection that answers bytes that are no request in the shape of every other error, and logs none of them."""

    def __init__(self, server: web.Server, answers: Answers, **options: Any) -> None:
        super().__init__(server, **options)
        self._answers = answers

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - quotes what was sent
    ) -> web.StreamResponse:
        """Return the answer to what is no request; raise where one was begun, or the caller left."""
        if request.writer.output_size > 0 or isinstance(exc, ConnectionError):
            raise ConnectionResetError("the caller left")
        reply = self._answers.refused(status, "the bytes are no HTTP/1.1 request within the limits of this service")
        response = web.Response(status=reply.status, body=reply.body, headers={**_SERVER, "content-type": JSON})
        response.force_close()
        return response

    def close_if_idle(self) -> None:
        """Take no further request where none is being answered."""
        if self._current_request is None:
            self.close()


class _HttpServer(web.Server):
    """Makes connections with the limits of this service."""

    def __init__(self, serve: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], connect: Connect) -> None:
        super().__init__(serve, handler_cancellation=True)
        self._connect = connect

    def __call__(self) -> web.RequestHandler:
        """Return what handles a new connection."""
        return self._connect(self)

    def close_idle(self) -> None:
        """Close the connections that wait for a request; the others close with their answer."""
        for connection in self.connections:
            if isinstance(connection, _Connection):
                connection.close_if_idle()
