"""How one worker after the other fills a place. They are real processes that end at the first order they get."""

import asyncio
import io
import json
import socket
from contextlib import suppress

import pytest

from server.listening import StartError
from server.logs import logger
from server.workers.process import WorkerProcess
from server.workers.slot import LONGEST_WAIT_S, Slot, wait_s

SOON_S = 20.0


class Lives:
    """Starts workers, but for the numbers of those in `refused`; `beside` says how many ran at each start."""

    def __init__(self, refused: tuple[int, ...] = ()) -> None:
        self.started: list[WorkerProcess] = []
        self.beside: list[int] = []
        self.is_second = asyncio.Event()
        self._refused = refused

    async def start(self, number: int) -> WorkerProcess:
        self.beside.append(sum(one.is_running for one in self.started))
        if len(self.beside) in self._refused:
            raise StartError("the configuration is broken")
        ours, its = socket.socketpair()
        with its:
            process = await asyncio.create_subprocess_exec(
                "head", "-c1", stdin=its.fileno(), stdout=asyncio.subprocess.DEVNULL
            )
        self.started.append(WorkerProcess(number, process, *await asyncio.open_connection(sock=ours)))
        if len(self.started) == 2:
            self.is_second.set()
        return self.started[-1]

    async def end(self, worker: WorkerProcess) -> None:
        await worker.ended()

    def slot(self, *, overlap: bool = True) -> Slot:
        self.log = io.StringIO()
        return Slot(7, self.start, self.end, lambda: 0.0, logger(self.log), overlap=overlap)

    @property
    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.log.getvalue().splitlines()]

    async def close(self) -> None:
        for one in self.started:
            one.hurry()
            await one.ended()


async def kept_until_another_one_started(slot: Slot, lives: Lives) -> None:
    keeping = asyncio.create_task(slot.keep())
    await asyncio.wait_for(lives.is_second.wait(), SOON_S)
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping


@pytest.mark.parametrize(("overlap", "beside"), [(True, [0, 1]), (False, [0, 0])])
async def test_a_worker_leaves_when_another_one_is_ready_or_before_where_they_cannot_overlap(overlap, beside):
    lives = Lives()
    slot = lives.slot(overlap=overlap)
    await slot.begin()
    await slot.renew()
    assert lives.beside == beside
    assert [one.is_running for one in lives.started] == [False, True]
    await lives.close()


async def test_a_worker_stays_where_nobody_can_take_its_place():
    lives = Lives(refused=(2,))
    slot = lives.slot()
    await slot.begin()
    with pytest.raises(StartError):
        await slot.renew()
    assert [one.is_running for one in lives.started] == [True]
    await lives.close()


async def test_a_worker_that_dies_is_restarted_again_and_again_until_one_starts():
    lives = Lives(refused=(2,))
    slot = lives.slot()
    await slot.begin()
    lives.started[0].kill()
    await kept_until_another_one_started(slot, lives)
    assert lives.events == ["worker_ended", "worker_refused_to_start"]
    await lives.close()


async def test_a_place_that_a_failed_replacement_left_empty_is_filled():
    lives = Lives(refused=(2,))
    slot = lives.slot(overlap=False)
    await slot.begin()
    with pytest.raises(StartError):
        await slot.renew()
    await kept_until_another_one_started(slot, lives)
    assert lives.started[-1].is_running
    await lives.close()


def test_the_first_restart_is_at_once_and_each_further_one_waits_twice_as_long():
    assert [wait_s(failures, 1.0) for failures in range(5)] == [0.0, 0.5, 1.0, 2.0, 4.0]


def test_no_wait_is_longer_than_half_a_minute():
    assert wait_s(10_000, 1.0) == LONGEST_WAIT_S


@pytest.mark.parametrize("failures", [1, 5, 50])
def test_chance_takes_up_to_half_of_a_wait_away(failures):
    assert wait_s(failures, 0.0) == wait_s(failures, 1.0) / 2
