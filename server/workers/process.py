"""A worker, as its supervisor sees it: a process, and the pair of sockets that they speak over."""

import asyncio
import json
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from server.listening import StartError
from server.workers.place import DRAIN, HURRY, RETIRE, Place
from server.workers.sockets import Bound

FOLDER: Final = Path(__file__).resolve().parents[2]
"""Where `python -m server` finds the service: a wheel carries it in a folder of its own."""


class Command:
    """How to start a worker: `arguments` of `python -m server`, and the sockets that it inherits."""

    def __init__(self, arguments: tuple[str, ...], sockets: Bound, workers: int) -> None:
        self._arguments = arguments
        self._sockets = sockets
        self._workers = workers

    async def start(self, number: int) -> "WorkerProcess":
        """Start the worker of this number; it is not ready yet. Raises StartError where the system has no room."""
        try:
            ours, its = socket.socketpair()
            with its:
                reader, writer = await asyncio.open_connection(sock=ours)
                try:
                    process = await self._process(self._place(number, its))
                except BaseException:
                    writer.close()
                    raise
        except OSError as error:
            raise StartError(f"worker {number} cannot be started: {error.strerror}") from error
        return WorkerProcess(number, process, reader, writer)

    async def _process(self, place: Place) -> asyncio.subprocess.Process:
        # A process group of its own: Ctrl-C reaches the supervisor alone, which then stops its workers in order.
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "server", *self._arguments, "--worker", place.text()),
            cwd=FOLDER,
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=place.files,
            process_group=0,
        )

    def _place(self, number: int, link: socket.socket) -> Place:
        listen, metrics, gateway = self._sockets
        address, figures = metrics[number] if metrics else ("", None)
        return Place(
            number,
            self._workers,
            listen,
            address,
            link.fileno(),
            figures.fileno() if figures else None,
            gateway[1].fileno() if gateway else None,
        )


class WorkerProcess:
    """One life of a worker."""

    def __init__(
        self,
        number: int,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.number: Final = number
        self._process = process
        self._reader = reader
        self._writer = writer

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    async def ready(self) -> None:
        """Return when it serves. Raises StartError with what it says where it cannot."""
        told = await self._told()
        if "ready" in told:
            return
        code = await self.ended()
        raise StartError(
            told.get("refused")
            or f"worker {self.number} ended before it was ready, with exit code {code}; its log says why"
        )

    async def _told(self) -> Mapping[str, str]:
        """Return its line; nothing where it ended before, or within it."""
        try:
            told = json.loads(await self._reader.readline() or b"{}")
        except (OSError, ValueError):
            told = None
        if isinstance(told, dict):
            return told
        self.kill()  # nobody knows what it does: it is not waited for
        return {}

    async def ended(self) -> int:
        """Return its exit code when it has one: below 0 is the signal that killed it."""
        code = await self._process.wait()
        self._writer.close()
        return code

    def drain(self) -> None:
        """Have it stop with the whole service."""
        self._order(DRAIN)

    def retire(self) -> None:
        """Have it stop, because another one serves in its place."""
        self._order(RETIRE)

    def hurry(self) -> None:
        """Have it stop without waiting."""
        self._order(HURRY)

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            self._process.kill()

    def _order(self, order: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(order)
