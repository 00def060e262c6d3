"""Everything that a provider can do wrong, as what is done with one connection.

A behaviour ends the connection when it returns. Those that just send something are in `responses`.
"""

import asyncio
import json
import socket
import struct
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.integration.providers.responses import (
    ANSWER,
    CHUNKED,
    EVENTS,
    JSON,
    MARK,
    RESPONSES,
    TOKEN,
    WHOLE_STREAM,
    head,
    ok,
)

PIECE = 65536


@dataclass
class Peer:
    """One connection, whose request has been read."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    port: int
    request: bytes

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def stall(self) -> None:
        """Say nothing more until the other side gives up."""
        await self.reader.read()

    async def reset(self) -> None:
        """Cut the connection as a crash would."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


Behaviour = Callable[[Peer], Awaitable[None]]
BEHAVIOURS: dict[str, Behaviour] = {}


def behaviour(function: Behaviour) -> Behaviour:
    BEHAVIOURS[function.__name__] = function
    return function


@behaviour
async def split_at_every_byte(peer: Peer) -> None:
    await peer.send(head("200 OK", EVENTS))
    for byte in WHOLE_STREAM:
        await peer.send(bytes([byte]))
        await asyncio.sleep(0)


@behaviour
async def hesitating(peer: Peer) -> None:
    """A right answer of either kind with many turns of the event loop between its parts; more on request."""
    while peer.request:
        body = WHOLE_STREAM if b'"stream":true' in peer.request.replace(b" ", b"") else ANSWER
        kind = EVENTS if body is WHOLE_STREAM else JSON
        whole = head("200 OK", kind, f"Content-Length: {len(body)}") + body
        for at in range(0, len(whole), 32):
            await turns(5)
            await peer.send(whole[at : at + 32])
        peer.request = await peer.reader.read(PIECE)


@behaviour
async def stalled_before_headers(peer: Peer) -> None:
    await peer.stall()


@behaviour
async def stalled_within_headers(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: applica")
    await peer.stall()


@behaviour
async def stalled_after_headers(peer: Peer) -> None:
    await peer.send(head("200 OK", EVENTS))
    await peer.stall()


@behaviour
async def stalled_within_body(peer: Peer) -> None:
    await peer.send(head("200 OK", JSON, "Content-Length: 1000") + b'{"id": "')
    await peer.stall()


@behaviour
async def stalled_mid_stream(peer: Peer) -> None:
    await peer.send(head("200 OK", EVENTS) + TOKEN)
    await peer.stall()


@behaviour
async def dripping_body(peer: Peer) -> None:
    """One byte now and then, for ever: always alive, never done."""
    await peer.send(head("200 OK", JSON))
    await endlessly(peer, b" ", 0.02)


@behaviour
async def reset_before_headers(peer: Peer) -> None:
    await peer.reset()


@behaviour
async def reset_within_body(peer: Peer) -> None:
    await peer.send(head("200 OK", JSON, "Content-Length: 1000") + b'{"id": "')
    await peer.reset()


@behaviour
async def reset_mid_stream(peer: Peer) -> None:
    await peer.send(head("200 OK", EVENTS, CHUNKED) + b"%x\r\n%s\r\n" % (len(TOKEN), TOKEN))
    await peer.reset()


@behaviour
async def endless_headers(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\n")
    await endlessly(peer, b"X-More: and more\r\n" * 100)


@behaviour
async def endless_header_line(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\nX-Long: ")
    await endlessly(peer, b"x" * PIECE)


@behaviour
async def endless_interim_responses(peer: Peer) -> None:
    await endlessly(peer, b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


@behaviour
async def endless_comments(peer: Peer) -> None:
    await peer.send(head("200 OK", EVENTS))
    await endlessly(peer, b": still there\n\n", 0.02)


@behaviour
async def endless_tokens(peer: Peer) -> None:
    await peer.send(head("200 OK", EVENTS))
    await endlessly(peer, TOKEN, 0.02)


@behaviour
async def huge_event(peer: Peer) -> None:
    await peer.send(head("200 OK", EVENTS) + b"data: ")
    await endlessly(peer, b"x" * PIECE)


@behaviour
async def hundred_megabytes(peer: Peer) -> None:
    await peer.send(head("200 OK", JSON, f"Content-Length: {100 * 1024 * 1024}"))
    await endlessly(peer, b"x" * PIECE, count=1600)


@behaviour
async def hundred_megabytes_of_failure(peer: Peer) -> None:
    await peer.send(head("500 Internal Server Error", JSON, f"Content-Length: {100 * 1024 * 1024}"))
    await endlessly(peer, MARK * 4096, count=1600)


@behaviour
async def gzip_bomb(peer: Peer) -> None:
    """A gigabyte of blanks in a megabyte, made of one megabyte that is repeated."""
    packer = zlib.compressobj(wbits=31)
    first, again = (packer.compress(b" " * 1024 * 1024) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    await peer.send(head("200 OK", JSON, "Content-Encoding: gzip") + first)
    await endlessly(peer, again, count=1023)


@behaviour
async def echoing_failure(peer: Peer) -> None:
    """What some proxies do: the failure tells the request, with its key."""
    told = next(line for line in peer.request.split(b"\r\n") if line.lower().startswith(b"authorization"))
    body = json.dumps({"error": {"message": told.decode(), "code": "invalid_api_key"}}).encode()
    await peer.send(head("401 Unauthorized", JSON) + body)


@behaviour
async def redirect_301(peer: Peer) -> None:
    await redirect(peer, "301 Moved Permanently")


@behaviour
async def redirect_302(peer: Peer) -> None:
    await redirect(peer, "302 Found")


@behaviour
async def redirect_307(peer: Peer) -> None:
    await redirect(peer, "307 Temporary Redirect")


@behaviour
async def redirect_308(peer: Peer) -> None:
    await redirect(peer, "308 Permanent Redirect")


async def redirect(peer: Peer, status: str) -> None:
    await peer.send(head(status, f"Location: http://127.0.0.1:{peer.port}/redirected", "Content-Length: 0"))


@behaviour
async def closed_unannounced(peer: Peer) -> None:
    """Keep-alive is promised, and broken."""
    await peer.send(head("200 OK", JSON, f"Content-Length: {len(ANSWER)}") + ANSWER)


@behaviour
async def kept_alive(peer: Peer) -> None:
    """One answer, and one to each further request, whatever it is."""
    while peer.request:
        await peer.send(head("200 OK", JSON, f"Content-Length: {len(ANSWER)}") + ANSWER)
        peer.request = await peer.reader.read(PIECE)


@behaviour
async def longer_than_announced(peer: Peer) -> None:
    """What is too much looks like an answer to the next request."""
    await peer.send(head("200 OK", JSON, "Content-Length: 10") + ANSWER + ok(ANSWER))
    await peer.stall()


async def endlessly(peer: Peer, data: bytes, pause_s: float = 0.0, count: int = 1_000_000) -> None:
    for _ in range(count):
        await peer.send(data)
        await asyncio.sleep(pause_s)


async def turns(count: int) -> None:
    """Let everything else run that many times."""
    for _ in range(count):
        await asyncio.sleep(0)


def static(data: bytes) -> Behaviour:
    async def send(peer: Peer) -> None:
        await peer.send(data)

    return send


BEHAVIOURS |= {name: static(data) for name, data in RESPONSES.items()}
