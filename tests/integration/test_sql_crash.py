"""What survives when a server dies without a word, and what its death leaves to the next one."""

import sqlite3
import subprocess
import sys
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import IO

import pytest

from adapters.ledger import StoreLockedError
from adapters.sql.sqlite import SqliteStore
from bandit.signals import Outcome
from tests import forked

ROOT = Path(__file__).parents[2]
HOUR_US = 3_600_000_000


def writer(file: Path, first: int) -> AbstractContextManager[tuple[forked.Forked, IO[str]]]:
    """A server that writes signals from `first` on until it is killed."""
    return forked.printing("tests.integration.sql_writer", str(file), str(first))


def acknowledged(process: forked.Forked, told: IO[str], lines: int) -> int:
    """Wait for some acknowledgements, kill, and return up to where signals were acknowledged."""
    heard = [told.readline() for _ in range(lines)]
    process.kill()
    heard += told.readlines()
    return int(heard[-1])


async def test_kill_9_loses_no_acknowledged_signal_and_counts_none_twice(tmp_path):
    file, upto = tmp_path / "store.db", 0
    for lines in (1, 17, 4, 30):
        with writer(file, first=upto) as (process, told):
            upto = acknowledged(process, told, lines)
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    try:
        kept = [record async for record in store.signals()]
        numbers = {int.from_bytes(record.nonce, "big") for record in kept}
        rows = (await store.load("acme")).rows
        assert numbers >= set(range(upto))
        assert len(numbers) == len(kept) <= upto + 20
        counted = sum(moments.n for key, moments in rows.items() if key.signal == "quality")
        assert counted == sum(not isinstance(record.fact, Outcome) for record in kept)
        assert await store.verify() == {}
    finally:
        await store.close()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_second_server_is_refused_until_the_first_is_gone(tmp_path):
    file = tmp_path / "store.db"
    with writer(file, first=0) as (process, told):
        told.readline()
        with pytest.raises(StoreLockedError, match="in use by another server"):
            await SqliteStore.open(file, bucket_us=HOUR_US)
        process.kill()
        process.wait()
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    assert await store.verify() == {}
    await store.close()


@pytest.mark.parametrize("ending", ["await store.close()", "pass"])
def test_a_process_that_is_done_ends(tmp_path, ending):
    code = f"""
import asyncio
from adapters.sql.sqlite import SqliteStore

async def main():
    store = await SqliteStore.open({str(tmp_path / "store.db")!r}, bucket_us=1)
    {ending}

asyncio.run(main())
"""
    ended = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, timeout=60, check=False)
    assert ended.returncode == 0
