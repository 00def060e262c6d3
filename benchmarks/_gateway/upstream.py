"""A provider that answers at once, and fails when told to: `python -m benchmarks._gateway.upstream` prints its port.

Then it obeys: each line on stdin is an order (JSON, see `Order`), answered by a line that tells what happened since
the order before (`Seen`). It ends with stdin. Answers are OpenAI's; each carries the nonce (`NONCE` and eight digits)
of its request, so that a caller can tell that it got its own. Streams stamp each chunk with CLOCK_MONOTONIC.
"""

import asyncio
import json
import sys
import time
from typing import Any, Final, NamedTuple

NONCE: Final = b"nonce-"
NONCE_LENGTH: Final = len(NONCE) + 8

_ANSWER: Final = (
    b'{"id":"chatcmpl-mock","object":"chat.completion","created":1700000000,"model":"mock","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"%s"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15}}'
)
_CHUNK: Final = (
    b'data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1700000000,"model":"mock","choices":['
    b'{"index":0,"delta":%s,"finish_reason":%s}]}\n\n'
)
_USAGE: Final = (
    b'data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1700000000,"model":"mock","choices":[],'
    b'"usage":{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15}}\n\n'
)
_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_STREAM_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_ERROR: Final = b'{"error":{"message":"told to fail","type":"server_error","param":null,"code":null}}'
_FAILURE: Final = b"HTTP/1.1 %s\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
_HEALTHY: Final = b'{"object":"list","data":[{"id":"mock","object":"model","created":1700000000,"owned_by":"mock"}]}'

MODES: Final = ("ok", "refuse", "fault", "limited", "stall")
"""Answers; refuses connections; 500; 429 with Retry-After; reads requests and never answers."""


class Order(NamedTuple):
    """What to do from now on; streams have so many chunks, so many a second (0: all at once)."""

    mode: str = "ok"
    chunks: int = 20
    rate_hz: float = 0.0
    retry_after_s: int = 1


class Seen(NamedTuple):
    """What happened since the last order; `arrivals_s` of requests by CLOCK_MONOTONIC, `waiting` now."""

    arrivals_s: list[float]
    answered: int
    abandoned: int
    waiting: int


class Upstream:
    """What all connections share."""

    def __init__(self) -> None:
        self.order = Order()
        self.connections: set[Connection] = set()
        self.waiting: set[Connection] = set()
        self.forget()

    def forget(self) -> None:
        """Start to count anew."""
        self.arrivals_s: list[float] = []
        self.answered = self.abandoned = 0

    def seen(self) -> Seen:
        return Seen(self.arrivals_s, self.answered, self.abandoned, len(self.waiting))


class Connection(asyncio.Protocol):
    """One connection: requests one after the other, as proxies send them."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.buffer = b""
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.upstream.connections.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self.upstream.connections.discard(self)
        if self in self.upstream.waiting:
            self.upstream.waiting.discard(self)
            self.upstream.abandoned += 1
        if self.timer:
            self.timer.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (head_end := self.buffer.find(b"\r\n\r\n") + 4) > 3:
            end = head_end + _length(self.buffer[:head_end])
            if len(self.buffer) < end:
                return
            request, self.buffer = self.buffer[:end], self.buffer[end:]
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        upstream, mode = self.upstream, self.upstream.order.mode
        if request.startswith(b"GET"):
            self.transport.write(_HEAD % len(_HEALTHY) + _HEALTHY)
            return
        upstream.arrivals_s.append(time.monotonic())
        if mode == "stall":
            upstream.waiting.add(self)
        elif mode == "fault":
            self.transport.write(_failure(b"500 Internal Server Error"))
        elif mode == "limited":
            self.transport.write(
                _failure(b"429 Too Many Requests", b"Retry-After: %d\r\n" % upstream.order.retry_after_s)
            )
        elif _says(request, b'"stream"'):
            self._stream(_nonce(request), _says(request, b'"include_usage"'))
        else:
            body = _ANSWER % _nonce(request)
            self.transport.write(_HEAD % len(body) + body)
            upstream.answered += 1

    def _stream(self, nonce: bytes, usage: bool) -> None:
        """Begin a stream, whose chunks follow by the clock."""
        self.upstream.waiting.add(self)
        self.transport.write(_STREAM_HEAD)
        loop, order = asyncio.get_running_loop(), self.upstream.order
        begun_s, interval_s = loop.time(), 1 / order.rate_hz if order.rate_hz else 0.0

        def go_on(number: int) -> None:
            while number < order.chunks:
                content = b'{"role":"assistant","content":"%s %06d %d"}' % (nonce, number, time.monotonic_ns())
                self.transport.write(_framed(_CHUNK % (content, b"null")))
                number += 1
                if interval_s and number < order.chunks:
                    self.timer = loop.call_at(begun_s + number * interval_s, go_on, number)
                    return
            end = _CHUNK % (b"{}", b'"stop"') + (_USAGE if usage else b"") + b"data: [DONE]\n\n"
            self.transport.write(_framed(end) + b"0\r\n\r\n")
            self.timer = None
            self.upstream.waiting.discard(self)
            self.upstream.answered += 1

        go_on(0)


def _length(head: bytes) -> int:
    name = b"content-length:"
    at = head.lower().find(name)
    return int(head[at + len(name) : head.index(b"\r\n", at)]) if at >= 0 else 0


def _says(request: bytes, name: bytes) -> bool:
    """Whether a field of the request is true, however it is spaced."""
    return name + b":true" in request or name + b": true" in request


def _nonce(request: bytes) -> bytes:
    at = request.find(NONCE)
    return request[at : at + NONCE_LENGTH] if at >= 0 else b"pong"


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _failure(status: bytes, headers: bytes = b"") -> bytes:
    return _FAILURE % (status, headers, len(_ERROR), _ERROR)


async def _obey(upstream: Upstream) -> None:
    """Listen, and carry out orders until there are no more."""
    loop = asyncio.get_running_loop()

    async def listen(port: int) -> asyncio.Server:
        return await loop.create_server(lambda: Connection(upstream), "127.0.0.1", port, backlog=2048)

    server = await listen(0)
    port = server.sockets[0].getsockname()[1]
    print(port, flush=True)
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        said: dict[str, Any] = json.loads(line)
        if said:
            refused, upstream.order = upstream.order.mode == "refuse", Order(**said)
            if upstream.order.mode == "refuse":
                server.close()
                for connection in [*upstream.connections]:
                    connection.transport.abort()
            elif refused:
                server = await listen(port)
        print(json.dumps(upstream.seen()._asdict()), flush=True)
        if said:
            upstream.forget()


if __name__ == "__main__":
    asyncio.run(_obey(Upstream()))
