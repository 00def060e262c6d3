"""Sums equal what was dropped plus the fold of what is kept, always."""

from collections.abc import Mapping

import pytest

from adapters.ledger import Discrepancy
from bandit.errors import SumsOverflowError
from bandit.signals import SCALE, Outcome, Status, Thumb
from bandit.sums import MAX_COUNT, Moments, RowKey, Sums, add_rows
from bandit.votes import SignalStatus

UP, DOWN = Thumb(True), Thumb(False)
HOUR_US = 3_600_000_000
DECIDED_US = 480_000 * HOUR_US
KEY = RowKey("chat", "large", "quality", "thumb", 480_000)


async def test_nothing_is_known_of_an_unknown_namespace(store):
    loaded = await store.load("nobody")
    assert (loaded.revision, loaded.rows, loaded.categories) == (0, {}, ())


async def test_rows_are_loaded_in_sorted_order(store, a_signal):
    await store.write([a_signal(UP, model=model, decided_us=9 * HOUR_US) for model in ("small", "large", "medium")])
    await store.write([a_signal(UP, model="medium", decided_us=hour * HOUR_US) for hour in (7, 8)])
    rows = list((await store.load("acme")).rows)
    assert rows == sorted(rows)
    assert [(key.model, key.bucket) for key in rows] == [
        ("large", 9),
        ("medium", 7),
        ("medium", 8),
        ("medium", 9),
        ("small", 9),
    ]


async def test_what_a_write_returns_adds_up_to_what_is_loaded(store, a_signal):
    first = await store.write([a_signal(UP), a_signal(Outcome(Status.OK, 1_000_000, output_tokens=10))])
    second = await store.write([a_signal(DOWN), a_signal(Outcome(Status.ERROR))])
    total = dict(first.changes["acme"].rows)
    for key, moments in second.changes["acme"].rows.items():
        total[key] = total.get(key, Moments(0, 0, 0)) + moments
    assert (await store.load("acme")).rows == total


async def test_verify_finds_nothing_in_an_honest_store(store, a_signal):
    await store.write([a_signal(fact, namespace=name) for fact in (UP, DOWN) for name in ("acme", "rival")])
    assert await store.verify() == {}


async def test_verify_finds_a_row_that_was_changed(backend, store, a_signal):
    await store.write([a_signal(UP), a_signal(UP, namespace="rival")])
    backend.plant(store, "acme", KEY, Moments(2, SCALE, SCALE))
    expected = Discrepancy(KEY, stored=Moments(2, SCALE, SCALE), folded=Moments(1, SCALE, SCALE))
    assert await store.verify() == {"acme": (expected,)}


async def test_verify_finds_a_row_that_no_signal_explains(backend, store):
    backend.plant(store, "acme", KEY, Moments(1, 0, 0))
    assert await store.verify() == {"acme": (Discrepancy(KEY, Moments(1, 0, 0), Moments(0, 0, 0)),)}


async def test_what_is_dropped_stays_learned_and_verifiable(store, a_signal, kept):
    old = [a_signal(UP, decided_us=hour * HOUR_US) for hour in (1, 2)]
    young = a_signal(DOWN, decided_us=3 * HOUR_US)
    retracted = a_signal(None, signal="thumb", decided_us=2 * HOUR_US)
    await store.write([*old, young, retracted, a_signal(UP, namespace="rival", decided_us=0)])
    before = await store.load("acme")
    assert await store.retain(3 * HOUR_US) == 4
    assert await kept(store) == [young]
    assert await store.load("acme") == before
    assert await store.verify() == {}
    assert await store.retain(3 * HOUR_US) == 0


async def test_a_cell_that_was_dropped_from_goes_on_learning(store, a_signal):
    for later, thumb in enumerate((UP, UP, DOWN)):
        await store.retain(DECIDED_US + later)
        await store.write([a_signal(thumb, decided_us=DECIDED_US + later)])
    assert (await store.load("acme")).rows == {KEY: Moments(3, 2 * SCALE, 2 * SCALE)}
    assert await store.verify() == {}


async def test_what_was_dropped_is_not_counted_again_when_it_is_repeated(store, a_signal):
    """A clock that ran ahead drops what is still valid once it is set right."""
    vote = a_signal(UP)
    await store.write([vote])
    before = await store.load("acme")
    await store.retain(DECIDED_US + 30 * 24 * HOUR_US)
    assert (await store.write([vote])).statuses == (SignalStatus.SUPERSEDED,)
    assert await store.load("acme") == before
    assert await store.verify() == {}


