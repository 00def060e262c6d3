"""With fewer workers than before, what the others left in their spools is not lost."""

import asyncio
import io
import os
import signal
import sqlite3
from contextlib import closing
from functools import partial

import pytest

from adapters.sql.sqlite import Journal
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Thumb
from server.adoption import CHUNK, take_over
from server.config import load
from server.logs import logger
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
async def spool(tmp_path):
    journal = await Journal.open(tmp_path / "spool.db", max_bytes=4 * MIB)
    yield journal
    await journal.close()


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


opened = partial(Journal.open, max_bytes=4 * MIB)


async def test_what_is_left_is_taken_over_once_and_in_order(spool, tmp_path):
    files = [await left(tmp_path / f"spool.{n}.db", thumbs(10_000 * n, CHUNK + 5)) for n in (1, 2)]
    log = Log()
    for _ in range(2):
        await take_over(spool, files, opened, log.logger)
    records, _ = await spool.oldest(1 << 20)
    assert records == [*thumbs(10_000, CHUNK + 5), *thumbs(20_000, CHUNK + 5)]
    assert [await kept_in(file) for file in files] == [[], []]
    assert [(one["event"], one["file"], one["signals"]) for one in log.events] == [
        ("spool_taken_over", str(file), CHUNK + 5) for file in files
    ]


async def test_what_cannot_be_taken_over_is_named_and_holds_nothing_else_up(spool, tmp_path):
    foreign, in_use = tmp_path / "spool.1.db", tmp_path / "spool.2.db"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE diary (text)")
    last = await left(tmp_path / "spool.3.db", thumbs(1, 1))
    holder, log = await Journal.open(in_use, max_bytes=MIB), Log()
    await take_over(spool, [foreign, in_use, last], opened, log.logger)
    await holder.close()
    assert [(one["event"], one["file"]) for one in log.events] == [
        ("spool_without_worker", str(foreign)),
        ("spool_without_worker", str(in_use)),
        ("spool_taken_over", str(last)),
    ]
    assert (await spool.oldest(9))[0] == thumbs(1, 1)


async def test_what_finds_no_room_stays_where_it_is(tmp_path):
    small, log = await Journal.open(tmp_path / "spool.db", max_bytes=MIB), Log()
    file = await left(tmp_path / "spool.1.db", records := thumbs(0, 5 * CHUNK))
    await take_over(small, [file], opened, log.logger)
    taken, _ = await small.oldest(1 << 20)
    await small.close()
    assert [*taken, *await kept_in(file)] == records
    assert taken != records
    assert "spool.max_mb" in log.events[0]["error"]


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
    """A log that tells its server to stop once it is ready."""

    def write(self, line):
        if '"ready"' in line:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().write(line)


def test_a_server_without_workers_takes_over_what_workers_left(tmp_path):
    file, config, log = tmp_path / "spool.1.db", tmp_path / "routeward.toml", Stopping()
    config.write_text(CONFIG)
    asyncio.run(left(file, thumbs(1, 3)))
    serve(config, load(config, {}, serving=True), logger(log))
    assert '"spool_taken_over"' in log.getvalue()
    assert asyncio.run(kept_in(file)) == []
