"""A server exports the log of old days to its folder, and then drops it."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.sql.sqlite import SqliteStore
from adapters.traffic.formats import open_log
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Thumb
from benchmarks._processes import ServiceProcess

DAY_US = 86_400_000_000
TRIES = 600
"""Looks at the log until the server has swept, which it does at its start."""


def said(days_ago: int) -> SignalRecord:
    time_us = time.time_ns() // 1000 - days_ago * DAY_US
    facts = DecisionFacts("chat", "model-1", Kind.SAMPLED, time_us)
    return SignalRecord("default", days_ago.to_bytes(12, "big"), "thumb", Thumb(True), time_us, time_us, facts, 0.5)


async def fill(file: Path) -> None:
    store = await SqliteStore.open(file, bucket_us=10_000_000)
    await store.write([said(days_ago) for days_ago in (1, 40, 41, 42)])
    await store.close()


async def left(file: Path) -> int:
    store = await SqliteStore.open(file, bucket_us=10_000_000)
    count = len([record async for record in store.signals()])
    await store.close()
    return count


@pytest.mark.slow
def test_what_a_server_drops_is_in_its_folder(
    start: Callable[[Path], ServiceProcess], configured: Callable[..., Path], tmp_path: Path
) -> None:
    configuration, folder = configured(), tmp_path / "log"
    folder.mkdir()
    configuration.write_text(configuration.read_text().replace("[store]", '[store]\nexport_folder = "log"'))
    asyncio.run(fill(tmp_path / "routeward.db"))
    service = start(configuration)
    for _ in range(TRIES):
        if any(event["event"] == "swept" for event in service.events):
            break
        service._reader.join(0.05)
    assert service.stop() == 0
    assert asyncio.run(left(tmp_path / "routeward.db")) == 1
    assert len(list(folder.glob("*.jsonl"))) == len(list(open_log(folder).calls())) == 3
