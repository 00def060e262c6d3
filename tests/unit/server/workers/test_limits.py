"""A worker that the system has no room for is refused as any that cannot start: the others go on."""

import os
import resource
from contextlib import ExitStack, contextmanager

import pytest

from server.listening import StartError
from server.workers.process import Command
from server.workers.sockets import Bound


@contextmanager
def open_files_left(count):
    """Let this process open so many files more."""
    # The lowest free numbers are taken first.
    taken = [os.open(os.devnull, os.O_RDONLY) for _ in range(count)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as after:
        resource.setrlimit(resource.RLIMIT_NOFILE, (taken[-1] + 1, hard))
        after.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for file in taken:
            os.close(file)
        yield


@pytest.mark.parametrize("left", [1, 2, 3], ids=["sockets", "process", "pipe"])
async def test_a_worker_that_there_are_no_open_files_for_is_refused_to_start(left):
    command = Command((), Bound("127.0.0.1:0", (), None), 2)
    with open_files_left(left), pytest.raises(StartError, match=r"worker 1 cannot be started: Too many open files"):
        await command.start(1)
