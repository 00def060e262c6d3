"""Outcomes are recorded exactly once, also where the store does not answer for a while."""

import asyncio
from dataclasses import replace

import pytest

from adapters.ledger import StoreUnavailableError
from adapters.memory import MemoryStore
from server.gateway import reporting
from server.learning import Learner


async def test_outcomes_wait_for_the_store_and_count_once(desk, monkeypatch):
    monkeypatch.setattr(reporting, "RETRY_AFTER_S", 0.0)
    monkeypatch.setattr("server.writer.RETRY_AFTER_S", 0.0)
    write, refused = MemoryStore.write, list[str]()

    async def after_two_failures(self, records):
        if len(refused) == 0:
            refused.append("before")
            raise StoreUnavailableError("no")
        written = await write(self, records)
        if len(refused) == 1:
            # Stored, and nobody was told: what is sent again may not count again.
            refused.append("after")
            raise StoreUnavailableError("no")
        return written

    monkeypatch.setattr(MemoryStore, "write", after_two_failures)
    for _ in range(10):
        await desk.complete()
    records = await desk.stored()
    assert refused == ["before", "after"]
    assert len(records) == 10
    assert not any((await desk.parts.store.verify()).values())
    counted = desk.figure("feedback_total", signal="outcome", result="DUPLICATE") or 0.0
    assert counted + (desk.figure("feedback_total", signal="outcome", result="APPLIED") or 0.0) == 10


async def test_beyond_what_may_wait_outcomes_are_dropped_and_counted(desk, monkeypatch):
    monkeypatch.setattr(reporting, "MAX_WAITING", 3)
    gate, write = asyncio.Event(), MemoryStore.write

    async def later(self, records):
        await gate.wait()
        return await write(self, records)

    monkeypatch.setattr(MemoryStore, "write", later)
    served = [(await desk.complete()).served for _ in range(8)]
    assert len({one.decision_id for one in served}) == 8
    dropped = desk.figure("reports_dropped_total")
    gate.set()
    assert dropped is not None
    assert len(await desk.stored()) == 8 - dropped
    assert 1 <= dropped <= 5


async def test_outcomes_of_callers_who_take_turns_share_commits(desk, monkeypatch):
    writes, write = [], MemoryStore.write

    async def counted(self, records):
        writes.append(len(records))
        return await write(self, records)

    monkeypatch.setattr(MemoryStore, "write", counted)
    for number in range(12):
        caller = replace(desk.parts.caller, client=f"client-{number % 3}")
        await desk.loop.gateway.complete(desk.chat(), caller)
    records = await desk.stored()
    assert {record.client for record in records} == {"client-0", "client-1", "client-2"}
    assert sum(writes) == len(records) == 12
    assert len(writes) <= 2


async def test_outcomes_outlive_a_defect_in_recording_them(desk, monkeypatch):
    record_own, crashed = Learner.record_own, list[bool]()

    async def once(self, own, now_us, caller):
        if not crashed:
            crashed.append(True)
            raise RuntimeError("a defect")
        return await record_own(self, own, now_us, caller)

    monkeypatch.setattr(Learner, "record_own", once)
    for _ in range(3):
        await desk.complete()
    desk.loop.reporter.close()
    with pytest.raises(RuntimeError):
        await desk.task
    assert desk.loop.reporter.waiting == 3
    desk.task = asyncio.create_task(desk.loop.reporter.run())
    assert len(await desk.stored()) == 3
