"""Signals take the way over the spool while the store fails, and none is lost, counted twice or held up by another."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.ledger import StoreError, StoreUnavailableError, fold
from bandit.errors import SumsOverflowError
from bandit.records import SignalRecord
from bandit.signals import Thumb
from bandit.votes import SignalStatus, resolve
from server.errors import FeedbackUnavailableError, SpoolExhaustedError
from server.spooling import CHUNK, PROBES, TRIAL, Spooling
from server.writer import Writer
from tests.unit.server.spool_parts import BUCKET_US, START_US, FragileStore, MemorySpool, a_thumb

APPLIED, DUPLICATE, SPOOLED = SignalStatus.APPLIED, SignalStatus.DUPLICATE, SignalStatus.SPOOLED


DOWN = StoreUnavailableError("down")


@pytest.fixture
def store():
    return FragileStore()


@pytest.fixture
def spool():
    return MemorySpool()


@pytest.fixture
def outcomes():
    return []


@pytest.fixture
async def spooling(store, spool, parts, log, outcomes):
    namespaces = parts.publisher.namespaces
    return Spooling(*(store, spool, namespaces, parts.metrics, log.logger), parts.clock, lambda: 0.5, outcomes.append)


async def drained(spooling, spool):
    while spool.kept:
        assert await spooling.drain()
    assert await spooling.drain()


def sample(parts, name):
    return parts.metrics.registry.get_sample_value(f"routeward_{name}")


async def test_a_store_that_answers_is_written_to_at_once(spooling, store, spool, parts):
    assert (await spooling.write([a_thumb(1), a_thumb(1)])).statuses == (APPLIED, DUPLICATE)
    assert (spool.next, store.attempts, sample(parts, "store_up")) == (1, 1, 1.0)


async def test_while_the_store_fails_signals_are_spooled_and_it_is_not_asked_for_every_batch(spooling, store, parts):
    store.error = DOWN
    for number in range(5):
        written = await spooling.write([a_thumb(number), a_thumb(100 + number)])
        assert (written.statuses, written.changes) == ((SPOOLED, SPOOLED), {})
    assert store.attempts == 1
    assert parts.namespace.stale
    assert [sample(parts, name) for name in ("store_up", "spool_records", "spool_bytes")] == [0.0, 10.0, 1000.0]


async def test_what_is_spooled_reaches_the_store_and_what_was_learned(spooling, store, spool, parts, outcomes, log):
    store.error = DOWN
    await spooling.write([a_thumb(number) for number in range(TRIAL + CHUNK + 7)])
    assert not await spooling.drain()
    store.error = None
    assert await spooling.drain()
    assert (len(spool.kept), parts.namespace.revision, outcomes) == (7, TRIAL + CHUNK, [True, True])
    assert (await spooling.write([a_thumb(2000)])).statuses == (SPOOLED,)
    await drained(spooling, spool)
    assert (await spooling.write([a_thumb(2000)])).statuses == (DUPLICATE,)
    assert parts.namespace.revision == TRIAL + CHUNK + 8
    assert [sample(parts, name) for name in ("store_up", "spool_records", "spool_dropped_total")] == [1.0, 0.0, 0.0]
    assert [event["event"] for event in log.events] == ["store_failed", "store_recovered"]


async def test_a_store_that_stays_away_is_tried_with_a_few_signals(spooling, store, spool):
    store.error = DOWN
    await spooling.write([a_thumb(number) for number in range(CHUNK)])
    store.sizes.clear()
    assert not await spooling.drain()
    assert (store.sizes, len(spool.kept)) == ([TRIAL], CHUNK)


async def test_the_age_of_the_oldest_signal_is_shown_until_the_spool_is_empty(spooling, store, spool, parts):
    assert sample(parts, "spool_oldest_seconds") == 0.0
    store.error = DOWN
    await spooling.write([a_thumb(1)])
    parts.clock.pass_s(90.0)
    await spooling.write([a_thumb(2)])
    assert sample(parts, "spool_oldest_seconds") == 90.0
    store.error = None
    await drained(spooling, spool)
    assert sample(parts, "spool_oldest_seconds") == 0.0


async def test_a_write_whose_answer_was_lost_counts_once(spooling, store, spool):
    store.silent = True
    assert (await spooling.write([a_thumb(1)])).statuses == (SPOOLED,)
    store.silent = False
    await drained(spooling, spool)
    assert (await store.load("acme")).revision == 1
    assert await store.verify() == {}


async def test_what_an_earlier_run_left_goes_first(spooling, store, spool, parts):
    await spool.append([a_thumb(1)])
    await spooling.start()
    assert sample(parts, "spool_records") == 1.0
    assert (await spooling.write([a_thumb(1, up=False, observed_us=START_US + 1)])).statuses == (SPOOLED,)
    await drained(spooling, spool)
    (kept,) = [record async for record in store.signals()]
    assert kept.fact == Thumb(up=False)


async def test_after_a_start_with_an_empty_spool_the_store_is_written_to_at_once(spooling):
    await spooling.start()
    assert (await spooling.write([a_thumb(1)])).statuses == (APPLIED,)


@pytest.mark.parametrize("error", [SumsOverflowError("full"), StoreError("a NUL in a text")])
async def test_a_signal_that_the_store_refuses_for_good_is_dropped_alone_and_holds_nothing_up(
    spooling, store, spool, parts, log, error
):
    store.error = DOWN
    await spooling.write([a_thumb(number, rater="bad" if number in {3, 77} else "") for number in range(100)])
    store.error, store.refused = None, {"bad": error}
    await drained(spooling, spool)
    stored = {int.from_bytes(record.nonce, "big") async for record in store.signals()}
    assert stored == set(range(100)) - {3, 77}
    assert sample(parts, "spool_dropped_total") == 2.0
    dropped = [event for event in log.events if event["event"] == "spooled_signal_dropped"]
    assert [(event["decision"], event["signal"]) for event in dropped] == [
        (n.to_bytes(12, "big").hex(), "thumb") for n in (3, 77)
    ]


async def test_a_store_that_refuses_everything_costs_no_signal(spooling, store, spool, parts):
    store.error = DOWN
    await spooling.write([a_thumb(number) for number in range(10)])
    store.error = StoreError("does not accept a statement of this version")
    assert not await spooling.drain()
    assert (len(spool.kept), sample(parts, "spool_dropped_total"), sample(parts, "store_up")) == (10, 0.0, 0.0)
    store.error = None
    await drained(spooling, spool)
    assert (await store.load("acme")).revision == 10


async def test_a_store_that_refuses_everything_is_asked_of_a_few_signals_only(spooling, store, spool):
    store.error = DOWN
    await spooling.write([a_thumb(number) for number in range(CHUNK)])
    store.error, store.attempts = StoreError("does not accept a statement of this version"), 0
    assert not await spooling.drain()
    assert (len(spool.kept), store.attempts) == (CHUNK, 2 + PROBES)


async def test_signals_that_the_store_refuses_for_good_are_dropped_however_many_they_are(spooling, store, spool, parts):
    store.error = DOWN
    await spooling.write([a_thumb(number, rater="bad" if number < 900 else "") for number in range(CHUNK)])
    store.error, store.refused = None, {"bad": StoreError("a NUL in a text")}
    await drained(spooling, spool)
    assert (await store.load("acme")).revision == CHUNK - 900
    assert sample(parts, "spool_dropped_total") == 900.0


@pytest.mark.parametrize("error", [StoreError("damaged"), SumsOverflowError("full")])
async def test_an_error_that_does_not_pass_is_not_spooled(spooling, store, spool, error):
    store.error = error
    with pytest.raises(type(error)):
        await spooling.write([a_thumb(1)])
    assert not spool.kept


async def test_a_spool_whose_disk_fails_refuses_and_loses_nothing(spooling, store, spool, log):
    store.error = DOWN
    await spooling.write([a_thumb(1)])
    spool.broken = True
    with pytest.raises(StoreUnavailableError, match="disk of the spool"):
        await spooling.write([a_thumb(2)])
    assert not await spooling.drain()
    assert log.events[-1]["event"] == "spool_failed"
    spool.broken, store.error = False, None
    await drained(spooling, spool)
    assert (await store.load("acme")).revision == 1


@pytest.mark.parametrize("damaged", [{1}, {2}, {40, 41, 700}, {CHUNK}, {CHUNK + 20}])
async def test_what_is_damaged_is_dropped_and_all_else_reaches_the_store_also_after_a_restart(
    spooling, store, spool, parts, log, damaged
):
    await spool.append([a_thumb(number) for number in range(1, CHUNK + 21)])
    spool.damaged = damaged
    await spooling.start()
    assert spooling.diverted
    await drained(spooling, spool)
    assert not spooling.diverted
    stored = {int.from_bytes(record.nonce, "big") async for record in store.signals()}
    assert stored == set(range(1, CHUNK + 21)) - damaged
    assert sample(parts, "spool_dropped_total") == len(damaged)
    assert {event["event"] for event in log.events} == {"spooled_signal_dropped"}
    assert (await spooling.write([a_thumb(5000)])).statuses == (APPLIED,)


async def test_while_the_store_fails_nothing_but_what_is_damaged_leaves_the_spool(spooling, store, spool):
    await spool.append([a_thumb(number) for number in range(1, 5)])
    spool.damaged, store.error = {1, 3}, DOWN
    await spooling.start()
    for _ in range(3):
        assert not await spooling.drain()
    assert [place for place, _ in spool.kept] == [2, 3, 4]


async def test_a_signal_is_spooled_though_nobody_can_tell_how_much_is(spooling, store, spool, log):
    spool.immeasurable, store.error = True, DOWN
    await spooling.start()
    for number in range(3):
        assert (await spooling.write([a_thumb(number)])).statuses == (SPOOLED,)
    store.error = None
    await drained(spooling, spool)
    assert (await store.load("acme")).revision == 3
    assert [event["event"] for event in log.events] == ["spool_failed", "store_failed", "store_recovered"]


async def test_signals_of_a_tenant_that_is_no_longer_configured_reach_the_store(spooling, store, spool):
    await spool.append([a_thumb(1, namespace="gone")])
    await spooling.start()
    await drained(spooling, spool)
    assert (await store.load("gone")).revision == 1


async def test_the_task_drains_as_soon_as_the_store_is_back_and_sleeps_when_there_is_nothing(
    spooling, store, spool, monkeypatch
):
    monkeypatch.setattr("server.spooling.RETRY_EVERY_S", 0.0)
    task = asyncio.create_task(spooling.run())
    store.error = DOWN
    await spooling.write([a_thumb(1)])
    await until(lambda: store.attempts == 4)
    store.error = None
    await until(lambda: not spool.kept)
    assert not spool.kept
    attempts = store.attempts
    for _ in range(100):
        await asyncio.sleep(0)
    assert store.attempts == attempts
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_callers_that_never_pause_cannot_keep_the_spool_from_getting_empty(spooling, store, monkeypatch):
    monkeypatch.setattr("server.spooling.RETRY_EVERY_S", 0.0)
    task = asyncio.create_task(spooling.run())
    store.error = DOWN
    await spooling.write([a_thumb(0)])
    store.error = None
    statuses = [(await spooling.write([a_thumb(number)])).statuses[0] for number in range(1, 1000)]
    assert statuses[-1] is APPLIED
    assert statuses == sorted(statuses, reverse=True)
    assert (await store.load("acme")).revision == 1000
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_while_a_store_hangs_only_the_first_batch_waits_for_it(spooling, store, spool):
    await spooling.write([a_thumb(0)])
    store.error = DOWN
    await spooling.write([a_thumb(1)])
    store.hanging = asyncio.Event()
    draining = asyncio.create_task(spooling.drain())
    await until(lambda: store.waiting)
    assert (await spooling.write([a_thumb(2)])).statuses == (SPOOLED,)
    store.hanging.set()
    assert not await draining
    assert len(spool.kept) == 2


async def until(happened):
    for _ in range(10_000):
        if happened():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not happen")


async def test_a_full_spool_is_told_to_callers_with_a_time_to_retry(spooling, store, spool, parts, log, outcomes):
    writer = Writer(spooling, parts.publisher.namespaces, parts.metrics, log.logger, outcomes.append)
    spool.room, store.error = 1, DOWN
    task = asyncio.create_task(writer.run())
    assert await writer.submit(1, lambda: [a_thumb(1)]) == (("thumb", SPOOLED),)
    with pytest.raises(SpoolExhaustedError) as refused:
        await writer.submit(1, lambda: [a_thumb(2)])
    assert refused.value.retry_after_s
    spool.broken = True
    with pytest.raises(FeedbackUnavailableError):
        await writer.submit(1, lambda: [a_thumb(3)])
    assert outcomes == [True, False, False]
    writer.close()
    await task


votes = st.lists(
    st.builds(a_thumb, st.integers(0, 3), up=st.booleans(), observed_us=st.integers(START_US, START_US + 2)).map(
        lambda record: record if record.observed_us % 2 else record._replace(fact=None)
    ),
    min_size=1,
    max_size=4,
)
steps = st.lists(
    st.tuples(st.just("write"), votes)
    | st.tuples(st.sampled_from(["down", "up", "silent", "drain", "restart", "broken", "mended"]), st.none()),
    max_size=30,
)


@given(steps)
async def test_whatever_fails_when_sums_are_the_fold_of_what_was_acknowledged(parts, log, steps):
    store, spool, namespaces = FragileStore(), MemorySpool(room=12), parts.publisher.namespaces
    acknowledged, maybe = [], []

    def begun():
        return Spooling(
            *(store, spool, namespaces, parts.metrics, log.logger), parts.clock, lambda: 0.5, lambda _: None
        )

    parts.metrics.spool_oldest_seconds.set_function(lambda: 0.0)
    spooling = begun()
    for step, records in steps:
        if step == "write":
            try:
                await spooling.write(records)
                acknowledged += records
            except StoreError:
                # Not acknowledged, so it may or may not be there; who was refused says it again.
                maybe += records
        elif step == "drain":
            await spooling.drain()
        elif step == "restart" and not spool.broken:
            spooling = begun()
            await spooling.start()
        else:
            store.error = {"down": DOWN, "up": None}.get(step, store.error)
            store.silent = step == "silent" or (store.silent and step != "up")
            spool.broken = step == "broken" or (spool.broken and step != "mended")
    store.error, store.silent, spool.broken = None, False, False
    await drained(spooling, spool)
    for record in maybe:
        await spooling.write([record])
    kept: dict[bytes, SignalRecord] = {}
    for record in acknowledged + maybe:
        kept[record.nonce] = resolve(kept.get(record.nonce), record).kept
    assert (await store.load("acme")).rows == fold(kept.values(), BUCKET_US)
    assert await store.verify() == {}


async def test_what_a_store_took_as_a_trial_is_not_brought_again(spooling, store, spool):
    store.error = DOWN
    await spooling.write([a_thumb(number) for number in range(CHUNK)])
    store.error = None
    store.sizes.clear()
    assert await spooling.drain()
    assert (store.sizes, len(spool.kept)) == ([TRIAL, CHUNK - TRIAL], 0)


async def test_after_a_short_outage_figures_say_that_nothing_waits(spooling, store, spool, parts, outcomes):
    store.error = DOWN
    await spooling.write([a_thumb(number) for number in range(5)])
    store.error = None
    assert await spooling.drain()
    assert [sample(parts, name) for name in ("store_up", "spool_records", "spool_bytes")] == [1.0, 0.0, 0.0]
    assert (outcomes, spooling.diverted, len(spool.kept)) == ([True], False, 0)


async def test_a_spool_that_cannot_forget_is_told(spooling, store, spool, log):
    store.error = DOWN
    await spooling.write([a_thumb(1)])
    store.error, spool.forgets = None, False
    assert not await spooling.drain()
    assert log.events[-1]["event"] == "spool_failed"
