"""The real service as a process of its own, forked: see `tests.forked`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from benchmarks._processes import ServiceProcess, write_configuration
from tests import forked


@pytest.fixture
def start() -> Iterator[Callable[[Path], ServiceProcess]]:
    """Start a service with a configuration; it is gone at the end of the test."""
    with ExitStack() as stack:
        yield lambda configuration: stack.enter_context(ServiceProcess(configuration, begin=forked.service))


@pytest.fixture
def configured(tmp_path: Path) -> Callable[..., Path]:
    """Write a configuration whose store lies in this test's folder."""

    def build(**changes: Any) -> Path:
        return write_configuration(tmp_path, **changes)

    return build


@pytest.fixture
def connect() -> Iterator[Callable[[str], grpc.Channel]]:
    """Open a channel to an address; it is closed at the end of the test."""
    with ExitStack() as stack:
        yield lambda address: stack.enter_context(grpc.insecure_channel(address))
