"""A place among the workers, which one process after the other fills."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from structlog.typing import FilteringBoundLogger

from server.listening import StartError
from server.workers.process import WorkerProcess

FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 30.0
STEADY_S: Final = 60.0
"""A worker that lived as long is restarted at once when it ends."""


class Slot:
    """Keeps one worker of this number running.

    `start` starts one and returns when it is ready, or raises StartError; `end` waits for the end of one that was told
    to stop. `uniform` spreads the waits between restarts, so that what ended together does not start together.
    Where lives do not `overlap`, because each needs a file that only one process can have, the old one ends first.
    """

    def __init__(
        self,
        number: int,
        start: Callable[[int], Awaitable[WorkerProcess]],
        end: Callable[[WorkerProcess], Awaitable[None]],
        uniform: Callable[[], float],
        log: FilteringBoundLogger,
        *,
        overlap: bool = True,
    ) -> None:
        self._overlap = overlap
        self._number = number
        self._start = start
        self._end = end
        self._uniform = uniform
        self._log = log.bind(worker=number)
        self._changing = asyncio.Lock()
        self._failures = 0

    async def begin(self) -> None:
        """Start the first worker. Raises StartError."""
        self._worker = await self._start(self._number)
        self._began_s = asyncio.get_running_loop().time()

    async def keep(self) -> None:
        """Restart the worker whenever it ends by itself, until cancelled."""
        while True:
            worker = self._worker
            code = await worker.ended()
            async with self._changing:
                if worker is self._worker:
                    self._log.error("worker_ended", pid=worker.pid, exit_code=code)
                    await self._restore()

    async def renew(self) -> None:
        """Start another worker, and have the old one leave once that is ready. Raises StartError."""
        async with self._changing:
            old = self._worker
            if not self._overlap:
                await self._retire(old)  # `keep` sees to it where nobody can take its place
            await self.begin()
            await self._retire(old)

    async def _retire(self, worker: WorkerProcess) -> None:
        worker.retire()
        await self._end(worker)

    async def _restore(self) -> None:
        """Start a worker in the place of a lost one, ever more patiently: it may be the machine that is at fault."""
        if asyncio.get_running_loop().time() - self._began_s >= STEADY_S:
            self._failures = 0
        while True:
            await asyncio.sleep(wait_s(self._failures, self._uniform()))
            self._failures += 1
            try:
                await self.begin()
            except StartError as error:
                self._log.error("worker_refused_to_start", error=str(error))
            else:
                return


def wait_s(failures: int, uniform: float) -> float:
    """Return how long to wait before the next start: not at all, then half a second, and twice as long each time."""
    if failures == 0:
        return 0.0
    return min(FIRST_WAIT_S * 2.0 ** min(failures - 1, 16), LONGEST_WAIT_S) * (0.5 + uniform / 2)
