"""Group commit: who is answered what, and when."""

import asyncio

import pytest

from adapters.ledger import StoreUnavailableError
from adapters.memory import MemoryStore
from bandit.errors import SumsOverflowError
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Thumb
from bandit.votes import SignalStatus
from server.errors import FeedbackUnavailableError, OverloadedError, ShuttingDownError
from server.supervision import supervised
from server.writer import MAX_WAITING, Writer

BUCKET_US = 10_000_000
START_US = 1_700_000_000_000_000


class GatedStore(MemoryStore):
    """Writes wait until the gate opens, and then fail if there is an error."""

    def __init__(self) -> None:
        super().__init__(bucket_us=BUCKET_US)
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()
        self.error: Exception | None = None
        self.batches: list[int] = []

    async def write(self, records):
        self.begun.set()
        await self.gate.wait()
        if self.error:
            raise self.error
        self.batches.append(len(records))
        return await super().write(records)


def a_thumb(number, *, up=True):
    return SignalRecord(
        namespace="acme",
        nonce=number.to_bytes(12, "big"),
        signal="thumb",
        fact=Thumb(up),
        observed_us=START_US,
        received_us=START_US,
        decision=DecisionFacts("chat", "small", Kind.SAMPLED, START_US),
        propensity=0.5,
    )


def submitted(writer, records):
    """Submit records; the future returned resolves to their statuses."""
    waiting = writer.submit(len(records), lambda: records)

    async def statuses():
        return tuple(status for _, status in await waiting)

    return asyncio.ensure_future(statuses())


@pytest.fixture
async def store():
    return GatedStore()


@pytest.fixture
def outcomes():
    return []


@pytest.fixture
async def writer(store, parts, log, outcomes):
    return Writer(store, parts.publisher.namespaces, parts.metrics, log.logger, outcomes.append)


@pytest.fixture
async def running(writer, store):
    task = asyncio.create_task(writer.run())
    yield task
    store.gate.set()
    writer.close()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.usefixtures("running")
async def test_whoever_waits_while_one_write_is_under_way_shares_the_next(writer, store):
    first = submitted(writer, [a_thumb(0)])
    await store.begun.wait()
    others = [submitted(writer, [a_thumb(number)]) for number in range(1, 40)]
    store.gate.set()
    await asyncio.gather(first, *others)
    assert store.batches == [1, 39]


@pytest.mark.usefixtures("running")
async def test_nobody_is_answered_before_the_store_is_done(writer, store):
    waiting = submitted(writer, [a_thumb(0)])
    await store.begun.wait()
    assert not waiting.done()
    store.gate.set()
    assert await waiting == (SignalStatus.APPLIED,)


@pytest.mark.usefixtures("running")
async def test_every_caller_gets_the_statuses_of_its_own_records(writer, store):
    waiting = [submitted(writer, [a_thumb(1), a_thumb(2)]), submitted(writer, [a_thumb(2), a_thumb(2, up=False)])]
    store.gate.set()
    applied, duplicate = SignalStatus.APPLIED, SignalStatus.DUPLICATE
    first, second = await asyncio.gather(*waiting)
    assert first == (applied, applied)
    assert second == (duplicate, SignalStatus.SUPERSEDED)


@pytest.mark.usefixtures("running")
async def test_a_batch_holds_a_thousand_records_but_never_splits_a_caller(writer, store):
    first = submitted(writer, [a_thumb(0)])
    await store.begun.wait()
    sizes = (600, 400, 1, 3000, 5)
    start, waiting = 1, []
    for size in sizes:
        waiting.append(submitted(writer, [a_thumb(number) for number in range(start, start + size)]))
        start += size
    store.gate.set()
    await asyncio.gather(first, *waiting)
    assert store.batches == [1, 1000, 1, 3000, 5]


@pytest.mark.usefixtures("running")
async def test_a_caller_that_gives_up_does_not_undo_its_write(writer, store):
    waiting = submitted(writer, [a_thumb(0)])
    await store.begun.wait()
    waiting.cancel()
    store.gate.set()
    assert await submitted(writer, [a_thumb(0)]) == (SignalStatus.DUPLICATE,)


@pytest.mark.usefixtures("running")
async def test_a_full_queue_refuses_with_a_time_to_retry_and_keeps_what_it_has(writer, store):
    waiting = submitted(writer, [a_thumb(0)] * MAX_WAITING)
    with pytest.raises(OverloadedError) as refused:
        submitted(writer, [a_thumb(1)])
    assert refused.value.retry_after_s
    store.gate.set()
    assert len(await waiting) == MAX_WAITING
    assert await submitted(writer, [a_thumb(1)]) == (SignalStatus.APPLIED,)


@pytest.mark.usefixtures("running")
async def test_a_failed_write_is_told_to_everyone_in_it_and_the_state_is_to_be_read_anew(
    writer, store, parts, outcomes, log
):
    store.error = StoreUnavailableError("disk full: /secret/path")
    waiting = [submitted(writer, [a_thumb(number)]) for number in range(3)]
    store.gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [FeedbackUnavailableError] * 3
    assert all("secret" not in str(result) for result in results)
    assert parts.namespace.stale
    assert outcomes == [False]
    assert log.events[-1]["event"] == "write_failed"


