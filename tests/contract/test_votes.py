"""What a store makes of signals: each counts once, whatever is sent how often in which order."""

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from bandit.records import SignalRecord
from bandit.signals import SCALE, DecisionFacts, Fact, Kind, Outcome, Score, Status, Thumb
from bandit.sums import Moments, RowKey
from bandit.votes import SignalStatus

APPLIED, AMENDED, RETRACTED, DUPLICATE, SUPERSEDED, _ = SignalStatus
UP, DOWN = Thumb(True), Thumb(False)
HOUR_US = 3_600_000_000


def quality(source: str = "thumb") -> RowKey:
    return RowKey("chat", "large", "quality", source, 480_000)


async def test_a_first_signal_is_applied_and_counted(store, a_signal, kept):
    thumb = a_signal(UP)
    written = await store.write([thumb])
    assert written.statuses == (APPLIED,)
    assert written.changes["acme"].revision == 1
    assert written.changes["acme"].rows == {quality(): Moments(1, SCALE, SCALE)}
    assert (await store.load("acme")).rows == written.changes["acme"].rows
    assert await kept(store) == [thumb]


async def test_a_retry_of_the_same_signal_changes_nothing(store, a_signal):
    thumb = a_signal(UP)
    await store.write([thumb])
    before = await store.load("acme")
    retried = await store.write([thumb])
    assert retried.statuses == (DUPLICATE,)
    assert retried.changes["acme"].rows == {}
    assert retried.changes["acme"].revision == 1
    assert await store.load("acme") == before


async def test_a_later_signal_amends_the_earlier_one(store, a_signal, kept):
    thumb = a_signal(UP)
    amended = thumb._replace(fact=DOWN, observed_us=thumb.observed_us + 1)
    await store.write([thumb])
    written = await store.write([amended])
    assert written.statuses == (AMENDED,)
    assert written.changes["acme"].rows == {quality(): Moments(0, -SCALE, -SCALE)}
    assert (await store.load("acme")).rows == {quality(): Moments(1, 0, 0)}
    assert await kept(store) == [amended]


async def test_an_earlier_signal_that_comes_late_is_superseded(store, a_signal, kept):
    thumb = a_signal(UP)
    await store.write([thumb])
    written = await store.write([thumb._replace(fact=DOWN, observed_us=thumb.observed_us - 1)])
    assert written.statuses == (SUPERSEDED,)
    assert written.changes["acme"].rows == {}
    assert await kept(store) == [thumb]


async def test_the_same_fact_observed_later_is_a_duplicate_whose_time_is_kept(store, a_signal, kept):
    thumb = a_signal(UP)
    later = thumb._replace(observed_us=thumb.observed_us + 1)
    await store.write([thumb])
    assert (await store.write([later])).statuses == (DUPLICATE,)
    assert await kept(store) == [later]
    assert (await store.load("acme")).revision == 1


async def test_a_retraction_leaves_no_trace_in_the_sums(store, a_signal):
    thumb = a_signal(UP)
    await store.write([thumb])
    written = await store.write([thumb._replace(fact=None, observed_us=thumb.observed_us + 1)])
    assert written.statuses == (RETRACTED,)
    loaded = await store.load("acme")
    assert loaded.rows == {}
    assert loaded.revision == 2


async def test_a_retraction_that_overtakes_its_signal_still_wins(store, a_signal):
    thumb = a_signal(UP)
    retraction = thumb._replace(fact=None, observed_us=thumb.observed_us + 1)
    assert (await store.write([retraction])).statuses == (RETRACTED,)
    assert (await store.write([thumb])).statuses == (SUPERSEDED,)
    assert (await store.load("acme")).rows == {}


async def test_a_retracted_signal_can_be_said_anew(store, a_signal):
    thumb = a_signal(UP)
    await store.write([thumb])
    await store.write([thumb._replace(fact=None, observed_us=thumb.observed_us + 1)])
    written = await store.write([thumb._replace(fact=DOWN, observed_us=thumb.observed_us + 2)])
    assert written.statuses == (APPLIED,)
    assert (await store.load("acme")).rows == {quality(): Moments(1, 0, 0)}


