"""Requests of several clients to a server: each routes, looks its model's answer up in the world, and reports it."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from routeward import AsyncClient, Outcome, RoutewardError, Status, Thumb
from simulations.demo.errors import ServerFailedError
from simulations.demo.options import DemoOptions
from simulations.scenario import scenario_of
from simulations.stream import stream_of
from simulations.world import World

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CLIENTS: Final = 12
TIMEOUT_S: Final = 10.0
_SHOW_EVERY_S: Final = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """T requests; arrays of shape (T,).

    A `judged` answer gets a thumb: up where `luck`, in [0, 1), is below its quality.
    """

    categories: Ints
    prompts: Ints
    judged: Bools
    luck: Floats

    def __len__(self) -> int:
        return len(self.prompts)


def traffic_of(world: World, options: DemoOptions) -> Traffic:
    """Draw the requests of a seed, the same ones that `simulate` draws, and who will judge. Raises OptionsError."""
    stream = stream_of(world, scenario_of("stationary", options.objective, options.requests), options.seed)
    rng = np.random.default_rng(np.random.SeedSequence(options.seed, spawn_key=(2,)))
    judged = rng.random(options.requests) < options.thumbs
    return Traffic(stream.categories, stream.prompts, judged, rng.random(options.requests))


class Tally:
    """What was played so far: the model of each request (-1: none yet), and the requests in the order they ended."""

    def __init__(self, requests: int) -> None:
        self.models = np.full(requests, -1)
        self.ended: list[int] = []
        self.revision = 0
        self.seconds = 0.0

    @property
    def requests(self) -> int:
        """Number of requests in all."""
        return len(self.models)

    def end(self, request: int, model: int, revision: int) -> None:
        """Note a request whose answer was reported; `revision` is the state that includes it."""
        self.models[request] = model
        self.ended.append(request)
        self.revision = max(self.revision, revision)


class Player:
    """Plays traffic at a pace of `requests_per_second`, or slower where the server is slower."""

    def __init__(
        self,
        world: World,
        traffic: Traffic,
        *,
        requests_per_second: float,
        clock: Callable[[], float],
        watch: Callable[[Tally], None],
    ) -> None:
        self._world = world
        self._traffic = traffic
        self._pace = requests_per_second
        self._clock = clock
        self._watch = watch
        self._models = {model.id: place for place, model in enumerate(world.models)}
        self._tokens = world.requested_tokens

    async def play(self, target: str) -> Tally:
        """Play everything to the server at `target`. Raises ServerFailedError when a call to it fails."""
        tally, began = Tally(len(self._traffic)), self._clock()
        waiting = iter(range(len(self._traffic)))
        try:
            async with asyncio.TaskGroup() as group:
                clients = [group.create_task(self._client(target, waiting, tally, began)) for _ in range(CLIENTS)]
                group.create_task(self._show(clients, tally, began))
        except* RoutewardError as failed:
            raise ServerFailedError(f"a call to the server failed: {failed.exceptions[0]}") from failed
        return tally

    async def _client(self, target: str, waiting: Iterator[int], tally: Tally, began: float) -> None:
        async with AsyncClient(target, api_key="", route_timeout=TIMEOUT_S, feedback_timeout=TIMEOUT_S) as client:
            for request in waiting:
                await asyncio.sleep(began + request / self._pace - self._clock())
                await self._request(client, request, tally)

    async def _request(self, client: AsyncClient, request: int, tally: Tally) -> None:
        world, prompt = self._world, int(self._traffic.prompts[request])
        category = world.categories[self._traffic.categories[request]]
        decision = await client.route(category, input_tokens=_count(self._tokens[prompt]) or None)
        model = self._models[decision.model]
        outcome = Outcome(
            Status.OK,
            latency_s=_known(world.latency_s[prompt, model]),
            input_tokens=_count(world.input_tokens[prompt, model]),
            output_tokens=_count(world.output_tokens[prompt, model]),
        )
        result = await client.feedback(decision, outcome, *self._thumb(request, prompt, model))
        tally.end(request, model, result.revision or 0)

    def _thumb(self, request: int, prompt: int, model: int) -> list[Thumb]:
        quality = _known(self._world.quality[prompt, model])
        if quality is None or not self._traffic.judged[request]:
            return []
        return [Thumb(bool(self._traffic.luck[request] < quality))]

    async def _show(self, clients: list[asyncio.Task[None]], tally: Tally, began: float) -> None:
        running = True
        while running:
            _, unfinished = await asyncio.wait(clients, timeout=_SHOW_EVERY_S)
            running = bool(unfinished)
            tally.seconds = self._clock() - began
            self._watch(tally)


def _known(value: np.float64) -> float | None:
    return None if np.isnan(value) else float(value)


def _count(value: np.float64) -> int | None:
    return None if np.isnan(value) else round(float(value))
