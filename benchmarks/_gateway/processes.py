"""What is measured, and what it is measured with: each a process of its own, on a core that nothing else here uses."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import psutil

from benchmarks._gateway.upstream import Order, Seen
from benchmarks._processes import CONFIGURATION, ServiceProcess

LITELLM: Final = Path(".venv/litellm/bin/litellm")
LITELLM_MISSING: Final = "LiteLLM's proxy is not there; install it with: make litellm"
READY_S: Final = 120.0
_GATEWAY: Final = """
[gateway]
listen = "127.0.0.1:0"
private_hosts = ["127.0.0.1"]
"""
_PROVIDER: Final = """
[providers.{name}]
format = "openai"
base_url = "{base_url}"
"""
_MODEL: Final = """
[[models]]
id = "{id}"
provider = "{provider}"
upstream = "{upstream}"
input_usd_per_mtok = {price}
output_usd_per_mtok = {price}
context_tokens = 128000
"""

_LITELLM_ENVIRONMENT: Final = {
    "LITELLM_LOG": "ERROR",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    # On loopback, as the gateway is: neither looks at keys.
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    "NO_PROXY": "127.0.0.1",
}


class ToolMissingError(Exception):
    """A tool that is compared with is not installed; the text says how to."""


class Target(NamedTuple):
    """Something that answers chat completions at `address`: always with `answer`, or if that is empty the nonce."""

    address: str
    process: psutil.Process
    answer: bytes = b""

    def cpu_s(self) -> float:
        """Processor time so far, with that of its children."""
        return sum(times.user + times.system for times in (each.cpu_times() for each in self._family()))

    def memory_mb(self) -> float:
        """Resident memory, with that of its children."""
        return float(sum(each.memory_info().rss for each in self._family())) / 1e6

    def sockets(self) -> int:
        """Open file descriptors."""
        return int(self.process.num_fds())

    def _family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


class Model(NamedTuple):
    """A model of the gateway under test: its id, provider, US dollars per million tokens, and its name there."""

    id: str
    provider: str = "mock"
    price: float = 1.0
    upstream: str = "mock"


MODELS: Final = (Model("model-0", price=1.0), Model("model-1", price=1.1), Model("model-2", price=1.2))


class Upstream:
    """A mock provider that runs; see `benchmarks._gateway.upstream`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.port = int(self._read())

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def obey(self, order: Order) -> Seen:
        """Give an order; return what happened since the last one."""
        return self._say(order._asdict())

    def seen(self) -> Seen:
        """Return what happened since the last order."""
        return self._say({})

    def _say(self, order: Mapping[str, Any]) -> Seen:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return Seen(**json.loads(self._read()))

    def _read(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()


_USABLE: Final = sorted(os.sched_getaffinity(0))


def cores() -> tuple[int, int]:
    """Return the core of what is measured, and that of what measures it; the same one where there is no other."""
    return _USABLE[0], _USABLE[-1]


def pin(pid: int, core: int) -> None:
    """Keep a process on a core."""
    os.sched_setaffinity(pid, {core})


@contextmanager
def upstream() -> Iterator[Upstream]:
    """Run a mock provider, on the core of what measures."""
    with _running(["-m", "benchmarks._gateway.upstream"], cores()[1]) as process:
        yield Upstream(process)


@contextmanager
def relay(base_url: str, server: str = "aiohttp", client: str = "aiohttp") -> Iterator[Target]:
    """Run a bare relay of these libraries, on the core of what is measured."""
    with _running(["-m", "benchmarks._gateway.relay", server, client, base_url], cores()[0]) as process:
        assert process.stdout
        yield Target(f"127.0.0.1:{int(process.stdout.readline())}", psutil.Process(process.pid))


@contextmanager
def gateway(configuration: Path) -> Iterator[Target]:
    """Run the service with its gateway, on the core of what is measured."""
    with ServiceProcess(configuration) as service:
        process = psutil.Process(service.process.pid)
        for thread in process.threads():
            pin(thread.id, cores()[0])
        yield Target(service.gateway, process)
        assert service.stop() == 0, "".join(service.lines)


def write_gateway(folder: Path, providers: Mapping[str, str], models: tuple[Model, ...] = MODELS) -> Path:
    """Write a configuration of models at providers, given by name and base URL; return its path."""
    path = folder / "routeward.toml"
    parts = [CONFIGURATION.format(listen="127.0.0.1:0", drain_seconds=0.1), _GATEWAY]
    parts += [_PROVIDER.format(name=name, base_url=url) for name, url in providers.items()]
    parts += [_MODEL.format(**model._asdict()) for model in models]
    path.write_text("".join(parts), encoding="utf-8")
    return path


@contextmanager
def litellm(folder: Path, models: Mapping[str, Mapping[str, object]]) -> Iterator[Target]:
    """Run LiteLLM's proxy with these models, by name, on the core of what is measured. Raises ToolMissingError."""
    if not LITELLM.exists():
        raise ToolMissingError(LITELLM_MISSING)
    path, port = folder / "litellm.yaml", _free_port()
    listed = [{"model_name": name, "litellm_params": parameters} for name, parameters in models.items()]
    path.write_text(json.dumps({"model_list": listed, "litellm_settings": {"telemetry": False}}), encoding="utf-8")
    command = ["--config", str(path), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    log = folder / "litellm.log"
    with log.open("w") as output, _running(command, cores()[0], str(LITELLM), _LITELLM_ENVIRONMENT, output) as process:
        _await_health(f"http://127.0.0.1:{port}/health/liveliness", process, log)
        yield Target(f"127.0.0.1:{port}", psutil.Process(process.pid))


def _free_port() -> int:
    """Return a port that nobody listens on just now, for programs that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_health(url: str, process: "subprocess.Popen[str]", log: Path) -> None:
    end_s = time.monotonic() + READY_S
    while time.monotonic() < end_s and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own process, on loopback
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise RuntimeError(f"it did not become ready:\n{log.read_text()[-2000:]}")


@contextmanager
def _running(
    command: list[str],
    core: int,
    program: str = sys.executable,
    environment: Mapping[str, str] | None = None,
    output: Any = subprocess.PIPE,
) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [program, *command],
        text=True,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=None if output is subprocess.PIPE else subprocess.STDOUT,
        env={**os.environ, **(environment or {})},
    )
    pin(process.pid, core)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()
