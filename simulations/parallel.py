"""Independent work on all cores, with the same results on any number of them."""

import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import TypeVar

Result = TypeVar("Result")
Progress = Callable[[int, int], None]
"""Told how many tasks are done, of how many."""


def unwatched(done: int, total: int) -> None:
    """Show nothing."""


def run_all(tasks: Sequence[Callable[[], Result]], workers: int, progress: Progress) -> list[Result]:
    """Return the results of the tasks, in their order; 0 workers are as many as there are cores.

    Tasks go to other processes, so they must be picklable, unless one worker or one task is all there is.
    """
    count = min(workers or os.cpu_count() or 1, len(tasks))
    progress(0, len(tasks))
    if count > 1:
        return _in_processes(tasks, count, progress)
    results = []
    for task in tasks:
        results.append(task())
        progress(len(results), len(tasks))
    return results


def _in_processes(tasks: Sequence[Callable[[], Result]], workers: int, progress: Progress) -> list[Result]:
    spawned, silently = get_context("spawn"), (signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(workers, mp_context=spawned, initializer=signal.signal, initargs=silently) as executor:
        futures = [executor.submit(task) for task in tasks]
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                future.result()
                progress(done, len(tasks))
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise
        return [future.result() for future in futures]
