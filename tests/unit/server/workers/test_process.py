"""What a supervisor makes of what its workers say, whatever that is."""

import asyncio
import socket
from contextlib import asynccontextmanager, closing

import pytest

from server.listening import StartError
from server.workers.place import LONGEST_REASON, Place, Worker
from server.workers.process import WorkerProcess

SOON_S = 20.0


@asynccontextmanager
async def a_worker():
    """A process that never ends by itself, and the end of the pair that is its."""
    ours, its = socket.socketpair()
    process = await asyncio.create_subprocess_exec("sleep", "3600")
    worker = WorkerProcess(3, process, *await asyncio.open_connection(sock=ours))
    try:
        with its:
            yield worker, its
    finally:
        worker.kill()
        await worker.ended()


@pytest.mark.parametrize("line", [b"x" * 70_000 + b"\n", b"x" * 100_000, b"no JSON\n", b"\xff\n", b"7\n", b'{"refu'])
async def test_a_worker_that_says_what_cannot_be_read_is_ended_and_did_not_start(line):
    async with a_worker() as (worker, its):
        its.sendall(line)
        its.shutdown(socket.SHUT_WR)
        with pytest.raises(StartError, match="worker 3 ended before it was ready, with exit code -9"):
            await asyncio.wait_for(worker.ready(), SOON_S)
        assert not worker.is_running


async def test_a_worker_that_is_killed_while_it_has_an_order_to_read_did_not_start():
    async with a_worker() as (worker, its):
        worker.drain()
        await asyncio.to_thread(its.recv, 1, socket.MSG_PEEK)
        its.close()
        with pytest.raises(StartError, match="ended before it was ready"):
            await asyncio.wait_for(worker.ready(), SOON_S)


@pytest.mark.parametrize("letter", ["x", "\N{GRINNING FACE}", "\0"])
async def test_however_long_the_reason_of_a_refusal_is_its_beginning_arrives(letter):
    async with a_worker() as (worker, its):
        with closing(Worker(Place(3, 4, "127.0.0.1:1", "", its.detach()))) as itself:
            itself.tell_refused(letter * 1_000_000)
        worker.kill()
        with pytest.raises(StartError) as refused:
            await asyncio.wait_for(worker.ready(), SOON_S)
        assert str(refused.value) == letter * LONGEST_REASON
