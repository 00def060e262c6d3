"""The real service as a process of its own, for measurements and for tests that kill it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Protocol

CONFIGURATION = """
[server]
listen = "{listen}"
metrics = "127.0.0.1:0"
drain_seconds = {drain_seconds}
[store]
min_free_mb = 1
"""
MODEL = """
[[models]]
id = "{id}"
provider = "provider-{provider}"
input_usd_per_mtok = {price}.0
output_usd_per_mtok = {price}.0
context_tokens = 128000
"""
MODELS = tuple(f"model-{index}" for index in range(10))
STOP_S = 30.0
EVENT_S = 60.0


def write_configuration(
    folder: Path, *, listen: str = "127.0.0.1:0", drain_seconds: float = 0.1, more: str = ""
) -> Path:
    """Write a configuration with ten models, whose store lies in the same folder; return its path."""
    models = (MODEL.format(id=name, provider=i % 3, price=i + 1) for i, name in enumerate(MODELS))
    path = folder / "routeward.toml"
    head = CONFIGURATION.format(listen=listen, drain_seconds=drain_seconds)
    path.write_text("".join((head, *models, more)), encoding="utf-8")
    return path


class ServiceEndedError(Exception):
    """The service ended instead of becoming ready; the text is what it said."""


class Process(Protocol):
    """What is used of a `subprocess.Popen`."""

    @property
    def pid(self) -> int: ...
    @property
    def stderr(self) -> IO[str] | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None, /) -> int: ...
    def send_signal(self, sig: int, /) -> None: ...
    def terminate(self) -> None: ...


Begin = Callable[[Path, Mapping[str, str]], Process]
"""How to begin a service with a configuration and an environment; its log goes to a pipe."""


def executed(configuration: Path, environment: Mapping[str, str]) -> Process:
    """Begin it as a program."""
    command = [sys.executable, "-m", "server", "--config", str(configuration)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)


class ServiceProcess:
    """A service that is ready. As a context manager it is killed at the end, if it still runs."""

    def __init__(
        self, configuration: Path, environment: Mapping[str, str] | None = None, begin: Begin = executed
    ) -> None:
        started = time.perf_counter()
        self.process = begin(configuration, {**os.environ, **(environment or {})})
        self.lines: list[str] = []
        self._told = threading.Condition()
        ready = self._await_ready()
        self.ready_s = time.perf_counter() - started
        self.address, self.metrics, self.gateway = ready["address"], ready["metrics"], ready.get("gateway", "")
        self._reader = threading.Thread(target=self._read_on, daemon=True)
        self._reader.start()

    def _await_ready(self) -> dict[str, Any]:
        for line in self.process.stderr or ():
            self.lines.append(line)
            if line.startswith("{") and (event := json.loads(line))["event"] == "ready":
                return dict(event)
        self.process.wait()
        self._close()
        raise ServiceEndedError("".join(self.lines))

    def _read_on(self) -> None:
        for line in self.process.stderr or ():
            with self._told:
                self.lines.append(line)
                self._told.notify_all()

    def await_event(self, name: str, times: int = 1) -> dict[str, Any]:
        """Wait until an event was logged as often, and return the last one. Raises TimeoutError."""

        def found() -> list[dict[str, Any]]:
            return [event for event in self.events if event["event"] == name]

        with self._told:
            if not self._told.wait_for(lambda: len(found()) >= times, EVENT_S):
                raise TimeoutError(f"no {times} events {name!r} in {EVENT_S:g} s: {''.join(self.lines)}")
            return found()[-1]

    @property
    def events(self) -> list[dict[str, Any]]:
        """What was logged up to now."""
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self._ended()

    def stop(self) -> int:
        """Let it drain; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._ended()

    def _ended(self) -> int:
        code = self.process.wait(STOP_S)
        self._reader.join(STOP_S)
        self._close()
        return code

    def _close(self) -> None:
        if self.process.stderr:
            self.process.stderr.close()

    def __enter__(self) -> "ServiceProcess":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
