"""Snapshots follow the sums, whatever happens to writes."""

import asyncio
from dataclasses import replace

import pytest

from adapters.ledger import StoreUnavailableError
from bandit.posterior import infer
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Outcome, Status, Thumb
from bandit.sums import Sums, add_rows, at, with_axes
from server.editions import Edition

BUCKET_US = 10_000_000
CATEGORIES = ("chat", "code")


def a_signal(number, parts, fact=None):
    model = parts.settings.catalogue.models[number % 3].id
    fact = fact or (Thumb(number % 3 == 0) if number % 2 else Outcome(Status.OK, 800_000 + number, None, 900, None, 50))
    return SignalRecord(
        namespace="acme",
        nonce=number.to_bytes(12, "big"),
        signal=fact.signal,
        fact=fact,
        observed_us=parts.clock(),
        received_us=parts.clock(),
        decision=DecisionFacts(CATEGORIES[number % 2], model, Kind.SAMPLED, parts.clock(), 1000),
        propensity=0.5,
    )


async def write(parts, *records, apply=True):
    written = await parts.store.write(records)
    if apply:
        parts.namespace.apply(written.changes["acme"])


async def folded(parts) -> Sums:
    """The sums as a start from the store would have them."""
    stored = await parts.store.load("acme")
    sums = add_rows(Sums.empty(BUCKET_US, parts.clock()), stored.rows)
    return at(with_axes(sums, (), [model.id for model in parts.settings.catalogue.models]), parts.clock())


async def test_sums_grown_change_by_change_equal_those_read_from_the_store(parts):
    for number in range(0, 60, 3):
        await write(parts, *(a_signal(number + i, parts) for i in range(3)))
        if number % 9 == 0:
            await parts.publisher.refresh(parts.namespace)
        parts.clock.pass_s(17)
    await parts.publisher.refresh(parts.namespace)
    expected = await folded(parts)
    assert parts.namespace.sums.rows() == expected.rows()
    posterior = parts.namespace.published.snapshot.posterior
    again = infer(expected, posterior.now_us, parts.settings.learning.inference)
    assert posterior.quality.mean.tobytes() == again.quality.mean.tobytes()
    assert posterior.latency.variance.tobytes() == again.latency.variance.tobytes()


async def test_the_snapshot_says_how_many_signals_and_which_configuration_it_was_made_from(parts):
    await write(parts, a_signal(0, parts), a_signal(1, parts))
    await parts.publisher.refresh(parts.namespace)
    snapshot = parts.namespace.published.snapshot
    assert (snapshot.revision, snapshot.config_hash, snapshot.posterior.now_us) == (2, "c0ffee", parts.clock())


async def test_after_a_failed_write_the_state_is_read_from_the_store(parts):
    await write(parts, a_signal(0, parts))
    await parts.publisher.refresh(parts.namespace)
    await write(parts, a_signal(1, parts), apply=False)
    parts.namespace.stale = True
    await write(parts, a_signal(2, parts))
    await parts.publisher.refresh(parts.namespace)
    assert parts.namespace.sums.rows() == (await folded(parts)).rows()
    assert parts.namespace.published.snapshot.revision == 3
    assert not parts.namespace.stale


async def test_what_is_written_while_the_store_is_read_counts_once(parts):
    await write(parts, a_signal(0, parts))
    parts.namespace.stale = True
    refreshing = asyncio.create_task(parts.publisher.refresh(parts.namespace))
    for number in range(1, 30):
        await write(parts, a_signal(number, parts))
        await asyncio.sleep(0)
    await refreshing
    await parts.publisher.refresh(parts.namespace)
    assert parts.namespace.sums.rows() == (await folded(parts)).rows()
    assert parts.namespace.published.snapshot.revision == parts.namespace.revision == 30


