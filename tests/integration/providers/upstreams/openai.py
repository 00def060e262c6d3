"""A server that speaks OpenAI's chat completions as OpenAI documents them, and is as strict about requests.

What it answers follows from what it is asked: a call of the first tool, JSON in JSON mode, otherwise a sentence.
`failure` makes it answer that instead, `gate` makes it wait before each token.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.integration.providers.upstreams.openai_requests import RefusedError, check

KEY = "sk-upstream-0123456789abcdef"
MODELS = ("fake-large", "fake-small")
Json = dict[str, Any]


@dataclass(frozen=True)
class Failure:
    """A response instead of an answer."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(frozen=True)
class Received:
    """A request that came."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Json:
        parsed: Json = json.loads(self.raw)
        return parsed


@dataclass
class OpenAIUpstream:
    """What the server was asked, and how it should behave.

    A stream ends with `tail`; `events` replace what comes before. `ports` are those that its clients came from. With
    `stall_headers` streams do not even begin, without `is_closing` they do not end after their tail.
    """

    url: str = ""
    received: list[Received] = field(default_factory=list)
    failure: Failure | None = None
    gate: asyncio.Event | None = None
    events: Sequence[str] | None = None
    tail: str = "data: [DONE]\n\n"
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    abandoned: asyncio.Event = field(default_factory=asyncio.Event)
    in_flight: int = 0
    stall_headers: bool = False
    is_closing: bool = True
    ports: set[int] = field(default_factory=set)

    async def respond(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        self.ports.add(request.transport.get_extra_info("peername")[1] if request.transport else 0)
        self.received.append(Received(request.path, dict(request.query), dict(request.headers), raw))
        with self._counted():
            try:
                if self.failure is not None:
                    return failed(self.failure)
                key = request.headers.get("api-key") or request.headers.get("Authorization", "").removeprefix("Bearer ")
                body = check(raw, key == KEY, request.match_info.get("model"), MODELS)
                return await (self._stream(request, body) if body.get("stream") else self._whole(body))
            except RefusedError as refused:
                headers = {"x-request-id": "req-refused"}
                return web.json_response({"error": refused.error}, status=refused.status, headers=headers)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self.in_flight += 1
        try:
            yield
        except (asyncio.CancelledError, ConnectionError):
            self.abandoned.set()
            raise
        finally:
            self.in_flight -= 1

    async def _whole(self, body: Json) -> web.Response:
        await self._pass()
        message, reason = said(body)
        document = envelope(body, "chat.completion") | {
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
            "usage": used(body, message),
        }
        return web.json_response(document, headers={"x-request-id": "req-whole"})

    async def _stream(self, request: web.Request, body: Json) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"content-type": "text/event-stream; charset=utf-8", "x-request-id": "req-stream"}
        )
        if self.stall_headers:
            await asyncio.Event().wait()
        await response.prepare(request)
        lines = self.events if self.events is not None else [f"data: {json.dumps(part)}\n\n" for part in parts(body)]
        for number, line in enumerate(lines):
            if number:  # the role comes at once
                await self._pass()
            await response.write(line.encode())
            self.begun.set()
        await response.write(self.tail.encode())
        if not self.is_closing:
            await asyncio.Event().wait()
        return response

    async def _pass(self) -> None:
        self.begun.set()
        if self.gate is not None:
            await self.gate.wait()


def failed(failure: Failure) -> web.Response:
    return web.Response(
        status=failure.status, text=failure.body, headers=failure.headers, content_type=failure.content_type
    )


def said(body: Json) -> tuple[Json, str]:
    """What the model says to a request, and why it stops."""
    last = body["messages"][-1]
    if body.get("tools") and body.get("tool_choice") != "none" and last["role"] != "tool":
        called = {"name": body["tools"][0]["function"]["name"], "arguments": '{"city": "Paris"}'}
        call = {"id": "call_1", "type": "function", "function": called}
        return {"role": "assistant", "content": None, "refusal": None, "tool_calls": [call]}, "tool_calls"
    content = f"The tool said {last['content']}." if last["role"] == "tool" else sentence(last["content"])
    if body.get("response_format", {}).get("type") == "json_object":
        content = '{"answer": 42}'
    return {"role": "assistant", "content": content, "refusal": None}, "stop"


def sentence(content: str | list[Json]) -> str:
    pictures = [part for part in content if part["type"] == "image_url"] if isinstance(content, list) else []
    return f"I see {len(pictures)} pictures." if pictures else "Hello there, naïve wörld."


def parts(body: Json) -> Iterator[Json]:
    """The chunks of a stream: the role, the tokens, the end, and the usage where it was asked for."""
    message, reason = said(body)
    wants_usage = (body.get("stream_options") or {}).get("include_usage", False)
    base = envelope(body, "chat.completion.chunk") | ({"usage": None} if wants_usage else {})

    def part(delta: Json, finish_reason: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return base | {"choices": [choice]}

    if calls := message.get("tool_calls"):
        [call] = calls
        begun = call | {"index": 0, "function": call["function"] | {"arguments": ""}}
        yield part({"role": "assistant", "content": None, "tool_calls": [begun]})
        arguments = call["function"]["arguments"]
        for piece in (arguments[:5], arguments[5:]):
            yield part({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    else:
        yield part({"role": "assistant", "content": "", "refusal": None})
        for word in message["content"].split(" "):
            yield part({"content": f"{word} "})
    yield part({}, reason)
    if wants_usage:
        yield base | {"choices": [], "usage": used(body, message)}


def envelope(body: Json, kind: str) -> Json:
    return {
        "id": "chatcmpl-1",
        "object": kind,
        "created": 1_700_000_000,
        "model": f"{body['model']}-2026-01-01",
        "service_tier": "default",
        "system_fingerprint": "fp_1",
    }


def used(body: Json, message: Json) -> Json:
    """Usage: a token is a word here, and the system prompt was cached."""
    words = [(one["role"], len(str(one.get("content", "")).split())) for one in body["messages"]]
    cached = sum(count for role, count in words if role == "system")
    prompt = sum(count for _, count in words)
    completion = len((message["content"] or "a call").split())
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


@asynccontextmanager
async def openai_upstream() -> AsyncIterator[OpenAIUpstream]:
    """A server on a free port of this machine; a request that its client gives up is cancelled."""
    upstream = OpenAIUpstream()
    application = web.Application(client_max_size=64 * 1024 * 1024)
    application.router.add_post("/v1/chat/completions", upstream.respond)
    application.router.add_post("/openai/v1/chat/completions", upstream.respond)
    application.router.add_post("/openai/deployments/{model}/chat/completions", upstream.respond)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.0, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        upstream.url = f"http://{host}:{port}"
        yield upstream
    finally:
        await runner.cleanup()
