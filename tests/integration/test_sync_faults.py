"""Each sync of a disk fails once, or is where the process dies: what was acknowledged is there, once.

The kernel's answers are replaced by strace (Debian: `apt-get install strace`), so all of this is in the slow tier.
"""

import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest

from adapters.sql.sqlite import Journal, SqliteStore
from tests.integration.sync_writer import BATCH, BATCHES, HOUR_US, batch_of

ROOT = Path(__file__).parents[2]
WRITER = Path(__file__).with_name("sync_writer.py")
FAULTS = {"fails": "error=EIO", "kills": "signal=SIGKILL"}
EVENT = re.compile(
    r"(?P<sync>f(?:data)?sync\(\d+<(?P<path>[^>]*)>\).*)|write\(1<[^>]*>, \"(?P<answer>\w+) (?P<number>\d+)"
)

pytestmark = pytest.mark.slow


class Run(NamedTuple):
    """What a process said, and whether it met the fault; `lied` where it acknowledged what it had not synced."""

    acknowledged: frozenset[int]
    refused: frozenset[int]
    met: bool
    lied: bool


def written(kind: str, file: Path, system_call: str, fault: str, number: int) -> Run:
    """Write, while one of the system calls goes wrong."""
    strace = shutil.which("strace")
    assert strace, "strace is missing: install it (Debian: apt-get install strace)"
    log = file.with_name("strace.log")
    inject = f"inject={system_call}:{FAULTS[fault]}:when={number}"
    trace = ["-f", "-y", "-o", str(log), "-e", "trace=fsync,fdatasync,write", "-e", inject]
    command = [strace, *trace, sys.executable, str(WRITER), kind, str(file)]
    subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, timeout=120, check=False)
    return read(log.read_text(encoding="utf-8", errors="replace"))


def read(log: str) -> Run:
    said: dict[str, set[int]] = {"acknowledged": set(), "refused": set()}
    unsynced = lied = False
    synced = False
    for line in log.splitlines():
        if not (event := EVENT.search(line)):
            continue
        if event["sync"] and event["path"].endswith("-wal"):
            # A later one of the same batch belongs to carrying the log over: the batch is durable before.
            unsynced |= "INJECTED" in line and not synced
            synced |= "INJECTED" not in line
        elif event["answer"]:
            said[event["answer"]].add(int(event["number"]))
            lied |= unsynced and event["answer"] == "acknowledged"
            unsynced = synced = False
    return Run(frozenset(said["acknowledged"]), frozenset(said["refused"]), "INJECTED" in log or "SIGKILL" in log, lied)


async def kept_in(kind: str, file: Path) -> list[bytes]:
    """Return what a store or a journal holds, which has to be sound."""
    if kind == "journal":
        journal = await Journal.open(file, max_bytes=1 << 24)
        records, _ = await journal.oldest(BATCHES * BATCH * 2)
        await journal.close()
        return [record.nonce for record in records]
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    kept = [record async for record in store.signals()]
    rows = (await store.load("acme")).rows
    assert await store.verify() == {}
    assert sum(moments.n for moments in rows.values()) == len(kept)
    await store.close()
    return [record.nonce for record in kept]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", ["store", "journal"])
async def test_whichever_sync_goes_wrong_what_was_acknowledged_is_there_once(kind, fault, tmp_path):
    met = refused = 0
    for system_call in ("fsync", "fdatasync"):
        for number in count(1):
            folder = tmp_path / f"{system_call}-{number}"
            folder.mkdir()
            run = written(kind, file := folder / "data.db", system_call, fault, number)
            if not run.met:
                assert run.acknowledged == frozenset(range(BATCHES))
                break
            met, refused = met + 1, refused + len(run.refused)
            kept = await kept_in(kind, file)
            assert len(kept) == len(set(kept))
            assert set(kept) >= {record.nonce for batch in run.acknowledged for record in batch_of(batch)}
            assert not run.lied
            with closing(sqlite3.connect(file)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert met >= BATCHES
    assert (refused > 0) == (fault == "fails")
