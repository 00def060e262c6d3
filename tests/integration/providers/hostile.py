"""A server of raw sockets whose callers choose what it does wrong.

The first part of a path names the behaviour: whoever calls `http://127.0.0.1:PORT/stalled_mid_stream` gets just that,
whatever is asked.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.integration.providers.behaviours import BEHAVIOURS, Peer


@dataclass
class HostileServer:
    """Where it listens, how often each behaviour was asked for, how many connections came, which
    of them are open, and what was sent last."""

    port: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    request: bytes = b""
    running: set[asyncio.Task[None]] = field(default_factory=set)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self.behave(reader, writer)
                writer.close()
                await writer.wait_closed()
        finally:
            writer.transport.abort()

    async def behave(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        name = request.split(b" ", 2)[1].split(b"/")[1].decode()
        self.requests[name] += 1
        _, _, length = request.lower().partition(b"content-length:")
        request += await reader.readexactly(int(length.split(b"\r\n")[0] or 0))
        self.request = request
        await BEHAVIOURS[name](Peer(reader, writer, self.port, request))

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.ensure_future(self.answer(reader, writer))
        self.running.add(task)
        task.add_done_callback(self.running.discard)


@asynccontextmanager
async def hostile_server() -> AsyncIterator[HostileServer]:
    """Serve until the context is left; then nothing of it is left either."""
    server = HostileServer()
    listening = await asyncio.start_server(server.connected, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in (left := list(server.running)):
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await asyncio.sleep(0)  # for sockets to be closed


@asynccontextmanager
async def never_accepting() -> AsyncIterator[str]:
    """Yield the address of a socket whose queue is full, so that not even a connection comes about."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        fillers = [socket.socket() for _ in range(8)]
        for filler in fillers:
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect(address)
        try:
            yield f"http://127.0.0.1:{address[1]}"
        finally:
            for filler in fillers:
                filler.close()
