"""What operators do to a store: repair it, take feedback back, remove a tenant, forget a rater."""

import pytest

from adapters.exclusion import Cell, Counted, Excluded, Exclusion, exclude
from bandit.signals import SCALE, Outcome, Score, Status, Thumb
from bandit.spend import Bill, SpendKey, Tally
from bandit.sums import Moments, RowKey
from bandit.votes import EXCLUDED_US, SignalStatus

HOUR_US = 3_600_000_000
DECIDED_US = 480_000 * HOUR_US
OK = Outcome(Status.OK, 1_500_000, 200_000, 120, 0, 50, 900_000)
THUMBS = RowKey("chat", "large", "quality", "thumb", 480_000)
QUALITY = Cell("acme", "chat", "large", "quality", "thumb")
POISON = Exclusion(clients=frozenset({"mallory"}))


@pytest.fixture
async def poisoned(store, a_signal):
    """A store with honest feedback, and the same with a client's lies; what each taught."""
    honest = [a_signal(Thumb(True), client="alice"), a_signal(OK, client="alice", bill=Bill("", False, 900_000))]
    await store.write(honest)
    clean = await store.load("acme")
    lies = [
        a_signal(Thumb(False), client="mallory", rater="m1"),
        a_signal(OK, client="mallory", bill=Bill("", True, 5_000_000)),
        a_signal(Score("judge", SCALE // 2), client="mallory", rater="m2", observed_us=DECIDED_US + 9),
    ]
    await store.write(lies)
    return clean, lies


async def test_excluding_a_client_leaves_the_sums_and_the_spend_of_the_others_to_the_bit(store, poisoned):
    clean, lies = poisoned
    excluded = await exclude(store, POISON)
    assert (excluded.signals, excluded.cells[QUALITY]) == (3, Counted(2, 1))
    loaded = await store.load("acme")
    assert (loaded.rows, loaded.spend) == (clean.rows, clean.spend)
    assert loaded.revision == clean.revision + 2 * len(lies)
    assert await store.verify() == {}


async def test_what_was_excluded_is_not_voted_back_by_a_repetition_an_amendment_or_a_retraction(store, poisoned):
    clean, lies = poisoned
    await exclude(store, POISON)
    later = [one._replace(observed_us=DECIDED_US + 10**15) for one in lies]
    statuses = (await store.write([*lies, *later, *(one._replace(fact=None) for one in later)])).statuses
    assert set(statuses) == {SignalStatus.SUPERSEDED}
    assert (await store.load("acme")).rows == clean.rows
    assert await store.verify() == {}


@pytest.mark.usefixtures("poisoned")
async def test_excluding_again_changes_nothing(store, kept):
    await exclude(store, POISON)
    before, records = await store.load("acme"), await kept(store)
    assert await exclude(store, POISON) == Excluded()
    assert (await store.load("acme"), await kept(store)) == (before, records)


@pytest.mark.usefixtures("poisoned")
async def test_a_dry_run_says_the_same_and_changes_nothing(store, kept):
    before, records = await store.load("acme"), await kept(store)
    tried = await exclude(store, POISON, dry_run=True)
    assert (await store.load("acme"), await kept(store)) == (before, records)
    assert tried == await exclude(store, POISON)


@pytest.mark.parametrize(
    ("exclusion", "count"),
    [
        (Exclusion(raters=frozenset({"m1"})), 1),
        (Exclusion(clients=frozenset({"mallory"}), raters=frozenset({"m2"})), 3),
        (Exclusion(clients=frozenset({"mallory"}), since_us=DECIDED_US + 3), 0),
        (Exclusion(clients=frozenset({"mallory"}), until_us=DECIDED_US + 2), 0),
        (Exclusion(since_us=DECIDED_US + 2, until_us=DECIDED_US + 3), 5),
        (Exclusion(clients=frozenset({"mallory"}), namespace="other"), 0),
        (Exclusion(clients=frozenset({"nobody"})), 0),
    ],
)
@pytest.mark.usefixtures("poisoned")
async def test_an_exclusion_covers_whom_it_names_when_it_says(store, exclusion, count):
    found = [record async for record in store.matching(exclusion)]
    assert len(found) == count == (await exclude(store, exclusion)).signals
    assert await store.verify() == {}


async def test_more_than_a_page_is_excluded(store, a_signal, kept):
    lies = [a_signal(Thumb(number % 2 == 0), client="mallory") for number in range(2500)]
    await store.write([*lies, honest := a_signal(Thumb(True), client="alice")])
    told: list[tuple[int, int]] = []
    assert (await exclude(store, POISON, progress=lambda *done: told.append(done))).signals == 2500
    assert told == [(1000, 2500), (2000, 2500), (2500, 2500)]
    assert (await store.load("acme")).rows == {THUMBS: Moments(1, SCALE, SCALE)}
    assert [record for record in await kept(store) if record.observed_us != EXCLUDED_US] == [honest]


async def test_what_dropped_signals_taught_stays_when_the_rest_is_excluded(store, a_signal):
    old, late = (a_signal(Thumb(False), client="mallory", decided_us=DECIDED_US + at) for at in (0, HOUR_US))
    await store.write([old, late])
    await store.retain(DECIDED_US + 1)
    assert (await exclude(store, POISON)).signals == 1
    assert (await store.load("acme")).rows == {THUMBS: Moments(1, 0, 0)}
    assert await store.verify() == {}


async def test_what_retention_is_faster_to_drop_is_not_told_as_taken_back(store, a_signal, monkeypatch):
    await store.write([a_signal(Thumb(False), client="mallory", decided_us=DECIDED_US + at) for at in (0, HOUR_US)])
    found = store.matching

    async def overtaken(exclusion):
        async for record in found(exclusion):
            yield record
        await store.retain(DECIDED_US + 1)

    monkeypatch.setattr(store, "matching", overtaken)
    assert await exclude(store, POISON) == Excluded(1, {QUALITY: Counted(2, 1)})


async def test_a_repair_makes_the_sums_and_the_spend_those_of_the_log(store, a_signal, backend):
    await store.write([a_signal(Thumb(True)), a_signal(OK, bill=Bill("", False, 900_000))])
    sound = await store.load("acme")
    backend.plant(store, "acme", THUMBS, Moments(7, 3, 3))
    backend.plant(store, "acme", THUMBS._replace(model="small"), Moments(1, 1, 1))
    backend.plant_spend(store, "acme", SpendKey("chat", "", False, DECIDED_US // 60_000_000), Tally(3, 1))
    differing = await store.verify()
    assert len(differing["acme"]) == 3
    assert await store.repair() == differing
    assert await store.verify() == {}
    repaired = await store.load("acme")
    assert (repaired.rows, repaired.spend, repaired.revision) == (sound.rows, sound.spend, sound.revision + 1)


async def test_a_sound_store_is_left_alone_by_a_repair(store, a_signal):
    await store.write([a_signal(Thumb(True))])
    before = await store.load("acme")
    assert await store.repair() == {}
    assert await store.load("acme") == before


async def test_a_store_is_repaired_on_the_grid_that_it_was_compacted_to(store, a_signal, backend):
    await store.write([a_signal(Thumb(True), decided_us=DECIDED_US + at * HOUR_US) for at in range(40)])
    await store.compact(DECIDED_US + 400 * HOUR_US)
    key = next(iter((await store.load("acme")).rows))
    backend.plant(store, "acme", key, Moments(1, 1, 1))
    assert len((await store.repair())["acme"]) == 1
    assert await store.verify() == {}


async def test_a_namespace_is_removed_whole_and_the_others_stay(store, a_signal, a_decision, kept):
    await store.write([a_signal(OK, bill=Bill("", False, 900_000)), a_signal(Thumb(True), namespace="other")])
    await store.write([a_signal(OK, decided_us=DECIDED_US - HOUR_US, bill=Bill("", False, 1))])
    await store.retain(DECIDED_US)
    await store.log_decisions(
        [a_decision._replace(decided_us=DECIDED_US, namespace=name) for name in ("acme", "other")]
    )
    for name in ("acme", "other"):
        await store.add_categories(name, ["chat"], managed_by="auto")
    other = await store.load("other")
    await store.remove_namespace("acme", time_us=5)
    assert await store.namespaces() == ("other",)
    assert await store.load("acme") == type(other)()
    assert await store.load("other") == other
    assert {record.namespace for record in await kept(store)} == {"other"}
    assert [record.namespace async for record in store.decisions()] == ["other"]
    assert await store.verify() == {}


async def test_a_rater_is_forgotten_and_what_was_said_still_counts(store, a_signal, kept):
    await store.write([a_signal(Thumb(True), rater=rater) for rater in ("ann", "ann", "bob")])
    await store.write([a_signal(Thumb(True), rater="ann", namespace="other")])
    before = await store.load("acme")
    assert await store.erase_rater("acme", "ann") == 2
    assert await store.load("acme") == before
    assert [(record.namespace, record.rater) for record in await kept(store)] == [
        ("acme", ""),
        ("acme", ""),
        ("acme", "bob"),
        ("other", "ann"),
    ]
    assert await store.erase_rater("acme", "ann") == 0
