"""The log of days that are dropped is exported first, whole, once, and while the server goes on."""

import asyncio
import os
from threading import Event

import pytest

from adapters.ledger import StoreUnavailableError
from adapters.sql.archive import FolderArchive
from adapters.sql.sqlite import SqliteStore
from adapters.sql.sqlite.archive import file_archive
from adapters.traffic.errors import TrafficError
from adapters.traffic.formats import open_log
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Thumb

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
FIRST_US = 20_000 * DAY_US


@pytest.fixture
async def store(tmp_path, a_decision):
    store = await SqliteStore.open(tmp_path / "store.db", bucket_us=HOUR_US)
    for hour in range(0, 96, 8):
        time_us, nonce = FIRST_US + hour * HOUR_US, hour.to_bytes(12, "big")
        facts = DecisionFacts("chat", "large", Kind.SAMPLED, time_us)
        await store.log_decisions([a_decision._replace(nonce=nonce, decided_us=time_us)])
        await store.write([SignalRecord("acme", nonce, "thumb", Thumb(True), time_us, time_us, facts, 0.75)])
    yield store
    await store.close()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "log"
    folder.mkdir()
    return folder


@pytest.fixture(params=["file", "loop"])
async def archive(request, store, folder, tmp_path):
    """Through a connection of its own, as on SQLite, and through the server's, as on PostgreSQL."""
    if request.param == "file":
        return file_archive(folder, tmp_path / "store.db")
    return FolderArchive.of_database(folder, store._database)


def files(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix == ".jsonl")


async def test_whole_days_are_exported_each_to_a_file(archive, folder):
    assert await archive.keep(FIRST_US + 2 * DAY_US + 5 * HOUR_US) == FIRST_US + 2 * DAY_US
    assert files(folder) == ["decisions-2024-10-04.jsonl", "decisions-2024-10-05.jsonl"]
    calls = list(open_log(folder).calls())
    assert [call.time_us for call in calls] == [FIRST_US + hour * HOUR_US for hour in range(0, 48, 8)]
    assert {call.quality for call in calls} == {1.0}


async def test_days_that_were_dropped_stay_exported_and_later_ones_join_them(archive, folder, store):
    for days in (1, 1, 2, 4, 3, 6):
        before_us = await archive.keep(FIRST_US + days * DAY_US)
        await store.retain(before_us)
        before_us = await archive.keep(FIRST_US + days * DAY_US + 1)
        await store.retain(before_us)
    assert len(files(folder)) == 4
    assert len(list(open_log(folder).calls())) == 12
    assert [record async for record in store.decisions()] == []


async def test_nothing_old_exports_nothing(archive, folder):
    assert await archive.keep(FIRST_US) == FIRST_US
    assert list(folder.iterdir()) == []


async def test_a_folder_that_cannot_be_written_or_holds_other_things_is_told(archive, folder):
    (folder / "photos").mkdir()
    with pytest.raises(TrafficError, match="holds other things"):
        await archive.keep(FIRST_US + DAY_US)
    (folder / "photos").rmdir()
    os.rename(folder, folder.with_name("moved"))
    folder.write_text("no folder")
    with pytest.raises(TrafficError):
        await archive.keep(FIRST_US + DAY_US)


class Stalled:
    """A database that never answers, as a frozen one does."""

    def __init__(self):
        self.asked, self.cancelled = asyncio.Event(), Event()

    async def run(self, *_, **__):
        self.asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()

    run_alone = run

    async def close(self):
        """Do nothing."""


async def test_an_export_that_nobody_waits_for_any_more_ends_though_the_database_does_not_answer(folder):
    database = Stalled()
    keeping = asyncio.create_task(FolderArchive.of_database(folder, database).keep(FIRST_US))
    await database.asked.wait()
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    assert await asyncio.to_thread(database.cancelled.wait, 30)


async def test_a_database_that_refuses_is_told(archive, store, tmp_path, folder):
    await store.close()
    (tmp_path / "store.db").unlink()
    with pytest.raises(StoreUnavailableError):
        await archive.keep(FIRST_US + DAY_US)
    assert files(folder) == []
