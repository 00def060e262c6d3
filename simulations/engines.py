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

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")

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
        yield from _in_order(ThreadPoolExecutor(count), count, function, chunks)


@dataclass(frozen=True, slots=True)
class Processes:
    """Processes of this machine; function and chunks must be picklable. 0 workers are as many as there are cores."""

    workers: int = 0

    def map(self, function: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> Iterator[Result]:
        """Yield results in order."""
        count = self.workers or os.cpu_count() or 1
        yield from _in_order(ProcessPoolExecutor(count, get_context("spawn")), count, function, chunks)


def _in_order(
    executor: Executor, workers: int, function: Callable[[Chunk], Result], chunks: Iterable[Chunk]
) -> Iterator[Result]:
    waiting = deque[Future[Result]]()
    try:
        for chunk in chunks:
            waiting.append(executor.submit(function, chunk))
            if len(waiting) >= AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        executor.shutdown(cancel_futures=True)
