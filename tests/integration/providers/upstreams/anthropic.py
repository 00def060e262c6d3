"""A made-up upstream that speaks Anthropic's Messages API over real HTTP, and accepts no more than the real one does.

What the model says is given: `replies` is served in order, its last one for ever.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.integration.providers.upstreams.anthropic_rules import InvalidRequestError, check

KEY = "sk-ant-made-up"
MODEL = "claude-made-up"


def text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def thinking_block(thinking: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": thinking, "signature": "c2lnbmVk"}


def tool_block(id_: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": id_, "name": name, "input": arguments}


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model says; in a stream, in pieces of `piece` characters, and after `stalls_after` of them no more."""

    blocks: Sequence[dict[str, Any]] = (text_block("Good morning."),)
    stop_reason: str = "end_turn"
    input_tokens: int = 12
    cache_read: int = 0
    cache_creation: int = 0
    output_tokens: int = 7
    piece: int = 5
    stalls_after: int | None = None
    error_after: tuple[int, str] | None = None

    def message(self) -> dict[str, Any]:
        usage = {
            "input_tokens": self.input_tokens,
            "cache_read_input_tokens": self.cache_read,
            "cache_creation_input_tokens": self.cache_creation,
            "output_tokens": self.output_tokens,
        }
        return {
            "id": "msg_made_up",
            "type": "message",
            "role": "assistant",
            "model": MODEL,
            "content": list(self.blocks),
            "stop_reason": self.stop_reason,
            "stop_sequence": None,
            "usage": usage,
        }

    def events(self) -> Iterator[dict[str, Any]]:
        message = self.message()
        begun = message | {"content": [], "stop_reason": None, "usage": message["usage"] | {"output_tokens": 1}}
        yield {"type": "message_start", "message": begun}
        yield {"type": "ping"}
        for index, block in enumerate(self.blocks):
            yield from self._block(index, block)
        delta = {"stop_reason": self.stop_reason, "stop_sequence": None}
        yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": self.output_tokens}}
        yield {"type": "message_stop"}

    def _block(self, index: int, block: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if block["type"] == "tool_use":
            start, whole = block | {"input": {}}, json.dumps(block["input"]) if block["input"] else ""
            deltas = [{"type": "input_json_delta", "partial_json": part} for part in ("", *self._cut(whole))]
        elif block["type"] == "thinking":
            start = block | {"thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": part} for part in self._cut(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        else:
            start = block | {"text": ""}
            deltas = [{"type": "text_delta", "text": part} for part in self._cut(block["text"])]
        yield {"type": "content_block_start", "index": index, "content_block": start}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}

    def _cut(self, whole: str) -> list[str]:
        return [whole[start : start + self.piece] for start in range(0, len(whole), self.piece)]


@dataclass(frozen=True, slots=True)
class Failure:
    """An error that the API answers."""

    status: int
    kind: str
    message: str = "made up"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Upstream:
    """A running upstream: where it is, what it was asked, and how many streams were cut off by the other side."""

    base_url: str = ""
    replies: list[Reply | Failure] = field(default_factory=lambda: [Reply()])
    bodies: list[Any] = field(default_factory=list)
    abandoned: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        key, bearer = request.headers.get("x-api-key"), request.headers.get("authorization", "")
        if KEY not in (key, bearer.removeprefix("Bearer ")):
            return _error(Failure(401, "authentication_error", "invalid x-api-key"))
        try:
            body = json.loads(await request.read())
            check(body, request.headers.get("anthropic-version", ""))
        except (InvalidRequestError, KeyError, ValueError) as error:
            return _error(Failure(400, "invalid_request_error", str(error)))
        if body["model"] != MODEL:
            return _error(Failure(404, "not_found_error", f"model: {body['model']}"))
        self.bodies.append(body)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Failure):
            return _error(reply)
        if body.get("stream"):
            return await self._stream(request, reply)
        return web.json_response(reply.message(), headers={"request-id": "req_made_up"})

    async def _stream(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"content-type": "text/event-stream; charset=utf-8", "request-id": "req_made_up"}
        )
        await response.prepare(request)
        try:
            for number, event in enumerate(reply.events()):
                if reply.error_after and number == reply.error_after[0]:
                    error = {"type": "error", "error": {"type": reply.error_after[1], "message": "made up"}}
                    await response.write(_framed(error))
                    break
                await response.write(_framed(event))
                if number == reply.stalls_after:
                    await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.abandoned.set()
            raise
        return response


def _framed(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def _error(failure: Failure) -> web.Response:
    body = {"type": "error", "error": {"type": failure.kind, "message": failure.message}, "request_id": "req_made_up"}
    return web.json_response(body, status=failure.status, headers={"request-id": "req_made_up"} | failure.headers)


@asynccontextmanager
async def anthropic_upstream() -> AsyncIterator[Upstream]:
    """Run an upstream on a free port of this machine."""
    upstream = Upstream()
    application = web.Application(client_max_size=32 * 1024 * 1024)
    application.router.add_post("/v1/messages", upstream.answer)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        upstream.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield upstream
    finally:
        await runner.cleanup()