@pytest.mark.usefixtures("running")
async def test_writes_that_fail_are_logged_once_and_so_is_their_end_whoever_sees_it(writer, store, log):
    store.gate.set()
    for end in (writer.recover, None):
        store.error = StoreUnavailableError("no answer")
        for number in range(3):
            with pytest.raises(FeedbackUnavailableError):
                await submitted(writer, [a_thumb(number)])
        store.error = None
        if end:
            end()
        for number in range(2):
            await submitted(writer, [a_thumb(number)])
    assert [event["event"] for event in log.events] == ["write_failed", "write_recovered"] * 2


@pytest.mark.usefixtures("running")
async def test_whoever_came_while_a_store_did_not_answer_does_not_wait_for_it_once_more(writer, store, outcomes):
    store.error = StoreUnavailableError("no answer")
    first = submitted(writer, [a_thumb(0)])
    await store.begun.wait()
    others = [submitted(writer, [a_thumb(number)]) for number in range(1, 5)]
    store.gate.set()
    results = await asyncio.gather(first, *others, return_exceptions=True)
    assert [type(result) for result in results] == [FeedbackUnavailableError] * 5
    assert outcomes == [False]


@pytest.mark.usefixtures("running")
async def test_writing_goes_on_after_a_failure(writer, store, outcomes):
    store.error = StoreUnavailableError("busy")
    store.gate.set()
    with pytest.raises(FeedbackUnavailableError):
        await submitted(writer, [a_thumb(0)])
    store.error = None
    assert await submitted(writer, [a_thumb(0)]) == (SignalStatus.APPLIED,)
    assert outcomes == [False, True]


async def test_a_crash_answers_who_waits_is_logged_and_counted_and_the_task_starts_anew(
    writer, store, parts, log, monkeypatch
):
    monkeypatch.setattr("server.supervision.RESTART_AFTER_S", 0.0)
    crashed = []
    task = asyncio.create_task(
        supervised("writer", writer.run, parts.metrics, log.logger, lambda: crashed.append(True))
    )
    store.error = RuntimeError("a defect")
    store.gate.set()
    with pytest.raises(FeedbackUnavailableError):
        await submitted(writer, [a_thumb(0)])
    store.error = None
    assert await submitted(writer, [a_thumb(1)]) == (SignalStatus.APPLIED,)
    writer.close()
    await task
    assert crashed == [True]
    assert [event["event"] for event in log.events] == ["task_crashed"]
    assert parts.metrics.registry.get_sample_value("routeward_task_failures_total", {"task": "writer"}) == 1.0


async def test_closing_writes_what_waits_and_refuses_what_comes(writer, store):
    waiting = [submitted(writer, [a_thumb(number)]) for number in range(5)]
    writer.close()
    store.gate.set()
    with pytest.raises(ShuttingDownError):
        submitted(writer, [a_thumb(9)])
    await writer.run()
    assert [*await asyncio.gather(*waiting)] == [(SignalStatus.APPLIED,)] * 5


async def test_a_closed_writer_with_nothing_to_do_returns(writer):
    writer.close()
    await writer.run()


@pytest.mark.usefixtures("running")
async def test_the_depth_of_the_queue_is_shown(writer, store, parts):
    submitted(writer, [a_thumb(0), a_thumb(1)])
    await store.begun.wait()
    submitted(writer, [a_thumb(2), a_thumb(3), a_thumb(4)])
    assert parts.metrics.registry.get_sample_value("routeward_write_queue_depth") == 3.0


@pytest.mark.usefixtures("running")
async def test_a_report_that_cannot_be_made_is_refused_alone(writer, store):
    def refuse():
        raise FeedbackUnavailableError(7.0)

    first, second, third = submitted(writer, [a_thumb(1)]), writer.submit(1, refuse), submitted(writer, [a_thumb(2)])
    store.gate.set()
    with pytest.raises(FeedbackUnavailableError) as refused:
        await second
    assert refused.value.retry_after_s == 7.0
    assert [*await asyncio.gather(first, third)] == [(SignalStatus.APPLIED,)] * 2


@pytest.mark.usefixtures("running")
async def test_a_defect_in_making_a_report_reaches_its_caller_and_no_other(writer, store):
    first, second = writer.submit(1, lambda: 1 / 0), submitted(writer, [a_thumb(1)])
    store.gate.set()
    with pytest.raises(ZeroDivisionError):
        await first
    assert await second == (SignalStatus.APPLIED,)


@pytest.mark.usefixtures("running")
async def test_who_gave_up_while_waiting_is_written_all_the_same(writer, store):
    first = submitted(writer, [a_thumb(0)])
    await store.begun.wait()
    given_up = [submitted(writer, [a_thumb(number)]) for number in (1, 2)]
    await asyncio.sleep(0)
    for one in given_up:
        one.cancel()
    store.gate.set()
    await first
    assert await submitted(writer, [a_thumb(1), a_thumb(2)]) == (SignalStatus.DUPLICATE,) * 2


@pytest.mark.usefixtures("running")
async def test_sums_that_are_full_are_no_failure_of_the_store(writer, store, outcomes):
    store.error = SumsOverflowError("full")
    store.gate.set()
    with pytest.raises(FeedbackUnavailableError):
        await submitted(writer, [a_thumb(0)])
    assert outcomes == []
