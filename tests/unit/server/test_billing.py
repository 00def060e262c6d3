"""Budgets in the service: from a decision over its bill to the next decision."""

import pytest

from bandit.budget import Budget
from bandit.catalogue import Model, Prices
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Outcome, Status, Thumb
from bandit.spend import LARGEST_BILL, Bill
from server.billing import Billing
from server.credentials import Principal
from server.errors import BudgetExhaustedError
from server.publisher import Publisher
from server.requests import Call
from server.settings import Catalogue
from server.statuses import NEVER_RETRY, trailing_metadata
from server.tokens import profile_tag

DAY_S = 86_400.0
TIGHT = Budget("tight", usd_per_request=2e-4)
USUAL = Budget("usual-only", profile="balanced", usd_per_request=2e-4)
DAILY = Budget("daily", usd_per_period=1.0, on_exhausted="refuse")
ANSWERED = Outcome(Status.OK, 1_000_000, input_tokens=1000, output_tokens=100)
PAID = Outcome(Status.OK, cost_nano_usd=2_000_000_000)


def verified(parts, decision_id):
    return parts.keys.verify(decision_id, parts.clock(), DAY_S)


async def report(parts, decision, outcome):
    """What Feedback does with an outcome."""
    return await write(parts, verified(parts, decision.id), outcome)


async def write(parts, token, outcome):
    facts = DecisionFacts(token.category, token.model, token.kind, token.decided_us, token.input_tokens)
    bill = Billing(parts.settings.catalogue).bill(token, outcome)
    now_us = parts.clock()
    record = SignalRecord(
        token.namespace, token.nonce, outcome.signal, outcome, now_us, now_us, facts, token.propensity, bill=bill
    )
    written = await parts.store.write([record])
    parts.namespace.apply(written.changes[token.namespace])
    return record


async def test_without_budgets_decision_ids_and_signals_say_nothing_of_money(parts):
    decision = parts.route(Call("chat", profile="frugal"))
    token = verified(parts, decision.id)
    assert (token.profile, token.priced) == (b"", False)
    assert Billing(Catalogue()).bill(token, ANSWERED) is None
    assert decision.question.request.profile == ""
    assert decision.question.published.snapshot.budgets == ()


async def test_a_decision_and_its_fallbacks_say_who_pays_and_whether_there_was_a_price(parts_of):
    parts = await parts_of(budgets=(TIGHT,))
    decision = parts.route(Call("chat", profile="frugal"))
    for id_ in (decision.id, *decision.fallback_ids):
        token = verified(parts, id_)
        assert (token.profile, token.priced) == (profile_tag("frugal"), True)
    assert decision.distribution.forecasts.budget_price > 0


async def test_requests_are_told_apart_by_profile_only_where_a_budget_is(parts_of):
    parts = await parts_of(budgets=(Budget("b", profile="frugal", usd_per_request=1.0),))
    assert parts.route(Call("chat", profile="frugal")).question.request.profile == "frugal"
    assert parts.route(Call("chat")).question.request.profile == ""


async def test_a_profile_that_a_budget_names_pays_alone_also_where_calls_leave_it_out(parts_of):
    parts = await parts_of(budgets=(USUAL,))
    calls = Call("chat", profile="balanced"), Call("chat"), Call("chat", profile="frugal", answer_value_usd=0.05)
    named, default, other = [parts.route(call).distribution.forecasts.budget_price for call in calls]
    assert named == default > 0 == other


async def test_an_outcome_is_billed_by_what_it_says_or_else_by_price_and_tokens(parts_of):
    parts = await parts_of(budgets=(TIGHT,))
    billing = Billing(parts.settings.catalogue)
    token = verified(parts, parts.route(Call("chat", profile="frugal", model="large")).id)
    assert billing.bill(token, ANSWERED) == Bill("frugal", token.priced, 2_800_000)
    assert billing.bill(token, PAID) == Bill("frugal", token.priced, 2_000_000_000)
    assert billing.bill(token, Outcome(Status.ERROR)) is None
    assert billing.bill(token, Thumb(True)) is None
    assert billing.bill(token, None) is None
    gone = token._replace(model="gone", profile=profile_tag("gone"))
    assert billing.bill(gone, ANSWERED) is None
    assert billing.bill(gone, PAID) == Bill("", token.priced, 2_000_000_000)