async def test_repeats_within_one_batch_are_resolved_in_order(store, a_signal, kept):
    first = a_signal(UP)
    amended = first._replace(fact=DOWN, observed_us=first.observed_us + 2)
    late = first._replace(observed_us=first.observed_us + 1)
    written = await store.write([first, first, amended, late, a_signal(UP)])
    assert written.statuses == (APPLIED, DUPLICATE, AMENDED, SUPERSEDED, APPLIED)
    assert written.changes["acme"].revision == 3
    assert (await store.load("acme")).rows == {quality(): Moments(2, SCALE, SCALE)}
    assert len(await kept(store)) == 2


async def test_signals_of_one_decision_do_not_disturb_each_other(store, a_signal):
    thumb = a_signal(UP)
    score = thumb._replace(signal="score:judge", fact=Score("judge", SCALE // 2))
    outcome = thumb._replace(signal="outcome", fact=Outcome(Status.TIMEOUT))
    assert (await store.write([thumb])).statuses == (APPLIED,)
    assert (await store.write([score, outcome])).statuses == (APPLIED, APPLIED)
    assert (await store.load("acme")).rows == {
        RowKey("chat", "large", "error", "", 480_000): Moments(1, SCALE, SCALE),
        quality("score:judge"): Moments(1, SCALE // 2, SCALE // 4),
        quality(): Moments(1, SCALE, SCALE),
    }


async def test_namespaces_are_apart_even_for_the_same_decision(store, a_signal):
    ours = a_signal(UP)
    theirs = ours._replace(namespace="rival", fact=DOWN)
    written = await store.write([ours, theirs])
    assert written.statuses == (APPLIED, APPLIED)
    assert {name: change.revision for name, change in written.changes.items()} == {"acme": 1, "rival": 1}
    assert (await store.load("acme")).rows == {quality(): Moments(1, SCALE, SCALE)}
    assert (await store.load("rival")).rows == {quality(): Moments(1, 0, 0)}


async def test_a_thumb_on_a_forced_decision_is_kept_and_teaches_nothing(store, a_signal, kept):
    thumb = a_signal(UP, kind=Kind.FORCED)
    assert (await store.write([thumb])).statuses == (APPLIED,)
    assert (await store.load("acme")).rows == {}
    assert await kept(store) == [thumb]


async def test_late_feedback_lands_where_the_decision_was_made(store, a_signal):
    await store.write([a_signal(UP, decided_us=7 * HOUR_US + 1)])
    assert [key.bucket for key in (await store.load("acme")).rows] == [7]


async def test_an_empty_batch_changes_nothing(store):
    written = await store.write([])
    assert (written.statuses, written.changes) == ((), {})
    assert await store.namespaces() == ()


async def test_a_batch_larger_than_any_page_is_kept_whole(store, a_signal, kept):
    records = [a_signal(UP) for _ in range(2300)]
    assert set((await store.write(records)).statuses) == {APPLIED}
    assert set((await store.write(records)).statuses) == {DUPLICATE}
    assert await kept(store) == records


facts = st.sampled_from([None, UP, DOWN]) | st.builds(Score, st.just("judge"), st.integers(0, 3))
arrivals = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3), facts), min_size=1, max_size=10)


def about(record: SignalRecord, arrival: tuple[int, int, Fact | None]) -> SignalRecord:
    number, observed_us, fact = arrival
    signal = "thumb" if fact is None else fact.signal
    decision = DecisionFacts("chat", f"model-{number}", Kind.SAMPLED, number * HOUR_US, 10)
    return record._replace(
        nonce=bytes([number]) * 12, signal=signal, fact=fact, observed_us=observed_us, decision=decision
    )


@settings(max_examples=25)
@given(arrivals, st.randoms(use_true_random=False), st.integers(1, 4))
def test_any_order_with_repeats_in_any_batches_ends_the_same(backend, a_signal, arrivals, random, size):
    base = a_signal(UP)
    records = [about(base, arrival) for arrival in arrivals]
    shuffled = records * 2
    random.shuffle(shuffled)

    async def outcome(batches: list[list[SignalRecord]]) -> tuple[list[SignalRecord], Mapping[RowKey, Moments]]:
        async with backend.opened() as store:
            for batch in batches:
                await store.write(batch)
            assert await store.verify() == {}
            return [record async for record in store.signals()], (await store.load("acme")).rows

    async def both() -> None:
        at_once = await outcome([records])
        in_parts = await outcome([shuffled[i : i + size] for i in range(0, len(shuffled), size)])
        assert at_once == in_parts

    backend.run(both())
