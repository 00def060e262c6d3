"""Models that answer as a test says, behind a real router."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.providers.chat import Answer, Chunk, Usage
from adapters.providers.errors import ProviderError
from server.credentials import Principal
from server.gateway.chats import Attempt, CallFailedError, Chat, Completed, Served
from server.routing import Router

USAGE = Usage(11, None, 3)


def completion(text: str = "Hello!", **message: Any) -> bytes:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text, **message}}
    usage = {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
    whole = {"id": "c-1", "object": "chat.completion", "created": 1, "model": "small-1", "choices": [choice]}
    return json.dumps({**whole, "usage": usage}).encode()


def chunk(text: str, finish_reason: str | None = None) -> Chunk:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
    return Chunk(part(choices=[choice]), has_token=bool(text), finish_reason=finish_reason or "")


def usage_chunk(input_tokens: int = 11) -> Chunk:
    usage = {"prompt_tokens": input_tokens, "completion_tokens": 3, "total_tokens": input_tokens + 3}
    return Chunk(part(choices=[], usage=usage), usage=Usage(input_tokens, None, 3), has_choices=False)


def part(**fields: Any) -> bytes:
    return json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", **fields}).encode()


@dataclass
class ScriptedStream:
    """Chunks, then perhaps a failure; `gate` holds the second chunk back until it is set."""

    served: Served
    chunks: Sequence[Chunk]
    failure: Exception | None
    gate: asyncio.Event
    closed: asyncio.Event

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        for index, one in enumerate(self.chunks):
            if index:
                await self.gate.wait()
            yield one
        if self.failure:
            raise self.failure

    async def aclose(self) -> None:
        self.closed.set()


@dataclass
class ScriptedChats:
    """Decides with a real router, and answers what a test says; `gate` holds answers back until it is set."""

    router: Router
    body: bytes = field(default_factory=completion)
    usage: Usage = USAGE
    chunks: Sequence[Chunk] = (chunk("Hel"), chunk("lo!"), chunk("", "stop"), usage_chunk())
    failure: ProviderError | Exception | None = None
    breaks: Exception | None = None
    chats: list[Chat] = field(default_factory=list)
    callers: list[Principal] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def complete(self, chat: Chat, caller: Principal) -> Completed:
        served = self._served(chat, caller)
        self.begun.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return Completed(served, Answer(self.body, self.usage, "stop", "upstream-1"))

    async def stream(self, chat: Chat, caller: Principal) -> ScriptedStream:
        stream = ScriptedStream(self._served(chat, caller), self.chunks, self.breaks, self.gate, self.closed)
        self.begun.set()
        return stream

    def failed(self, error: ProviderError) -> CallFailedError:
        return CallFailedError([Attempt("first", "small", error), Attempt("second", "large", error)])

    def _served(self, chat: Chat, caller: Principal) -> Served:
        self.chats.append(chat)
        self.callers.append(caller)
        decision = self.router.route(chat.call, caller)
        if isinstance(self.failure, ProviderError):
            raise self.failed(self.failure)
        if self.failure:
            raise self.failure
        return Served(decision, [Attempt(decision.id, decision.model)], 0.00125, "upstream-1")