async def test_many_old_signals_are_dropped_in_pieces_that_add_up(store, a_signal, kept):
    records = [a_signal(UP, decided_us=i // 7 * HOUR_US) for i in range(4500)]
    await store.write(records)
    before = await store.load("acme")
    assert await store.retain(600 * HOUR_US) == 4200
    assert await kept(store) == records[4200:]
    assert await store.load("acme") == before
    assert await store.verify() == {}


async def test_many_decisions_of_one_instant_are_dropped_too(store, a_signal, kept):
    await store.write([a_signal(UP, decided_us=HOUR_US) for _ in range(2100)])
    assert await store.retain(2 * HOUR_US) == 2100
    assert await kept(store) == []
    assert await store.verify() == {}


async def test_a_cell_holds_its_largest_count_and_refuses_one_more(backend, store, a_signal, kept):
    backend.plant(store, "acme", KEY, Moments(MAX_COUNT - 1, 0, 0))
    assert (await store.write([a_signal(UP)])).statuses == (SignalStatus.APPLIED,)
    before, stored = await store.load("acme"), await kept(store)
    with pytest.raises(SumsOverflowError, match="more than 10000000000"):
        await store.write([a_signal(DOWN, namespace="rival"), a_signal(UP)])
    assert await store.load("acme") == before
    assert await kept(store) == stored
    assert await store.namespaces() == ("acme",)


async def test_compaction_leaves_few_rows_that_lay_out_to_the_same_sums(store, a_signal):
    hours = range(0, 2000, 3)
    await store.write([a_signal(UP, decided_us=hour * HOUR_US) for hour in hours])
    now_us = 2000 * HOUR_US
    before = await store.load("acme")
    await store.compact(now_us)
    after = await store.load("acme")
    assert len(after.rows) < 50 < len(before.rows)
    assert after.revision == before.revision
    for later_us in (now_us, now_us + 777 * HOUR_US):
        assert laid_out(after.rows, later_us) == laid_out(before.rows, later_us)
    assert await store.verify() == {}


def laid_out(rows: Mapping[RowKey, Moments], now_us: int) -> Mapping[RowKey, Moments]:
    return add_rows(Sums.empty(HOUR_US, now_us), rows).rows()


async def test_what_comes_late_after_compaction_is_counted_and_verifiable(store, a_signal):
    thumbs = [a_signal(UP, decided_us=hour * HOUR_US) for hour in range(100)]
    await store.write(thumbs)
    await store.compact(100 * HOUR_US)
    late = [a_signal(DOWN, decided_us=7 * HOUR_US), a_signal(UP, decided_us=120 * HOUR_US)]
    retractions = [thumb._replace(fact=None, observed_us=thumb.observed_us + 1) for thumb in thumbs[20:60]]
    await store.write([*late, *retractions])
    assert await store.verify() == {}
    assert sum(moments.n for moments in (await store.load("acme")).rows.values()) == 62
    await store.retain(50 * HOUR_US)
    await store.compact(50 * HOUR_US)
    await store.compact(200 * HOUR_US)
    assert await store.verify() == {}
    assert sum(moments.n for moments in (await store.load("acme")).rows.values()) == 62


async def test_compaction_removes_rows_that_cancelled_out(store, a_signal):
    thumb = a_signal(UP)
    await store.write([thumb])
    await store.write([thumb._replace(fact=None, observed_us=thumb.observed_us + 1)])
    await store.compact(thumb.decision.decided_us)
    assert (await store.load("acme")).rows == {}
    assert await store.verify() == {}


async def test_verify_finds_a_changed_row_after_compaction(backend, store, a_signal):
    await store.write([a_signal(UP, decided_us=hour * HOUR_US) for hour in range(100)])
    await store.compact(100 * HOUR_US)
    first = min((await store.load("acme")).rows)
    backend.plant(store, "acme", first, Moments(1, 0, 0))
    assert [found.key for found in (await store.verify())["acme"]] == [first]


async def test_the_newest_decision_is_known_from_signals_and_decisions(store, a_signal):
    assert await store.newest_us() is None
    await store.write([a_signal(UP, decided_us=HOUR_US), a_signal(UP, decided_us=3 * HOUR_US)])
    assert await store.newest_us() == 3 * HOUR_US


async def test_a_clock_that_is_wrong_by_a_year_drops_a_day_at_most(store, a_signal, kept):
    day_us = 24 * HOUR_US
    signals = [a_signal(UP, decided_us=DECIDED_US + number * day_us) for number in range(5)]
    await store.write(signals)
    await store.retain(DECIDED_US)
    assert await store.retain(DECIDED_US + 365 * day_us) == 1
    assert await kept(store) == signals[1:]
    again = await store.write(signals)
    assert again.statuses == (SignalStatus.SUPERSEDED, *[SignalStatus.DUPLICATE] * 4)
    assert await store.retain(DECIDED_US + 365 * day_us) == 1
    assert await store.verify() == {}


async def test_after_a_mark_before_all_time_what_is_amended_is_counted_too(store, a_signal):
    first = a_signal(UP)
    await store.write([first])
    await store.retain(-HOUR_US)
    await store.write([first._replace(fact=DOWN, observed_us=first.observed_us + 1)])
    assert await store.verify() == {}
    assert (await store.load("acme")).rows[KEY] == Moments(1, 0, 0)
