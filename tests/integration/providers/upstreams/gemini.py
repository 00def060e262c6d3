"""A made-up upstream that speaks Google's Gemini API over real HTTP, and accepts no more than the real one does.

What the model says is given: `replies` is served in order, its last one for ever.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.integration.providers.upstreams.gemini_rules import InvalidArgumentError, check

KEY = "AIza-made-up"
MODEL = "gemini-made-up"


def text_part(text: str) -> dict[str, Any]:
    return {"text": text}


def thought_part(text: str) -> dict[str, Any]:
    return {"text": text, "thought": True}


def call_part(name: str, arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
    signature = {"thoughtSignature": more.pop("signature")} if "signature" in more else {}
    return {"functionCall": {"name": name, "args": arguments} | more} | signature


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model says; in a stream, in pieces of `piece` characters, and after `stalls_after` of them no more."""

    parts: Sequence[dict[str, Any]] = (text_part("Good morning."),)
    finish_reason: str = "STOP"
    prompt_tokens: int = 12
    cached_tokens: int = 0
    answer_tokens: int = 7
    thought_tokens: int = 0
    piece: int = 5
    stalls_after: int | None = None
    error_after: int | None = None
    block_reason: str = ""

    def response(self) -> dict[str, Any]:
        if self.block_reason:
            return self._around({"promptFeedback": {"blockReason": self.block_reason}})
        candidate: dict[str, Any] = {"finishReason": self.finish_reason, "index": 0}
        if self.parts:
            candidate["content"] = {"parts": list(self.parts), "role": "model"}
        return self._around({"candidates": [candidate]})

    def responses(self) -> Iterator[dict[str, Any]]:
        if self.block_reason:
            yield self.response()
            return
        for part in self._pieces():
            yield self._around({"candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}]})
        empty = {"parts": [{"text": ""}], "role": "model"}
        yield self._around({"candidates": [{"content": empty, "finishReason": self.finish_reason, "index": 0}]})

    def _pieces(self) -> Iterator[dict[str, Any]]:
        for part in self.parts:
            if "text" in part:
                whole = part["text"]
                yield from (part | {"text": whole[at : at + self.piece]} for at in range(0, len(whole), self.piece))
            else:
                yield part

    def _around(self, found: dict[str, Any]) -> dict[str, Any]:
        # What is zero is left out, as everywhere in this API.
        counts = {
            "promptTokenCount": self.prompt_tokens,
            "cachedContentTokenCount": self.cached_tokens,
            "candidatesTokenCount": self.answer_tokens,
            "thoughtsTokenCount": self.thought_tokens,
            "totalTokenCount": self.prompt_tokens + self.answer_tokens + self.thought_tokens,
        }
        usage = {name: value for name, value in counts.items() if value}
        return found | {"usageMetadata": usage, "modelVersion": MODEL, "responseId": "resp_made_up"}


@dataclass(frozen=True, slots=True)
class Failure:
    """An error that the API answers."""

    code: int
    status: str
    message: str = "made up"
    details: Sequence[dict[str, Any]] = ()

    def body(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.code, "message": self.message, "status": self.status}
        return {"error": error | ({"details": list(self.details)} if self.details else {})}


BAD_KEY = Failure(
    400,
    "INVALID_ARGUMENT",
    "API key not valid. Please pass a valid API key.",
    [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
)


@dataclass(slots=True)
class Upstream:
    """A running upstream: where it is, what it was asked, and whether a stream was cut off by the other side."""

    base_url: str = ""
    replies: list[Reply | Failure] = field(default_factory=lambda: [Reply()])
    bodies: list[Any] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    abandoned: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.urls.append(str(request.rel_url))
        model, _, verb = request.match_info["call"].partition(":")
        if request.headers.get("x-goog-api-key") != KEY:
            return _error(BAD_KEY)
        if model != MODEL or verb not in ("generateContent", "streamGenerateContent"):
            return _error(Failure(404, "NOT_FOUND", f"models/{model} is not found for API version v1beta"))
        try:
            body = json.loads(await request.read())
            check(body)
        except (InvalidArgumentError, KeyError, ValueError) as error:
            return _error(Failure(400, "INVALID_ARGUMENT", str(error)))
        self.bodies.append(body)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Failure):
            return _error(reply)
        if verb == "streamGenerateContent":
            return await self._stream(request, reply)
        return web.json_response(reply.response())

    async def _stream(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        if request.query.get("alt") != "sse":
            return web.json_response(list(reply.responses()))
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        try:
            for number, part in enumerate(reply.responses()):
                if number == reply.error_after:
                    await response.write(_framed(Failure(503, "UNAVAILABLE", "The model is overloaded.").body()))
                    break
                await response.write(_framed(part))
                if number == reply.stalls_after:
                    await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.abandoned.set()
            raise
        return response


def _framed(body: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(body)}\r\n\r\n".encode()


def _error(failure: Failure) -> web.Response:
    return web.json_response(failure.body(), status=failure.code)


@asynccontextmanager
async def gemini_upstream() -> AsyncIterator[Upstream]:
    """Run an upstream on a free port of this machine."""
    upstream = Upstream()
    application = web.Application(client_max_size=32 * 1024 * 1024)
    application.router.add_post("/v1beta/models/{call}", upstream.answer)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        upstream.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield upstream
    finally:
        await runner.cleanup()
