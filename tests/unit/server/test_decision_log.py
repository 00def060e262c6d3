"""The decision log: complete rows, written behind, dropped only when there is no room."""

import asyncio
from itertools import accumulate

import pytest

from adapters.ledger import StoreError, StoreUnavailableError
from bandit.modes import Mode
from bandit.signals import Kind
from bandit.snapshot import PolicySettings
from server.decision_log import MAX_BATCH, MAX_WAITING, DecisionLog
from server.requests import Call, Constraints


@pytest.fixture
async def decisions(parts):
    return DecisionLog(parts.store, parts.publisher.namespaces, parts.metrics, parts.log.logger)


async def logged(parts):
    return [record async for record in parts.store.decisions()]


def dropped(parts):
    return parts.metrics.registry.get_sample_value("routeward_decision_log_dropped_total")


async def test_a_row_holds_all_that_replaying_the_decision_takes(parts, decisions):
    call = Call(
        "chat",
        request_id="r-1",
        input_tokens=700,
        max_output_tokens=90,
        profile="frugal",
        constraints=Constraints(capabilities=frozenset({"tools"}), max_cost_usd=5.0, min_quality=0.1),
        session_id="s-1",
    )
    decision = parts.route(call)
    decisions.append(decision)
    await decisions.flush()
    (row,) = await logged(parts)
    drawn_from = row.distribution
    assert (row.namespace, row.nonce) == ("acme", decision.nonce)
    assert (row.category, row.model, row.kind) == ("chat", decision.model, Kind.SAMPLED)
    assert (row.propensity, row.uniform) == (decision.propensity, decision.uniform)
    assert (row.decided_us, row.reason, row.profile) == (parts.clock(), "", "frugal")
    assert (row.input_tokens, row.max_output_tokens, row.cached_input_tokens) == (700, 90, None)
    assert (row.request_id, row.session_id, row.client) == ("r-1", "s-1", "checkout")
    assert (drawn_from.snapshot_us, drawn_from.revision, drawn_from.config_hash) == (parts.clock(), 0, "c0ffee")
    assert (drawn_from.answer_value_usd, drawn_from.second_value_usd) == (0.001, 0.0)
    assert (drawn_from.max_cost_usd, drawn_from.max_latency_s, drawn_from.min_quality) == (5.0, None, 0.1)
    assert drawn_from.cached_model == ""
    assert drawn_from.exclusions == {"small": "capabilities", "retired": "disabled"}
    assert set(drawn_from.forecasts) == {"large", "other"}
    assert drawn_from.forecasts[decision.model].probability == decision.propensity
    total = sum(forecast.probability for forecast in drawn_from.forecasts.values())
    assert total == pytest.approx(1.0, abs=1e-12)


async def test_the_drawn_number_and_the_probabilities_reproduce_the_choice(parts, decisions):
    for _ in range(30):
        decisions.append(parts.route(Call("chat")))
    await decisions.flush()
    for row in await logged(parts):
        forecasts = row.distribution.forecasts
        reached = accumulate(forecast.probability for forecast in forecasts.values())
        drawn = next(model for model, total in zip(forecasts, reached, strict=True) if row.uniform < total)
        assert drawn == row.model


async def test_a_least_violation_names_the_limits_of_the_others_only(parts, decisions):
    decisions.append(parts.route(Call("chat", constraints=Constraints(max_cost_usd=1e-9, least_violation=True))))
    await decisions.flush()
    (row,) = await logged(parts)
    assert row.reason == "LEAST_VIOLATION"
    assert row.distribution.exclusions == {"large": "max_cost_usd", "other": "max_cost_usd", "retired": "disabled"}


async def test_what_the_policy_would_have_done_is_logged_where_a_baseline_is_played(parts_of):
    settings = PolicySettings(modes={"chat": Mode(baseline="large", observe_share=0.0)})
    parts = await parts_of(policy=settings)
    decisions = DecisionLog(parts.store, parts.publisher.namespaces, parts.metrics, parts.log.logger)
    for category in ("chat", "poetry"):
        decisions.append(parts.route(Call(category)))
    await decisions.flush()
    observed, plain = sorted(await logged(parts), key=lambda row: row.category)
    assert (observed.model, observed.kind, observed.propensity) == ("large", Kind.BASELINE, 1.0)
    assert set(observed.distribution.intended) == {"small", "large", "other"}
    assert sum(observed.distribution.intended.values()) == pytest.approx(1.0)
    assert observed.distribution.forecasts["large"].probability == 1.0
    assert plain.distribution.intended is None


async def test_decisions_of_one_distribution_share_its_record(parts, decisions):
    for call in (Call("chat"), Call("chat"), Call("chat", constraints=Constraints(region="eu"))):
        decisions.append(parts.route(call))
    await decisions.flush()
    first, second, third = await logged(parts)
    assert first.distribution is second.distribution
    assert third.distribution.exclusions == {"small": "region", "large": "region", "retired": "disabled"}


