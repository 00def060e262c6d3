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

    Raises ServerFailedError when it does not get ready, or has ended, or fails, before it is told to stop.
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
        yield Server(_ready(process, log, begin), monotonic() - started)
        if process.poll() is not None:
            raise _failure(f"the server ended by itself with exit code {process.returncode}", log, begin)
    finally:
        _stop(process)
    if process.returncode != 0:
        raise _failure(f"the server stopped with exit code {process.returncode}", log, begin)


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
            raise _failure(f"the server did not start; it ended with exit code {exit_code}", log, begin)
        sleep(_POLL_S)
    raise _failure(f"the server was not ready within {START_S:g} seconds", log, begin)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise


def _lines(log: Path, begin: int) -> list[str]:
    """Return the finished lines of the log from a position on."""
    with log.open("rb") as file:
        file.seek(begin)
        return file.read().decode(errors="replace").split("\n")[:-1]


def _failure(what: str, log: Path, begin: int) -> ServerFailedError:
    last = [f"  {line}" for line in _lines(log, begin)[-_LAST_LINES:]]
    return ServerFailedError("\n".join([f"{what}. Its last words:", *(last or ["  (none)"])]))
