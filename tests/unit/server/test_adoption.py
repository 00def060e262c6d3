"""With fewer workers than before, what the others left in their spools is not lost."""

import asyncio
import io
import os
import signal
import sqlite3
from contextlib import closing
from functools import partial

import pytest

from adapters.sql.sqlite import Journal, SqliteStore
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Thumb
from server.adoption import Adoption
from server.config import load
from server.logs import logger
from server.spooling import CHUNK, Spooling
from server.workers.supervisor import serve
from tests.unit.server.conftest import Log

DECISION = DecisionFacts("chat", "large", Kind.SAMPLED, 3_600_000_000, 12)
MIB = 1024 * 1024


def thumbs(first, number):
    return [
        SignalRecord("acme", n.to_bytes(12, "big"), "thumb", Thumb(True), 1, 1, DECISION, 0.5)
        for n in range(first, first + number)
    ]


@pytest.fixture
async def store(tmp_path):
    store = await SqliteStore.open(tmp_path / "routeward.db", bucket_us=10_000_000)
    yield store
    await store.close()


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def adopted(store, parts, log):
    def spooling(spool, log):
        namespaces = parts.publisher.namespaces
        return Spooling(store, spool, namespaces, parts.metrics, log, parts.clock, lambda: 0.5, lambda _: None)

    async def adopt(*files):
        await Adoption({file: partial(Journal.open, file, max_bytes=MIB) for file in files}, spooling, log.logger).run()

    return adopt


async def left(file, records):
    journal = await Journal.open(file, max_bytes=64 * MIB)
    await journal.append(records)
    await journal.close()
    return file


async def kept_in(file):
    journal = await Journal.open(file, max_bytes=64 * MIB)
    records, _ = await journal.oldest(1 << 20)
    await journal.close()
    return list(records)


async def test_what_is_left_reaches_the_store_once(store, adopted, log, tmp_path):
    files = [await left(tmp_path / f"spool.{n}.db", thumbs(10_000 * n, CHUNK + 5)) for n in (1, 2)]
    for _ in range(2):
        await adopted(*files)
    stored = [record async for record in store.signals()]
    assert sorted(record.nonce for record in stored) == [
        record.nonce for n in (1, 2) for record in thumbs(10_000 * n, CHUNK + 5)
    ]
    assert [await kept_in(file) for file in files] == [[], []]
    assert sorted((one["event"], one["file"], one["signals"]) for one in log.events) == [
        ("spool_taken_over", str(file), CHUNK + 5) for file in files
    ]
    assert await store.verify() == {}


async def test_what_cannot_be_taken_over_is_named_and_holds_nothing_else_up(store, adopted, log, tmp_path):
    foreign, in_use = tmp_path / "spool.1.db", tmp_path / "spool.2.db"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE diary (text)")
    last = await left(tmp_path / "spool.3.db", thumbs(1, 1))
    holder = await Journal.open(in_use, max_bytes=MIB)
    await adopted(foreign, in_use, last)
    await holder.close()
    assert sorted((one["event"], one["file"]) for one in log.events) == [
        ("spool_taken_over", str(last)),
        ("spool_without_worker", str(foreign)),
        ("spool_without_worker", str(in_use)),
    ]
    assert (await store.load("acme")).revision == 1


CONFIG = """\
[server]
listen = "127.0.0.1:0"
metrics = "127.0.0.1:0"
[spool]
path = "spool.db"
[[models]]
id = "large"
input_usd_per_mtok = 1
output_usd_per_mtok = 1
"""


class Stopping(io.StringIO):
    """A log that tells its server to stop once it has taken over what was left."""

    def write(self, line):
        if '"spool_taken_over"' in line:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().write(line)


def test_a_server_without_workers_takes_over_what_workers_left(tmp_path):
    file, config, log = tmp_path / "spool.1.db", tmp_path / "routeward.toml", Stopping()
    config.write_text(CONFIG)
    asyncio.run(left(file, thumbs(1, 3)))
    serve(config, load(config, {}, serving=True), logger(log))
    assert log.getvalue().index('"ready"') < log.getvalue().index('"spool_taken_over"')
    assert asyncio.run(kept_in(file)) == []
    with closing(sqlite3.connect(tmp_path / "routeward.db")) as connection:
        assert connection.execute("SELECT count(*) FROM signals").fetchone() == (3,)
