"""The real server, as a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from routeward._service import FOLDER
from simulations.demo.errors import ServerFailedError

START_S: Final = 30.0
STOP_S: Final = 20.0
_POLL_S: Final = 0.01
_LAST_LINES: Final = 5


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is ready at `target`, `started_in_s` seconds after its start."""

    target: str
    started_in_s: float


@contextmanager
def serving(config: Path, log: Path) -> Iterator[Server]:
    """Run a server until the end of the `with` statement, and append what it logs to `log`.

    Raises ServerFailedError when it does not get ready or fails; one that is raised in the statement gets the last
    lines of the log too.
    """
    started = monotonic()
    with log.open("ab") as output:
        begin = output.tell()
        # A process group of its own: Ctrl-C reaches the demo alone, which then stops the server in order.
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "server", "--config", str(config.resolve())],
            cwd=FOLDER,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            process_group=0,
        )
    try:
        with _stopping(process):
            target = _ready(process, log, begin)
            yield Server(target, monotonic() - started)
    except ServerFailedError as error:
        last = [f"  {line}" for line in _lines(log, begin)[-_LAST_LINES:]]
        raise ServerFailedError("\n".join([f"{error}; its last words:", *(last or ["  (none)"])])) from error


def _ready(process: "subprocess.Popen[bytes]", log: Path, begin: int) -> str:
    """Wait until the log says that the server is ready; return its address."""
    deadline = monotonic() + START_S
    while monotonic() < deadline:
        exit_code = process.poll()
        for line in _lines(log, begin):
            with suppress(ValueError):
                entry = json.loads(line)
                if entry["event"] == "ready":
                    return str(entry["address"])
        if exit_code is not None:
            raise ServerFailedError(f"the server did not start, but ended with exit code {exit_code}")
        sleep(_POLL_S)
    raise ServerFailedError(f"the server was not ready within {START_S:g} seconds")


@contextmanager
def _stopping(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """End the process with the statement, in order where there is time for it."""
    try:
        yield
        if process.poll() is not None:
            raise ServerFailedError(f"the server ended by itself with exit code {process.returncode}")
    finally:
        process.terminate()
        try:
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)
        finally:
            process.kill()
            process.wait()
    if process.returncode != 0:
        raise ServerFailedError(f"the server stopped with exit code {process.returncode}")


def _lines(log: Path, begin: int) -> list[str]:
    """Return the finished lines of the log from a position on."""
    with log.open("rb") as file:
        file.seek(begin)
        return file.read().decode(errors="replace").split("\n")[:-1]
