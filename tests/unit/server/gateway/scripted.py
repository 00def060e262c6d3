"""A provider that does as it is told, for the call loop; the contract suite of providers runs over it too."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.providers.chat import Answer, Body, Chunk, Timeouts, Usage
from adapters.providers.errors import ProviderError

USAGE = Usage(1000, None, 100)


def answer(text: str = "hello", usage: Usage = USAGE) -> Answer:
    message = {"role": "assistant", "content": text}
    document = {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    return Answer(json.dumps(document).encode(), usage, "stop", "upstream-1")


def chunk(text: str = "", finish: str = "") -> Chunk:
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish or None}
    return Chunk(json.dumps({"object": "chat.completion.chunk", "choices": [choice]}).encode(), bool(text), finish)


END = (chunk(finish="stop"), Chunk(b'{"choices":[]}', usage=USAGE, has_choices=False))
STREAM = (chunk(), chunk("he"), chunk("llo"), *END)

Step = Answer | ProviderError | Sequence[Chunk | ProviderError | asyncio.Event] | asyncio.Event


@dataclass
class ScriptedProvider:
    """Does one step a call, and the last one for ever; an event is waited for, which is how to be slow."""

    steps: deque[Step] = field(default_factory=lambda: deque([answer()]))
    calls: list[Timeouts] = field(default_factory=list)
    bodies: list[Body] = field(default_factory=list)
    open_streams: int = 0
    cancelled: int = 0
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while it is slow."""

    def does(self, *steps: Step) -> "ScriptedProvider":
        self.steps = deque(steps)
        return self

    async def complete(self, body: Body, timeouts: Timeouts) -> Answer:
        step = self._step(body, timeouts)
        if isinstance(step, asyncio.Event):
            await self._wait(step)
            return answer()
        if isinstance(step, ProviderError):
            raise step
        assert isinstance(step, Answer)
        return step

    async def stream(self, body: Body, timeouts: Timeouts) -> "ScriptedStream":
        step = self._step(body, timeouts)
        if isinstance(step, ProviderError):
            raise step
        if isinstance(step, asyncio.Event):
            await self._wait(step)
            step = STREAM
        if isinstance(step, Answer):
            step = STREAM
        self.open_streams += 1
        return ScriptedStream(self, step)

    def _step(self, body: Body, timeouts: Timeouts) -> Step:
        self.calls.append(timeouts)
        self.bodies.append(body)
        return self.steps.popleft() if len(self.steps) > 1 else self.steps[0]

    async def _wait(self, event: asyncio.Event) -> None:
        self.waiting.set()
        try:
            await event.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


class ScriptedStream:
    """Chunks, errors, and events to wait for, in turn."""

    def __init__(self, provider: ScriptedProvider, parts: Sequence[Any]) -> None:
        self._provider = provider
        self._parts = iter(parts)
        self._is_open = True
        self.request_id = "upstream-1"

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        for part in self._parts:
            if isinstance(part, asyncio.Event):
                await self._provider._wait(part)
            elif isinstance(part, ProviderError):
                raise part
            else:
                assert isinstance(part, Chunk)
                return part
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._provider.open_streams -= self._is_open
        self._is_open = False