LIMITED = Model("limited", Prices(2.0, 8.0), context_tokens=10_000, max_output_tokens=1_000)
UNLIMITED = Model("unlimited", Prices(2.0, 8.0))
ABSURD = 10**15


def counted(parts, model, asked=None, **outcome):
    """What counts of an outcome whose request told `asked` input tokens, in nano-dollars."""
    call = Call("chat", model=model.id, input_tokens=asked)
    bill = Billing(parts.settings.catalogue).bill(verified(parts, parts.route(call).id), Outcome(Status.OK, **outcome))
    return None if bill is None else bill.nano_usd


@pytest.mark.parametrize(
    ("model", "asked", "outcome", "nano_usd"),
    [
        (UNLIMITED, None, {"cost_nano_usd": ABSURD, "input_tokens": 1000, "output_tokens": 100}, 20 * 2_800_000),
        (UNLIMITED, None, {"cost_nano_usd": 9_000_000, "input_tokens": 1000, "output_tokens": 100}, 9_000_000),
        (UNLIMITED, None, {"cost_nano_usd": 0, "input_tokens": 1000, "output_tokens": 100}, 0),
        (LIMITED, None, {"cost_nano_usd": ABSURD, "input_tokens": 10**9, "output_tokens": 10**9}, 20 * 28_000_000),
        (LIMITED, None, {"input_tokens": 10**9, "output_tokens": 10**9}, 28_000_000),
        (LIMITED, 500, {"cost_nano_usd": ABSURD}, 20 * 9_000_000),
        (LIMITED, 500, {"cost_nano_usd": ABSURD, "input_tokens": 1000}, 20 * 10_000_000),
        (LIMITED, 500, {"cost_nano_usd": ABSURD, "output_tokens": 100}, 20 * 1_800_000),
        (LIMITED, 500, {"cost_nano_usd": ABSURD, "input_tokens": 0, "output_tokens": 0}, 20 * 9_000_000),
        (LIMITED, 500, {"cost_nano_usd": 7}, 7),
        (LIMITED, 500, {"input_tokens": 1000}, None),
        (LIMITED, None, {"cost_nano_usd": ABSURD}, LARGEST_BILL),
        (UNLIMITED, 500, {"cost_nano_usd": ABSURD}, LARGEST_BILL),
    ],
)
async def test_a_bill_counts_as_at_most_twenty_list_prices_of_what_the_call_can_have_been(
    parts_of, model, asked, outcome, nano_usd
):
    parts = await parts_of(budgets=(DAILY,), models=(LIMITED, UNLIMITED))
    assert counted(parts, model, asked, **outcome) == nano_usd


async def test_where_tokens_are_free_a_bill_counts_as_it_is(parts_of):
    free = Model("free", Prices(0.0, 0.0), max_output_tokens=1_000)
    parts = await parts_of(budgets=(DAILY,), models=(free,))
    assert counted(parts, free, 500, cost_nano_usd=77, input_tokens=1000, output_tokens=100) == 77


async def test_one_bogus_bill_does_not_exhaust_a_period(parts_of):
    parts = await parts_of(budgets=(DAILY,))
    bogus = ANSWERED._replace(cost_nano_usd=ABSURD)
    record = await report(parts, parts.route(Call("chat", model="large")), bogus)
    assert record.bill.nano_usd == 20 * 2_800_000
    await parts.publisher.refresh(parts.namespace)
    assert parts.route(Call("chat")).model


async def test_what_was_billed_shows_in_the_next_snapshot(parts_of):
    parts = await parts_of(budgets=(TIGHT,))
    for _ in range(20):
        await report(parts, parts.route(Call("chat")), ANSWERED)
    parts.clock.pass_s(1)
    await parts.publisher.refresh(parts.namespace)
    [one] = parts.namespace.published.snapshot.budgets
    assert one.account.requests == 20
    assert one.account.usd == pytest.approx(
        sum(t.nano_usd for t in (await parts.store.load("acme")).spend.values()) * 1e-9
    )


async def test_after_a_restart_and_on_another_replica_prices_are_the_same_to_the_bit(parts_of):
    parts = await parts_of(budgets=(TIGHT, DAILY, USUAL))
    calls = [Call("chat"), Call("code", profile="frugal")]
    for n in range(30):
        await report(parts, parts.route(calls[n % 2]), ANSWERED)
        parts.clock.pass_s(17)
        if n % 7 == 0:
            await parts.publisher.refresh(parts.namespace)
    await parts.publisher.refresh(parts.namespace)
    restarted = Publisher(parts.store, parts.settings, parts.log.logger, clock=parts.clock)
    await restarted.load(["acme"])
    other, own = restarted.namespaces["acme"], parts.namespace
    assert other.spend.tallies.tobytes() == own.spend.tallies.tobytes()
    assert other.published.snapshot.budgets == own.published.snapshot.budgets
    assert any(one.price > 0 for one in own.published.snapshot.budgets)


