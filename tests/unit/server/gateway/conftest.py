"""The call loop over providers that do as they are told, with a clock that only tests move."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from adapters.providers.chat import Timeouts
from adapters.providers.endpoint import Upstream
from bandit.records import SignalRecord
from server.decision_log import DecisionLog
from server.gateway.assembly import CallLoop, Foundation, call_loop
from server.gateway.availability import Availability
from server.gateway.callables import Callables
from server.gateway.chats import Chat
from server.learning import Learner
from server.questions import Questions
from server.requests import Call
from server.settings import GatewaySettings
from server.writer import Writer
from tests.unit.server.gateway.scripted import ScriptedProvider

BODY = {"messages": [{"role": "user", "content": "hello"}]}


@dataclass
class Seconds:
    """A clock that never goes back."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Desk:
    """A gateway and what it stands on."""

    parts: Any
    loop: CallLoop
    providers: dict[str, ScriptedProvider]
    availability: Availability
    seconds: Seconds
    decisions: DecisionLog
    task: asyncio.Task[None] = field(repr=False)

    def chat(self, deadline_s: float = 60.0, **call: Any) -> Chat:
        return Chat(BODY, Call("chat", **call), deadline_s)

    async def complete(self, **call: Any) -> Any:
        return await self.loop.gateway.complete(self.chat(**call), self.parts.caller)

    async def stream(self, **call: Any) -> Any:
        return await self.loop.gateway.stream(self.chat(**call), self.parts.caller)

    async def slow(self) -> None:
        """Return when a provider is being waited for."""
        await next(iter(self.providers.values())).waiting.wait()

    async def probed(self) -> None:
        """Return when no probe is under way."""
        await asyncio.gather(*self.loop.probes._running)

    async def stored(self) -> list[SignalRecord]:
        """Everything that was reported so far, by when it was."""
        self.loop.reporter.close()
        await self.task
        self.task = asyncio.create_task(self.loop.reporter.run())
        self.loop.reporter._closing = False
        return sorted([record async for record in self.parts.store.signals()], key=lambda one: one.observed_us)

    async def outcomes(self) -> dict[str, Any]:
        """The last outcome of each model."""
        return {record.decision.model: record.fact for record in await self.stored()}

    def figure(self, name: str, **labels: str) -> Any:
        return self.parts.metrics.registry.get_sample_value(f"routeward_{name}", labels)


@pytest.fixture
async def desk_of(parts_of):
    """Build a gateway; models that `uncallable` names have no provider."""
    opened = []

    async def build(uncallable: dict[str, str] | None = None, **changes: Any) -> Desk:
        parts = await parts_of(**changes)
        ids = [model.id for model in parts.settings.catalogue.models]
        seconds = Seconds()
        availability = Availability(seconds, lambda: 0.5, parts.log.logger)
        parts.questions = Questions(parts.publisher.namespaces, parts.keys, 7 * 86400.0, availability.failing)
        parts.router._questions = parts.questions
        writer = Writer(parts.store, parts.publisher.namespaces, parts.metrics, parts.log.logger, lambda _: None)
        learner = Learner(parts.publisher.namespaces, parts.keys, writer, max_age_s=7 * 86400.0)
        decisions = DecisionLog(parts.store, parts.publisher.namespaces, parts.metrics, parts.log.logger)
        slow = asyncio.Event()
        providers = {id_: ScriptedProvider(waiting=slow) for id_ in ids if id_ not in (uncallable or {})}
        gateway = GatewaySettings(
            listen="127.0.0.1:0",
            timeouts=Timeouts(5.0, 20.0, 20.0, 100.0),
            upstreams={id_: Upstream("mock", id_) for id_ in providers},
            uncallable=uncallable or {},
        )

        def clock_us() -> int:
            return int(parts.clock() + (seconds() - 1000.0) * 1e6)

        base = Foundation(
            *(parts.router, learner, decisions, availability, parts.metrics, parts.log.logger),
            *(clock_us, seconds, lambda: 0.0),
        )
        loop = call_loop(replace(parts.settings, gateway=gateway), Callables(gateway, providers), base)
        tasks = asyncio.create_task(writer.run()), asyncio.create_task(loop.reporter.run())
        desk = Desk(parts, loop, providers, availability, seconds, decisions, tasks[1])
        opened.append((desk, writer, tasks[0]))
        return desk

    yield build
    for desk, writer, task in opened:
        await desk.loop.probes.close()
        desk.loop.reporter.close()
        await desk.task
        writer.close()
        await task


@pytest.fixture
async def desk(desk_of):
    return await desk_of()
