"""What was billed counts exactly once, and equals the bills of the signals, always."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.ledger import Discrepancy
from adapters.memory import MemoryStore
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Outcome, Status, Thumb
from bandit.spend import Bill, SpendKey, Tally
from bandit.votes import SignalStatus

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DECIDED_US = 480_000 * HOUR_US
KEY = SpendKey("chat", "thrifty", True, DECIDED_US // MINUTE_US)
OK = Outcome(Status.OK, 1_000_000)
BILL = Bill("thrifty", True, 5_000)


async def spend(store, namespace="acme", **options):
    return (await store.load(namespace, **options)).spend


async def test_a_bill_counts_with_its_outcome_and_not_again_when_it_is_repeated(store, a_signal, kept):
    outcome = a_signal(OK, bill=BILL)
    written = await store.write([outcome])
    assert written.changes["acme"].spend == {KEY: Tally(1, 5_000)}
    assert (await store.write([outcome, outcome])).changes["acme"].spend == {}
    assert await spend(store) == {KEY: Tally(1, 5_000)}
    assert await kept(store) == [outcome]
    assert await store.verify() == {}


async def test_what_has_no_bill_leaves_no_trace_in_the_spend(store, a_signal):
    written = await store.write([a_signal(OK), a_signal(Thumb(True))])
    assert written.changes["acme"].spend == await spend(store) == {}


async def test_an_amended_bill_replaces_the_earlier_one(store, a_signal):
    outcome = a_signal(OK, bill=BILL)
    amended = outcome._replace(
        fact=OK._replace(latency_us=7), observed_us=outcome.observed_us + 1, bill=BILL._replace(nano_usd=800)
    )
    await store.write([outcome])
    assert (await store.write([amended])).changes["acme"].spend == {KEY: Tally(0, -4_200)}
    assert await spend(store) == {KEY: Tally(1, 800)}
    assert (await store.write([outcome])).statuses == (SignalStatus.SUPERSEDED,)
    assert await spend(store) == {KEY: Tally(1, 800)}
    assert await store.verify() == {}


async def test_a_retraction_takes_the_bill_back_and_a_later_outcome_pays_anew(store, a_signal):
    outcome = a_signal(OK, bill=BILL)
    retracted = outcome._replace(fact=None, bill=None, observed_us=outcome.observed_us + 1)
    await store.write([outcome])
    assert (await store.write([retracted])).changes["acme"].spend == {KEY: Tally(-1, -5_000)}
    assert await spend(store) == {}
    await store.write([outcome._replace(observed_us=outcome.observed_us + 2)])
    assert await spend(store) == {KEY: Tally(1, 5_000)}
    assert await store.verify() == {}


@pytest.mark.parametrize("again", [None, BILL._replace(nano_usd=9_000)])
async def test_the_same_fact_told_later_keeps_the_bill_of_the_first_time(store, a_signal, kept, again):
    """Prices, or whether there are budgets, may have changed between the two."""
    outcome = a_signal(OK, bill=BILL)
    await store.write([outcome])
    later = outcome._replace(observed_us=outcome.observed_us + 1, bill=again)
    written = await store.write([later])
    assert (written.statuses, written.changes["acme"].spend) == ((SignalStatus.DUPLICATE,), {})
    assert await kept(store) == [later._replace(bill=BILL)]
    assert await store.verify() == {}


async def test_spend_is_told_apart_by_tenant_category_profile_price_and_minute(store, a_signal):
    bills = [BILL, BILL._replace(profile=""), BILL._replace(priced=False)]
    await store.write([a_signal(OK, bill=bill) for bill in bills])
    await store.write([a_signal(OK, bill=BILL, category="code"), a_signal(OK, bill=BILL, namespace="rival")])
    await store.write([a_signal(OK, bill=BILL, decided_us=DECIDED_US + MINUTE_US)])
    found = await spend(store)
    assert set(found.values()) == {Tally(1, 5_000)}
    assert len(found) == 5
    assert list(found) == sorted(found)
    assert await spend(store, "rival") == {KEY: Tally(1, 5_000)}


async def test_only_what_is_asked_for_is_loaded(store, a_signal):
    times = [DECIDED_US + minutes * MINUTE_US for minutes in range(3)]
    await store.write([a_signal(OK, bill=BILL, decided_us=time) for time in times])
    assert [key.minute for key in await spend(store, billed_since_us=times[1])] == [t // MINUTE_US for t in times[1:]]


async def test_what_was_billed_stays_when_its_signals_are_dropped(store, a_signal):
    await store.write([a_signal(OK, bill=BILL, decided_us=hour * HOUR_US) for hour in (1, 2, 3)])
    before = await spend(store)
    assert await store.retain(3 * HOUR_US) == 2
    assert await spend(store) == before
    assert await store.verify() == {}


async def test_old_minutes_are_merged_into_hours_and_late_bills_join_them(store, a_signal):
    await store.write([a_signal(OK, bill=BILL, decided_us=DECIDED_US + m * MINUTE_US) for m in (1, 2, 59, 61)])
    await store.compact(DECIDED_US + 2 * HOUR_US)
    later = KEY._replace(minute=KEY.minute + 61)
    assert await spend(store) == {KEY: Tally(3, 15_000), later: Tally(1, 5_000)}
    await store.write([a_signal(OK, bill=BILL, decided_us=DECIDED_US + 7 * MINUTE_US)])
    assert await store.verify() == {}
    await store.compact(DECIDED_US + 2 * HOUR_US)
    assert await spend(store) == {KEY: Tally(4, 20_000), later: Tally(1, 5_000)}


async def test_verify_finds_spend_that_no_bill_explains(backend, store, a_signal):
    await store.write([a_signal(OK, bill=BILL)])
    backend.plant_spend(store, "acme", KEY, Tally(2, 5_001))
    assert await store.verify() == {"acme": (Discrepancy(KEY, stored=Tally(2, 5_001), folded=Tally(1, 5_000)),)}


records = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 4), st.none() | st.integers(0, 9), st.booleans()), max_size=12
)


@settings(max_examples=30, deadline=None)
@given(records, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(records, random):
    def told(nonce, observed, usd, retracts):
        fact = None if retracts else OK._replace(cost_nano_usd=usd)
        bill = None if retracts or usd is None else Bill("", False, usd)
        decision = DecisionFacts("chat", "large", Kind.SAMPLED, DECIDED_US)
        return SignalRecord("acme", bytes([nonce]) * 12, "outcome", fact, observed, 9, decision, 0.5, bill=bill)

    async def total(batch):
        store = MemoryStore(bucket_us=HOUR_US)
        for record in batch:
            await store.write([record])
        assert await store.verify() == {}
        return (await store.load("acme")).spend

    batch = [told(*one) for one in records]
    shuffled = random.sample(batch, len(batch))
    assert asyncio.run(total(batch)) == asyncio.run(total(shuffled))
