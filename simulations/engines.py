"""Where the chunks of a log are worked on: here, in threads, in processes, or on a cluster of Ray.

Every engine gives the results in the order of the chunks, so that a fold over them has the same bits on all of them, on
any number of workers. Of chunks that are waiting or worked on, only a few are in memory.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Final, Protocol, TypeVar

from simulations.errors import OptionsError

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")
Handle = TypeVar("Handle")

ENGINES: Final = ("processes", "ray")

AHEAD: Final = 2
"""Chunks a worker that are handed out before the first of them is done."""


class Engine(Protocol):
    """Works on chunks."""

    def map(self, function: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> Iterator[Result]:
        """Yield the function's result for each chunk, in their order."""


class InProcess:
    """One chunk after the other, here."""

    def map(self, function: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> Iterator[Result]:
        """Yield results in order."""
        yield from map(function, chunks)


@dataclass(frozen=True, slots=True)
class Threads:
    """For functions that do their work outside of Python; 0 workers are as many as there are cores."""

    workers: int = 0

    def map(self, function: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> Iterator[Result]:
        """Yield results in order."""
        count = self.workers or os.cpu_count() or 1
        yield from _executed(ThreadPoolExecutor(count), count, function, chunks)


@dataclass(frozen=True, slots=True)
class Processes:
    """Processes of this machine; function and chunks must be picklable. 0 workers are as many as there are cores."""

    workers: int = 0

    def map(self, function: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> Iterator[Result]:
        """Yield results in order."""
        count = self.workers or os.cpu_count() or 1
        yield from _executed(ProcessPoolExecutor(count, get_context("spawn")), count, function, chunks)


def engine_of(name: str, workers: int = 0, address: str = "") -> Engine | None:
    """Return an engine by its name; None where nothing is asked for. Raises OptionsError, and what the engine does."""
    if address and name != "ray":
        raise OptionsError("an address is that of a cluster of Ray; add --engine ray")
    if not name:
        return Threads(workers) if workers else None
    if name == "processes":
        return Processes(workers)
    if name == "ray":
        from simulations.ray_engine import Ray

        return Ray(workers, address)
    raise OptionsError(f"there is no engine '{name}'; choose one of {', '.join(ENGINES)}")


def in_order(
    submit: Callable[[Chunk], Handle], result: Callable[[Handle], Result], ahead: int, chunks: Iterable[Chunk]
) -> Iterator[Result]:
    """Yield the results of chunks in their order, with at most `ahead` of them handed out."""
    waiting = deque[Handle]()
    for chunk in chunks:
        waiting.append(submit(chunk))
        if len(waiting) >= ahead:
            yield result(waiting.popleft())
    while waiting:
        yield result(waiting.popleft())


def _executed(
    executor: Executor, workers: int, function: Callable[[Chunk], Result], chunks: Iterable[Chunk]
) -> Iterator[Result]:
    def submit(chunk: Chunk) -> Future[Result]:
        return executor.submit(function, chunk)

    try:
        yield from in_order(submit, Future.result, AHEAD * workers, chunks)
    finally:
        executor.shutdown(cancel_futures=True)