async def test_a_store_that_cannot_be_read_leaves_the_last_snapshot_in_place(parts, monkeypatch):
    before = parts.namespace.published

    async def fail(_namespace, **_options):
        raise StoreUnavailableError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(parts.store, "load", fail)
        parts.namespace.stale = True
        with pytest.raises(StoreUnavailableError):
            await parts.publisher.refresh(parts.namespace)
    assert parts.namespace.published is before
    assert parts.namespace.stale
    await parts.publisher.refresh(parts.namespace)
    assert not parts.namespace.stale


async def test_categories_are_remembered_over_a_restart(parts):
    await parts.store.add_categories("acme", ["poetry"], managed_by="request")
    await write(parts, a_signal(1, parts), apply=False)
    parts.namespace.stale = True
    await parts.publisher.refresh(parts.namespace)
    assert {"poetry", "code", "chat", "default"} <= parts.namespace.categories


async def test_the_loop_publishes_what_changed_and_outlives_a_store_that_does_not_answer(parts, monkeypatch, log):
    await write(parts, a_signal(0, parts))
    parts.namespace.stale = True
    load, failures = parts.store.load, iter([True])

    async def fail_once(namespace, **options):
        if next(failures, False):
            raise StoreUnavailableError("gone")
        return await load(namespace, **options)

    monkeypatch.setattr(parts.store, "load", fail_once)
    monkeypatch.setattr(parts.publisher, "_learning", replace(parts.settings.learning, refresh_s=0.001))
    refresh, published = parts.publisher.refresh, asyncio.Event()

    async def refresh_and_tell(namespace):
        await refresh(namespace)
        published.set()

    monkeypatch.setattr(parts.publisher, "refresh", refresh_and_tell)
    running = asyncio.create_task(parts.publisher.run())
    await published.wait()
    running.cancel()
    assert parts.namespace.published.snapshot.revision == 1
    assert [event["event"] for event in log.events] == ["read_failed"]


async def test_a_snapshot_is_due_when_signals_came_or_a_time_bucket_closed(parts):
    due = parts.publisher._is_due
    assert not due(parts.namespace)
    parts.clock.pass_s(100)
    assert not due(parts.namespace)
    await write(parts, a_signal(0, parts))
    assert due(parts.namespace)
    await parts.publisher.refresh(parts.namespace)
    assert not due(parts.namespace)
    parts.clock.pass_s(10)
    assert due(parts.namespace)


async def test_feedback_of_one_tenant_leaves_every_byte_of_another_as_it_was(parts_of):
    parts = await parts_of("acme", "globex")
    other = parts.publisher.namespaces["globex"]
    before = other.published.snapshot.posterior, other.sums
    await write(parts, *(a_signal(number, parts) for number in range(50)))
    for namespace in parts.publisher.namespaces.values():
        await parts.publisher.refresh(namespace)
    after = other.published.snapshot.posterior, other.sums
    assert before[0].quality.mean.tobytes() == after[0].quality.mean.tobytes()
    assert before[1].moments.tobytes() == after[1].moments.tobytes()
    assert other.published.snapshot.revision == 0


async def test_score_names_of_the_configuration_are_reserved(parts):
    sources = {"chat": "score:tests", "code": "thumb", "mail": "thumb+score:judge"}
    inference = replace(parts.settings.learning.inference, quality_sources=sources)
    learning = replace(parts.settings.learning, inference=inference)
    await parts.publisher.load(["globex"], {"globex": Edition(parts.settings.catalogue, learning)})
    assert parts.publisher.namespaces["globex"].score_names == {"tests", "judge"}


async def test_rows_of_a_clock_that_was_ahead_age_nothing_else(parts):
    ahead = parts.clock() + 365 * 86_400_000_000
    await write(parts, a_signal(0, parts))
    ahead_signal = a_signal(1, parts)
    await write(parts, ahead_signal._replace(decision=ahead_signal.decision._replace(decided_us=ahead)), apply=False)
    parts.namespace.stale = True
    await parts.publisher.refresh(parts.namespace)
    sums = parts.namespace.sums
    assert sums.now == parts.clock() // sums.bucket_us
    stored = await parts.store.load("acme")
    assert int(sums.moments[0].sum()) == sum(moments.n for moments in stored.rows.values())