async def test_decisions_of_one_distribution_keep_their_own_reasons_of_exclusion(parts, decisions):
    by_region, by_capability = Constraints(region="eu"), Constraints(capabilities=frozenset({"images"}))
    for constraints in (by_region, by_capability):
        decisions.append(parts.route(Call("chat", constraints=constraints)))
    await decisions.flush()
    reasons = [row.distribution.exclusions for row in await logged(parts)]
    assert [one["small"] for one in reasons] == ["region", "capabilities"]


async def test_a_forced_decision_drew_nothing(parts, decisions):
    decisions.append(parts.route(Call("chat", model="other")))
    await decisions.flush()
    (row,) = await logged(parts)
    assert (row.kind, row.uniform, row.propensity) == (Kind.FORCED, None, 1.0)
    assert row.distribution.exclusions == {"small": "model", "large": "model", "retired": "model"}


async def test_new_categories_are_stored_with_it(parts, decisions):
    decisions.append(parts.route(Call("poetry")))
    await decisions.flush()
    assert (await parts.store.load("acme")).categories == ("poetry",)
    assert parts.namespace.unsaved_categories == set()


async def test_without_room_the_newest_decisions_are_dropped_and_counted(parts, decisions, monkeypatch):
    monkeypatch.setattr("server.decision_log.MAX_WAITING", 10)
    made = [parts.route(Call("chat")) for _ in range(13)]
    for decision in made:
        decisions.append(decision)
    await decisions.flush()
    assert [row.nonce for row in await logged(parts)] == [decision.nonce for decision in made[:10]]
    assert dropped(parts) == 3.0
    assert MAX_WAITING >= 1000


async def test_a_paused_log_drops_and_counts(parts, decisions):
    decisions.paused = True
    decisions.append(parts.route(Call("chat")))
    await decisions.flush()
    assert (await logged(parts), dropped(parts)) == ([], 1.0)


async def test_what_the_store_does_not_take_is_kept_in_order_for_later_and_told_once(
    parts, decisions, log, monkeypatch
):
    made = [parts.route(Call("chat")) for _ in range(300)]
    for decision in made:
        decisions.append(decision)

    async def fail(_records):
        raise StoreUnavailableError("busy")

    with monkeypatch.context() as patched:
        patched.setattr(parts.store, "log_decisions", fail)
        for _ in range(3):
            await decisions.flush()
    assert await logged(parts) == []
    for _ in range(2):
        await decisions.flush()
    assert [event["event"] for event in log.events] == ["decision_log_failed", "decision_log_recovered"]
    assert sorted(row.nonce for row in await logged(parts)) == sorted(decision.nonce for decision in made)


async def test_closing_writes_what_waits(parts, decisions):
    running = asyncio.create_task(decisions.run())
    await asyncio.sleep(0)
    decisions.append(parts.route(Call("chat")))
    decisions.close()
    await running
    assert len(await logged(parts)) == 1


async def test_what_is_decided_while_a_batch_is_written_waits_for_the_next_one(parts, decisions, monkeypatch):
    batches = []
    write = parts.store.log_decisions

    async def write_while_others_are_made(records):
        batches.append(len(records))
        decisions.append(parts.route(Call("chat")))
        await write(records)

    monkeypatch.setattr(parts.store, "log_decisions", write_while_others_are_made)
    for _ in range(2 * MAX_BATCH + 1):
        decisions.append(parts.route(Call("chat")))
    await decisions.flush()
    assert batches == [MAX_BATCH, MAX_BATCH, 1]
    await decisions.flush()
    assert batches == [MAX_BATCH, MAX_BATCH, 1, 3]


async def test_closing_while_a_batch_is_written_loses_nothing(parts, decisions, monkeypatch):
    write = parts.store.log_decisions

    async def close_meanwhile(records):
        if len(records) == 1:
            decisions.append(parts.route(Call("chat")))
            decisions.append(parts.route(Call("chat")))
            decisions.close()
        await write(records)

    monkeypatch.setattr(parts.store, "log_decisions", close_meanwhile)
    monkeypatch.setattr("server.decision_log.FLUSH_EVERY_S", 0.001)
    decisions.append(parts.route(Call("chat")))
    await decisions.run()
    assert len(await logged(parts)) == 3


async def test_what_the_store_refuses_for_good_is_dropped_and_counted_so_that_nothing_waits_behind_it(
    parts, decisions, log, monkeypatch
):
    first, second = parts.route(Call("chat")), parts.route(Call("chat"))

    async def refuse(_records):
        raise StoreError("it is no row of ours")

    with monkeypatch.context() as patched:
        patched.setattr(parts.store, "log_decisions", refuse)
        decisions.append(first)
        await decisions.flush()
    decisions.append(second)
    await decisions.flush()
    assert [row.nonce for row in await logged(parts)] == [second.nonce]
    assert parts.metrics.registry.get_sample_value("routeward_decision_log_dropped_total") == 1
    assert log.events[-1]["event"] == "decisions_refused"
