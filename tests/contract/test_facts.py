"""What is written is read back exactly."""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.ledger import key_of
from bandit.records import DecisionRecord, DistributionRecord, ModelForecast, SignalRecord
from bandit.signals import SCALE, DecisionFacts, Kind, Outcome, Score, Status, Thumb
from bandit.spend import Bill
from server.ports import Store

INT64 = st.integers(0, 2**63 - 1)
CHARACTERS = st.characters(exclude_categories=["Cs", "Cc"])
"""Without control characters, as the edges let texts in: PostgreSQL keeps no NUL."""
NAMES = st.text(CHARACTERS, min_size=1, max_size=64)
TEXTS = st.text(CHARACTERS, max_size=64)
NONCES = st.binary(min_size=12, max_size=12)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
PROBABILITIES = st.floats(0, 1)

unknown_or_amount = st.none() | INT64
facts = st.one_of(
    st.none(),
    st.builds(Outcome, st.sampled_from(Status), *[unknown_or_amount] * 6),
    st.builds(Thumb, st.booleans()),
    st.builds(Score, NAMES, st.integers(0, SCALE)),
)
bills = st.none() | st.builds(Bill, TEXTS, st.booleans(), st.integers(0, 10**15))
decision_facts = st.builds(DecisionFacts, NAMES, NAMES, st.sampled_from(Kind), INT64, unknown_or_amount)
signals = st.builds(
    lambda record: record._replace(signal=record.fact.signal) if record.fact else record,
    st.builds(
        SignalRecord,
        namespace=NAMES,
        nonce=NONCES,
        signal=st.sampled_from(["outcome", "thumb", "score:judge"]),
        fact=facts,
        observed_us=INT64,
        received_us=INT64,
        decision=decision_facts,
        propensity=PROBABILITIES,
        parent=st.just(b"") | NONCES,
        client=TEXTS,
        rater=TEXTS,
        bill=bills,
    ),
)
forecasts = st.builds(
    ModelForecast, PROBABILITIES, PROBABILITIES, NUMBERS, NUMBERS, PROBABILITIES, *[st.none() | NUMBERS] * 6
)
distributions = st.builds(
    DistributionRecord,
    revision=INT64,
    snapshot_us=INT64,
    config_hash=TEXTS,
    answer_value_usd=NUMBERS,
    second_value_usd=NUMBERS,
    forecasts=st.dictionaries(NAMES, forecasts, max_size=3),
    exclusions=st.dictionaries(NAMES, TEXTS, max_size=3),
    cached_model=TEXTS,
    max_cost_usd=st.none() | NUMBERS,
    max_latency_s=st.none() | NUMBERS,
    min_quality=st.none() | NUMBERS,
    intended=st.none() | st.dictionaries(NAMES, PROBABILITIES, max_size=3),
    budget_price=NUMBERS,
)
decisions = st.builds(
    DecisionRecord,
    namespace=NAMES,
    nonce=NONCES,
    decided_us=INT64,
    category=NAMES,
    model=NAMES,
    kind=st.sampled_from(Kind),
    propensity=PROBABILITIES,
    uniform=st.none() | PROBABILITIES,
    reason=TEXTS,
    profile=TEXTS,
    distribution=distributions,
    input_tokens=unknown_or_amount,
    max_output_tokens=unknown_or_amount,
    cached_input_tokens=unknown_or_amount,
    request_id=TEXTS,
    session_id=TEXTS,
    client=TEXTS,
)


def written_and_read(backend: Any, write: Callable[[Store], Any], read: Callable[[Store], Any]) -> Any:
    async def both() -> list[object]:
        async with backend.opened() as store:
            await write(store)
            return [record async for record in read(store)]

    return backend.run(both())


@settings(max_examples=40)
@given(st.lists(signals, max_size=5, unique_by=key_of))
def test_every_signal_is_read_back_exactly(backend, records):
    found = written_and_read(backend, lambda store: store.write(records), lambda store: store.signals())
    assert found == sorted(records, key=key_of)
    # Tuples of different kinds compare equal; so do True and 1.
    assert repr(found) == repr(sorted(records, key=key_of))


@settings(max_examples=40)
@given(st.lists(decisions, max_size=5, unique_by=lambda record: (record.decided_us, record.namespace, record.nonce)))
def test_every_decision_is_read_back_exactly_and_oldest_first(backend, records):
    found = written_and_read(backend, lambda store: store.log_decisions(records), lambda store: store.decisions())
    assert found == sorted(records, key=lambda record: (record.decided_us, record.namespace, record.nonce))


async def test_a_decision_that_is_logged_again_stays_as_it_was(store, a_decision):
    await store.log_decisions([a_decision])
    await store.log_decisions([a_decision._replace(model="small"), a_decision._replace(nonce=b"m" * 12)])
    await store.log_decisions([])
    assert [record async for record in store.decisions()] == [a_decision._replace(nonce=b"m" * 12), a_decision]


async def test_a_decision_is_found_by_its_key_alone(store, a_decision):
    others = (
        a_decision._replace(namespace="globex", model="small"),
        a_decision._replace(nonce=b"m" * 12, model="small"),
        a_decision._replace(decided_us=6, model="small"),
    )
    await store.log_decisions([*others, a_decision])
    assert await store.decision("acme", b"n" * 12, 5) == a_decision
    assert await store.decision("acme", b"m" * 12, 6) is None
    assert await store.decision("globex", b"m" * 12, 5) is None
    await store.retain(6)
    assert await store.decision("acme", b"n" * 12, 5) is None
    assert await store.decision("acme", b"n" * 12, 6) == others[2]


async def test_a_log_longer_than_a_page_is_read_whole(store, a_decision):
    records = [a_decision._replace(nonce=bytes([*divmod(i, 256)]) * 6, decided_us=i // 3) for i in range(2500)]
    await store.log_decisions(records)
    assert [record async for record in store.decisions()] == records


async def test_decisions_of_one_distribution_are_read_back_with_it_and_dropped_by_time(store, a_decision):
    shared = a_decision.distribution._replace(revision=8)
    records = [a_decision, *(a_decision._replace(decided_us=us, distribution=shared) for us in (6, 7, 8))]
    for record in records:
        await store.log_decisions([record])
    assert await store.retain(7) == 2
    assert [record async for record in store.decisions()] == records[2:]
    await store.log_decisions([a_decision])
    assert [record async for record in store.decisions()] == [a_decision, *records[2:]]
    assert await store.retain(9) == 3
    assert [record async for record in store.decisions()] == []


async def test_decisions_of_equal_distributions_are_logged_together_though_these_are_not_the_same(store, a_decision):
    equal = a_decision.distribution._replace(forecasts=dict(a_decision.distribution.forecasts))
    records = [a_decision, a_decision._replace(nonce=b"o" * 12, decided_us=9, distribution=equal)]
    await store.log_decisions(records)
    assert [record async for record in store.decisions()] == records
    await store.retain(6)
    assert [record async for record in store.decisions()] == records[1:]
