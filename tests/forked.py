"""Programs of ours as processes of their own that start at once: forked from one that has imported what they need.

Importing is most of what a short process does: seconds of a processor, for each command and each server that a test
starts or kills. What they do after it is what `python -m` does, and so are their signals, crashes and exit codes. Some
tests start `python -m` itself, so that this stays true.
"""

import atexit
import gc
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any, Final, NamedTuple
from unittest.mock import patch

ROOT: Final = Path(__file__).parents[1]
IMPORTED: Final = (
    "tests.forked",
    "server.config",
    "server.main",
    "server.workers.supervisor",
    "routeward.cli.app",
    "simulations.demo.main",
)
"""None of them is run: that would be imported twice."""


def begun(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], folder: str, *files: Connection
) -> None:
    """Be `python -m module` in the new process, with its outputs in the files."""
    gc.freeze()
    for number, file in enumerate(files, start=1):
        os.dup2(file.fileno(), number)
        file.close()
    os.environ.clear()
    os.environ.update(environment)
    if "PYTHONWARNINGS" in environment:
        warnings.simplefilter(environment["PYTHONWARNINGS"])  # type: ignore[arg-type]
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # which multiprocessing leaves out


class Forked:
    """A process, as `subprocess.Popen` shows one; what it prints goes to the file `out`."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str] | None = None,
        folder: Path = ROOT,
        out: int = 1,
    ) -> None:
        _await_server()
        reader, writer = os.pipe()
        self.stderr = os.fdopen(reader)
        given = module, list(arguments), dict(os.environ if environment is None else environment), str(folder)
        with Connection(os.dup(out)) as of_out, Connection(writer) as of_err:
            self._process = get_context("forkserver").Process(target=begun, args=(*given, of_out, of_err), daemon=True)
            self._process.start()
        self.pid: Final = self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        """Its exit code; below 0 is the signal that ended it."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return its exit code, None while it runs."""
        return self.returncode

    def wait(self, seconds: float | None = None) -> int:
        """Return its exit code once it has ended. Raises subprocess.TimeoutExpired."""
        self._process.join(seconds)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(str(self._process), seconds or 0.0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, where it has not ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Tell it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would."""
        self.send_signal(signal.SIGKILL)


@contextmanager
def running(module: str, *arguments: str, **options: Any) -> Iterator["Running"]:
    """Yield a program; it is killed at the end, if it still runs."""
    with tempfile.TemporaryFile("w+") as out:
        process = Forked(module, arguments, out=out.fileno(), **options)
        try:
            yield Running(process, out)
        finally:
            process.kill()
            process.wait()
            process.stderr.close()


@contextmanager
def printing(module: str, *arguments: str) -> Iterator[tuple[Forked, IO[str]]]:
    """Yield a program and what it prints, as it does; it is killed at the end, if it still runs."""
    reader, writer = os.pipe()
    process = Forked(module, arguments, out=writer)
    os.close(writer)
    try:
        with os.fdopen(reader) as lines:
            yield process, lines
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


class Running(NamedTuple):
    """A program that is heard to its end."""

    process: Forked
    out: IO[str]

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Return what it has printed, of `stderr` what was not read, once it has ended."""
        err = self.process.stderr.read()
        self.process.wait(timeout)
        self.out.seek(0)
        return self.out.read(), err


def run(
    module: str, *arguments: str, timeout: float | None = None, **options: Any
) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end, as `subprocess.run` does."""
    with running(module, *arguments, **options) as program:
        out, err = program.communicate(timeout)
        return subprocess.CompletedProcess([module, *arguments], program.process.wait(), out, err)


def service(configuration: Path, environment: Mapping[str, str]) -> Forked:
    """Begin a service; see `benchmarks._processes`."""
    return Forked("server", ("--config", str(configuration)), environment)


def _await_server() -> None:
    """Have the process that is forked from; it sees the packages that we see."""
    forkserver.set_forkserver_preload(list(IMPORTED))
    with patch.dict(os.environ, PYTHONPATH=str(ROOT)):
        forkserver.ensure_running()
