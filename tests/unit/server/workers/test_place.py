"""What a worker and its supervisor tell each other, over a real pair of sockets."""

import asyncio
import json
import socket
from pathlib import Path

import pytest

from server.listening import Addresses
from server.settings import ServerSettings, Settings, SpoolSettings, StoreSettings
from server.workers.place import DRAIN, HURRY, RETIRE, Place, Worker, taking_over, with_own_files


@pytest.fixture
def link():
    ours, its = socket.socketpair()
    worker = Worker(Place(1, 2, "127.0.0.1:1", "", its.detach()))
    with ours:
        yield ours, worker
    worker.close()


async def obeyed(worker: Worker) -> tuple[asyncio.Event, asyncio.Event]:
    stop, hurry = asyncio.Event(), asyncio.Event()
    worker.obey(stop, hurry)
    return stop, hurry


def test_a_place_survives_its_way_through_a_command_line():
    place = Place(3, 4, "[::1]:7443", "127.0.0.1:9464", 5, 6, None)
    assert Place.parsed(place.text()) == place
    assert place.files == (5, 6)


def test_files_that_one_process_alone_can_have_get_the_number_of_the_worker():
    settings = Settings(
        store=StoreSettings(snapshot_path=Path("last.snapshot")), spool=SpoolSettings(Path("a/spool.db"))
    )
    own = with_own_files(settings, 3)
    assert (own.store.snapshot_path, own.spool.path) == (Path("last.3.snapshot"), Path("a/spool.3.db"))
    assert with_own_files(Settings(), 3) == Settings()


@pytest.mark.parametrize(
    ("workers", "left"), [(1, ["spool.0.db", "spool.1.db", "spool.10.db"]), (2, ["spool.10.db", "spool.db"])]
)
def test_spools_that_no_worker_has_any_more_are_taken_over(workers, left, tmp_path):
    for name in ("db", "0.db", "1.db", "10.db", "10.db.lock", "10.db-wal", "01.db", "a.db"):
        (tmp_path / f"spool.{name}").touch()
    settings = Settings(server=ServerSettings(workers=workers), spool=SpoolSettings(tmp_path / "spool.db"))
    assert [path.name for path in taking_over(settings).spool.left] == left
    assert taking_over(Settings()) == Settings()


def test_a_worker_says_that_it_is_ready_or_why_not(link):
    ours, worker = link
    worker.tell_ready(Addresses("127.0.0.1:1"))
    worker.tell_refused("the store is newer")
    told = [json.loads(line) for line in ours.recv(1000).splitlines()]
    assert told == [{"ready": "127.0.0.1:1"}, {"refused": "the store is newer"}]


@pytest.mark.parametrize(("order", "is_replaced"), [(DRAIN, False), (RETIRE, True)])
async def test_an_order_stops_a_worker_and_says_whether_another_one_serves_in_its_place(link, order, is_replaced):
    ours, worker = link
    stop, hurry = await obeyed(worker)
    ours.send(order)
    await asyncio.wait_for(stop.wait(), 5)
    assert (worker.is_replaced, hurry.is_set()) == (is_replaced, False)
    ours.send(HURRY)
    await asyncio.wait_for(hurry.wait(), 5)


async def test_the_end_of_the_supervisor_stops_a_worker(link):
    ours, worker = link
    stop, hurry = await obeyed(worker)
    ours.close()
    await asyncio.wait_for(stop.wait(), 5)
    assert not hurry.is_set()


def test_a_worker_without_a_supervisor_tells_nobody(link):
    ours, worker = link
    ours.close()
    worker.tell_refused("nobody hears it")