async def standing(publisher):
    await publisher.refresh(publisher.namespaces["acme"])
    [one] = publisher.namespaces["acme"].published.snapshot.budgets
    return one


@pytest.mark.parametrize("hours", [0, 1, 2, 24, 26])
async def test_a_bill_of_a_clock_ahead_counts_when_its_time_comes_with_and_without_a_restart(parts_of, hours):
    parts = await parts_of(budgets=(DAILY,))
    token = verified(parts, parts.route(Call("chat")).id)
    token = token._replace(decided_us=token.decided_us + 2 * 3600 * 1_000_000)
    await write(parts, token, PAID)
    assert (await standing(parts.publisher)).account.usd == 0.0
    parts.clock.pass_s(hours * 3600.0)
    in_memory = await standing(parts.publisher)
    restarted = Publisher(parts.store, parts.settings, parts.log.logger, clock=parts.clock)
    await restarted.load(["acme"])
    assert in_memory == await standing(restarted)
    day = int(token.decided_us * 1e-6 // DAY_S)
    is_due = parts.clock() >= token.decided_us and int(parts.clock() * 1e-6 // DAY_S) == day
    assert in_memory.account.usd == (2.0 if is_due else 0.0)
    assert in_memory.exhausted == is_due


async def spent(parts):
    await report(parts, parts.route(Call("chat")), PAID)
    await parts.publisher.refresh(parts.namespace)


async def test_a_budget_that_refuses_says_when_its_next_period_begins_and_then_answers(parts_of):
    parts = await parts_of(budgets=(DAILY,))
    await spent(parts)
    with pytest.raises(BudgetExhaustedError) as raised:
        parts.route(Call("chat"))
    rest_s = DAY_S - parts.clock() * 1e-6 % DAY_S
    assert raised.value.retry_after_s == pytest.approx(rest_s, abs=1e-3)
    assert raised.value.metadata == {"budget": "daily"}
    assert ("grpc-retry-pushback-ms", NEVER_RETRY) in trailing_metadata(raised.value)
    parts.clock.pass_s(rest_s)
    assert parts.route(Call("chat")).model
    await parts.publisher.refresh(parts.namespace)
    assert len(parts.route(Call("chat")).distribution.ranking) > 1


async def test_a_short_wait_is_left_to_grpc():
    assert ("grpc-retry-pushback-ms", "2500") in trailing_metadata(BudgetExhaustedError("daily", 2.5))


async def test_a_budget_that_does_not_refuse_leaves_the_cheapest_model(parts_of):
    parts = await parts_of(budgets=(Budget("daily", usd_per_period=1.0),))
    await spent(parts)
    assert {parts.route(Call("chat")).model for _ in range(20)} == {"small"}
    assert parts.route(Call("chat", model="large")).model == "large"


async def test_a_namespace_has_the_budgets_that_name_it_or_none_and_its_own_money(parts_of):
    own = Budget("own", namespace="acme", usd_per_request=1e-4)
    parts = await parts_of("acme", "rival", budgets=(own, DAILY))
    await spent(parts)
    standing = {
        name: {one.budget.name: one.account.usd for one in namespace.published.snapshot.budgets}
        for name, namespace in parts.publisher.namespaces.items()
    }
    assert standing == {"acme": {"own": 2.0, "daily": 2.0}, "rival": {"daily": 0.0}}
    assert parts.router.route(Call("chat"), Principal("rival", "other")).model


async def test_the_posterior_is_shown_whatever_is_spent(parts_of):
    parts = await parts_of(budgets=(DAILY,))
    await spent(parts)
    assert parts.questions.ask(Call("chat"), parts.caller, now_us=0).choices().distribution.ranking


async def test_what_was_reported_before_there_was_a_budget_is_not_billed(parts_of):
    parts = await parts_of()
    before = await report(parts, parts.route(Call("chat")), PAID)
    assert before.bill is None
    assert (await parts.store.load("acme")).spend == {}
