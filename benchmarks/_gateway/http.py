"""One kept connection of a caller, over a bare socket: what a client library costs is not measured."""

import asyncio
import time
from typing import Final, NamedTuple, Self

from benchmarks._gateway.upstream import NONCE

_PATH: Final = b"POST /v1/chat/completions HTTP/1.1\r\nHost: "


class Reply(NamedTuple):
    """A whole response."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str:
        """Return a header; empty where it is missing."""
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.lower() == name.encode():
                return value.strip().decode()
        return ""


class Arrival(NamedTuple):
    """A piece of a body, and when it came (CLOCK_MONOTONIC)."""

    at_ns: int
    data: bytes


class LostError(Exception):
    """The connection ended before the response did."""


class Connection(asyncio.Protocol):
    """Sends one request after the other; a response is read by its length, its chunks, or to the end."""

    def __init__(self) -> None:
        self.done: asyncio.Future[Reply] | None = None
        self.arrived = asyncio.Event()
        self.lost = asyncio.Event()
        self.arrivals: list[Arrival] = []
        self._fresh()

    @classmethod
    async def open(cls, address: str) -> Self:
        """Connect to `host:port`."""
        host, _, port = address.rpartition(":")
        _, connection = await asyncio.get_running_loop().create_connection(cls, host, int(port))
        return connection

    def _fresh(self) -> None:
        self._buffer, self._head, self._body = b"", b"", bytearray()
        self._length: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self.done and not self.done.done():
            self.done.set_exception(LostError(str(error or "closed")))
        self.arrived.set()
        self.lost.set()

    def ask(self, request: bytes) -> "asyncio.Future[Reply]":
        """Send a request; the future is its response."""
        self._fresh()
        self.arrivals.clear()
        self.arrived.clear()
        self.done = asyncio.get_running_loop().create_future()
        if self.transport.is_closing():
            self.done.set_exception(LostError("closed"))
        else:
            self.transport.write(request)
        return self.done

    async def leave(self) -> None:
        """Close without waiting for an answer."""
        self.transport.abort()
        await self.lost.wait()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._head:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            self._head, self._buffer = head, rest
            self._length = _length(head)
        if self._length is None:
            self._chunked()
        else:
            self._body += self._buffer
            self._buffer = b""
            if len(self._body) >= self._length:
                self._finish()

    def _chunked(self) -> None:
        now_ns = time.monotonic_ns()
        while (line_end := self._buffer.find(b"\r\n")) >= 0:
            size = int(self._buffer[:line_end], 16)
            end = line_end + 2 + size
            if len(self._buffer) < end + 2:
                return
            piece, self._buffer = self._buffer[line_end + 2 : end], self._buffer[end + 2 :]
            if not size:
                self._finish()
                return
            self._body += piece
            self.arrivals.append(Arrival(now_ns, piece))
            self.arrived.set()

    def _finish(self) -> None:
        if self.done and not self.done.done():
            self.done.set_result(Reply(int(self._head[9:12]), self._head, bytes(self._body)))


def _length(head: bytes) -> int | None:
    """Return the length of a body, None where it comes in chunks."""
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        return None
    name = b"\r\ncontent-length:"
    at = lower.find(name)
    return int(lower[at + len(name) :].partition(b"\r\n")[0]) if at >= 0 else 0


def chat_request(
    address: str, number: int, *, model: str = "auto/bench", stream: bool = False, headers: str = ""
) -> bytes:
    """Return a chat completion request that carries nonce `number`; `headers` are further whole lines."""
    streaming = ',"stream":true' if stream else ""
    body = (
        f'{{"model":"{model}","messages":[{{"role":"system","content":"You are a helpful assistant."}},{{"role":"user",'
        f'"content":"{nonce(number).decode()}: what is the capital of France, and how many people live there?"}}],'
        f'"max_tokens":100{streaming}}}'
    ).encode()
    head = f"{address}\r\nContent-Type: application/json\r\nAuthorization: Bearer sk-bench\r\n{headers}Content-Length: "
    return _PATH + head.encode() + b"%d\r\n\r\n" % len(body) + body


def nonce(number: int) -> bytes:
    """Return what the answer to request `number` carries."""
    return b"%s%08d" % (NONCE, number)
