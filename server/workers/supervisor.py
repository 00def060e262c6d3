"""The supervisor: starts workers, restarts those that end, replaces them one by one, and stops them together."""

import asyncio
import os
import random
import signal
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from structlog.typing import FilteringBoundLogger

from server.config import ConfigError, load
from server.http.fingerprint_keys import fingerprint_key
from server.key_files import KeyFileError
from server.listening import StartError
from server.logs import logger
from server.main import run
from server.settings import Settings
from server.token_keys import TokenKeyError, token_keys
from server.workers.place import taking_over
from server.workers.process import Command, WorkerProcess
from server.workers.slot import Slot
from server.workers.sockets import Bound, bind_all

FLUSH_S: Final = 30.0
"""How long a worker may take to stop beyond the waits that the configuration gives it; then it is killed."""


def serve(config: Path, settings: Settings, log: FilteringBoundLogger | None = None, *, level: str = "info") -> None:
    """Serve with as many processes as `settings` say, until told to stop. Raises StartError where they cannot start.

    One process serves by itself. Several have a supervisor, this process; they read `config` by themselves, and again
    whenever they are replaced.
    """
    if settings.server.workers == 1:
        run(taking_over(settings), log)
        return
    log = log or logger(level=level)
    with ExitStack() as opened:
        sockets = bind_all(settings, opened)
        _make_keys(settings)
        arguments = ("--config", str(config.absolute()), "--log-level", level)
        command = Command(arguments, sockets, settings.server.workers)
        check = partial(_check, config, sockets, settings.server.workers)
        asyncio.run(_supervised(command, check, settings, sockets, log))


def _check(config: Path, sockets: Bound, workers: int) -> None:
    """Read what a worker would. Raises StartError with everything that is wrong with it."""
    metrics = sockets.metrics[0][0] if sockets.metrics else ""
    try:
        load(config, os.environ, listen=sockets.listen, metrics=metrics, workers=workers, serving=True)
    except ConfigError as error:
        raise StartError(str(error)) from error


def _make_keys(settings: Settings) -> None:
    """Make the files of keys that do not exist yet, before several processes would."""
    try:
        token_keys(settings.server, os.urandom)
        if settings.gateway.listen:
            fingerprint_key(settings.gateway, os.urandom)
    except (KeyFileError, TokenKeyError) as error:
        raise StartError(str(error)) from error


async def _supervised(
    command: Command, check: Callable[[], None], settings: Settings, sockets: Bound, log: FilteringBoundLogger
) -> None:
    supervisor = Supervisor(command, check, settings, log)
    stop, hurry = asyncio.Event(), asyncio.Event()
    _on_signals(stop, hurry, supervisor.renew)

    def on_ready() -> None:
        log.info(
            "ready",
            address=sockets.listen,
            metrics=[address for address, _ in sockets.metrics],
            gateway=sockets.gateway[0] if sockets.gateway else "",
            config=settings.digest,
            workers=settings.server.workers,
        )

    serving = asyncio.create_task(supervisor.run(on_ready))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
        log.info("draining")
    finally:
        for task in (serving, stopping):
            task.cancel()
        await asyncio.gather(serving, stopping, return_exceptions=True)
        await supervisor.stop(hurry)
    log.info("stopped")


def _on_signals(stop: asyncio.Event, hurry: asyncio.Event, renew: asyncio.Event) -> None:
    def on_stop() -> None:
        (hurry if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_stop)
    loop.add_signal_handler(signal.SIGHUP, renew.set)


class Supervisor:
    """Keeps workers running: all that the settings ask for, and one more while it replaces one.

    `check` raises StartError where new workers could not read their configuration: those that serve then go on, also
    where an old one ends before the new one starts.
    """

    def __init__(
        self, command: Command, check: Callable[[], None], settings: Settings, log: FilteringBoundLogger
    ) -> None:
        self.renew: Final = asyncio.Event()
        """Set it to replace every worker, one after the other."""
        self._command = command
        self._check = check
        self._log = log
        self._patience_s = settings.server.drain_s + settings.server.grace_s + FLUSH_S
        self._started: list[WorkerProcess] = []
        uniform = random.Random().random  # noqa: S311 - chance, not a secret
        overlap = settings.spool.path is None
        self._slots = [
            Slot(number, self._start, self._end, uniform, log, overlap=overlap)
            for number in range(settings.server.workers)
        ]

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Start all workers and keep them running, until cancelled. Raises StartError where one cannot start at all."""
        await self._begin()
        on_ready()
        async with asyncio.TaskGroup() as tasks:
            for slot in self._slots:
                tasks.create_task(slot.keep())
            tasks.create_task(self._renew())

    async def stop(self, hurry: asyncio.Event) -> None:
        """Drain all workers together, without waiting from when there is a hurry."""
        for worker in self._started:
            worker.drain()
        ending = asyncio.gather(*map(self._end, self._started))
        hurrying = asyncio.create_task(hurry.wait())
        await asyncio.wait((ending, hurrying), return_when=asyncio.FIRST_COMPLETED)
        hurrying.cancel()
        for worker in self._started:
            worker.hurry()
        await ending

    async def _begin(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                for slot in self._slots:
                    tasks.create_task(slot.begin())
        except* StartError as errors:
            raise StartError(str(errors.exceptions[0])) from errors

    async def _renew(self) -> None:
        while True:
            await self.renew.wait()
            self.renew.clear()
            self._log.info("restarting_workers")
            try:
                await asyncio.to_thread(self._check)
                for slot in self._slots:
                    await slot.renew()
            except StartError as error:
                # Those that serve go on, with the configuration that they have.
                self._log.error("restart_abandoned", error=str(error))
            else:
                self._log.info("restarted_workers")

    async def _start(self, number: int) -> WorkerProcess:
        """Start a worker and wait until it is ready. Raises StartError."""
        worker = await self._command.start(number)
        self._started = [one for one in self._started if one.is_running] + [worker]
        await worker.ready()
        return worker

    async def _end(self, worker: WorkerProcess) -> None:
        """Wait until a worker that was told to stop has done so."""
        try:
            await asyncio.wait_for(worker.ended(), self._patience_s)
        except TimeoutError:
            self._log.error("worker_killed", worker=worker.number, pid=worker.pid, after_s=self._patience_s)
            worker.kill()
            await worker.ended()
