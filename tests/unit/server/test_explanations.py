"""Why a decision came out as it did: by the log for those that were made, by the snapshot for those imagined."""

import asyncio
from dataclasses import replace

import pytest

from adapters.ledger import StoreUnavailableError
from bandit.budget import Budget
from bandit.modes import CheapestWithin, Mode
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Thumb
from bandit.snapshot import PolicySettings
from bandit.terms import explained
from server.credentials import Principal
from server.decision_log import DecisionLog
from server.errors import (
    BudgetExhaustedError,
    CategoryUnknownError,
    DecisionAheadError,
    DecisionIdInvalidError,
    DecisionNotLoggedError,
    ForeignDecisionError,
    LogUnavailableError,
    NoEligibleModelError,
)
from server.explanations import Explanations
from server.namespace import Published
from server.requests import Call, Constraints

YEAR_S = 365 * 86_400


class Desk:
    """Makes decisions, logs them, explains them."""

    def __init__(self, parts):
        self.parts = parts
        self.log = DecisionLog(parts.store, parts.publisher.namespaces, parts.metrics, parts.log.logger)
        self.explanations = Explanations(parts.store, self.log, parts.questions, parts.keys)

    def decide(self, call):
        decision = self.parts.route(call)
        self.log.append(decision)
        return decision

    async def why(self, decision_id, caller=None):
        return await self.explanations.of_decision(decision_id, self.parts.clock(), caller or self.parts.caller)

    def imagine(self, call):
        return self.explanations.of_call(call, self.parts.clock(), self.parts.caller)


@pytest.fixture
async def desk(parts):
    return Desk(parts)


@pytest.fixture
def desk_of(parts_of):
    async def build(*namespaces, **changes):
        return Desk(await parts_of(*namespaces, **changes))

    return build


async def test_a_decision_that_still_waits_to_be_written_is_explained(desk):
    decision = desk.decide(Call("chat", input_tokens=700, constraints=Constraints(capabilities=frozenset({"tools"}))))
    found = await desk.why(decision.id)
    assert (found.category, found.kind, found.reason, found.input_tokens) == ("chat", Kind.SAMPLED, "", 700)
    assert (found.decision.model, found.decision.propensity) == (decision.model, decision.propensity)
    assert found.fallback_model == ""
    excluded = {one.model: one.excluded for one in explained(found.drawn_from)}
    assert excluded == {"large": "", "other": "", "small": "capabilities", "retired": "disabled"}


async def test_a_decision_that_a_flush_has_taken_but_not_written_is_explained(desk, monkeypatch):
    decision, write = desk.decide(Call("chat")), desk.parts.store.log_decisions
    answers = []

    async def ask_meanwhile(records):
        monkeypatch.undo()
        answers.append(asyncio.ensure_future(desk.why(decision.id)))
        for _ in range(10):
            await asyncio.sleep(0)
        await write(records)

    monkeypatch.setattr(desk.parts.store, "log_decisions", ask_meanwhile)
    await desk.log.flush()
    (found,) = await asyncio.gather(*answers)
    assert found.decision.model == decision.model


async def test_a_decision_is_explained_by_the_numbers_it_was_made_with_whatever_was_learned_since(desk):
    decision = desk.decide(Call("chat"))
    before = (await desk.why(decision.id)).drawn_from
    facts = DecisionFacts("chat", "small", Kind.SAMPLED, desk.parts.clock(), 500)
    written = await desk.parts.store.write(
        [SignalRecord("acme", bytes([i] * 12), "thumb", Thumb(up=False), 1, 1, facts, 0.5) for i in range(50)]
    )
    desk.parts.namespace.apply(written.changes["acme"])
    await desk.parts.publisher.refresh(desk.parts.namespace)
    assert (await desk.why(decision.id)).drawn_from == before
    now = desk.imagine(Call("chat")).drawn_from
    assert now.forecasts["small"].quality < before.forecasts["small"].quality
    assert (now.forecasts["small"].quality_count, before.forecasts["small"].quality_count) == (50.0, 0.0)


async def test_a_fallback_is_explained_by_the_decision_it_belongs_to(desk):
    decision = desk.decide(Call("chat"))
    found = await desk.why(decision.fallback_ids[1])
    assert (found.kind, found.fallback_model) == (Kind.FALLBACK, decision.option.fallbacks[1])
    assert found.decision.nonce == decision.nonce
    assert found.decision.kind is Kind.SAMPLED


async def test_a_forced_decision_says_that_the_caller_named_the_model(desk):
    found = await desk.why(desk.decide(Call("chat", model="other")).id)
    assert (found.kind, found.decision.model) == (Kind.FORCED, "other")
    others = {one.model: one.excluded for one in explained(found.drawn_from) if one.model != "other"}
    assert set(others.values()) == {"model"}


async def test_a_decision_that_a_baseline_took_says_what_was_intended(desk_of):
    desk = await desk_of(policy=PolicySettings(modes={"chat": Mode(baseline="large", observe_share=0.0)}))
    found = await desk.why(desk.decide(Call("chat")).id)
    assert (found.kind, found.decision.model) == (Kind.BASELINE, "large")
    terms = {one.model: one for one in explained(found.drawn_from)}
    assert terms["large"].probability == 1.0
    assert 0.0 < (terms["large"].intended or 0.0) < 1.0
    assert desk.imagine(Call("chat")).kind is Kind.BASELINE


async def test_a_decision_too_old_for_feedback_is_explained_while_the_log_holds_it(desk):
    decision = desk.decide(Call("chat"))
    desk.parts.clock.pass_s(YEAR_S)
    assert (await desk.why(decision.id)).decision.model == decision.model


@pytest.mark.parametrize("loss", ["dropped", "swept"])
async def test_a_decision_that_the_log_does_not_hold_says_why_that_may_be(desk, loss):
    desk.log.paused = loss == "dropped"
    decision = desk.decide(Call("chat"))
    await desk.log.flush()
    if loss == "swept":
        await desk.parts.store.retain(desk.parts.clock() + 1)
    with pytest.raises(DecisionNotLoggedError, match=r"retention_days.*dropped.*in memory.*another server"):
        await desk.why(decision.id)


async def test_a_decision_of_another_tenant_is_refused_and_nothing_of_it_is_told(desk_of):
    desk = await desk_of("acme", "globex")
    decision = desk.decide(Call("chat"))
    for decision_id in (decision.id, *decision.fallback_ids):
        with pytest.raises(ForeignDecisionError):
            await desk.why(decision_id, Principal("globex"))


async def test_what_is_no_decision_id_is_refused(desk):
    decision = desk.decide(Call("chat"))
    for forged in ("forged", decision.id[:-1], decision.id + "A"):
        with pytest.raises(DecisionIdInvalidError):
            await desk.why(forged)


async def test_a_decision_of_a_clock_that_is_ahead_is_told_as_that(desk):
    decision = desk.decide(Call("chat"))
    desk.parts.clock.pass_s(-95)
    with pytest.raises(DecisionAheadError, match="95 s in the future"):
        await desk.why(decision.id)


async def test_a_store_that_does_not_answer_is_told_as_that(desk, monkeypatch):
    async def fail(*_):
        raise StoreUnavailableError("busy")

    decision = desk.decide(Call("chat"))
    monkeypatch.setattr(desk.parts.store, "decision", fail)
    with pytest.raises(LogUnavailableError):
        await desk.why(decision.id)


async def test_an_imagined_call_shows_what_the_next_decision_is_drawn_from(desk):
    call = Call("chat", profile="frugal", input_tokens=700)
    imagined = desk.imagine(call)
    made = await desk.why(desk.decide(call).id)
    assert imagined.drawn_from == made.drawn_from
    assert (imagined.decision, imagined.fallback_model, imagined.input_tokens) == (None, "", 700)
    assert (imagined.category, imagined.kind, imagined.reason) == (made.category, made.kind, made.reason)


async def test_to_imagine_a_call_decides_logs_and_remembers_nothing(desk):
    imagined = desk.imagine(Call("poetry"))
    assert imagined.category == "poetry"
    await desk.log.flush()
    assert [record async for record in desk.parts.store.decisions()] == []
    assert "poetry" not in desk.parts.namespace.categories
    assert desk.parts.namespace.unsaved_categories == set()


async def test_the_same_question_is_answered_the_same(desk):
    assert desk.imagine(Call("chat")) == desk.imagine(Call("chat"))


async def test_the_best_is_stated_of_the_models_that_may_be_chosen(desk):
    best = desk.imagine(Call("chat", constraints=Constraints(capabilities=frozenset({"tools"})))).best
    assert set(best) == {"large", "other"}
    assert sum(best.values()) == pytest.approx(1.0)
    assert min(best.values()) > 0.1


async def test_where_being_best_is_not_what_counts_it_is_not_stated(desk_of):
    desk = await desk_of(policy=PolicySettings(modes={"chat": Mode(cheapest_within=CheapestWithin())}))
    assert desk.imagine(Call("chat")).best == {}
    assert desk.imagine(Call("poetry")).best
    warm = Call("poetry", previous_decision_id=desk.decide(Call("chat")).id, cached_input_tokens=5)
    assert desk.imagine(warm).best == {}


async def test_what_route_refuses_is_refused_with_what_excluded_each_model(desk, desk_of):
    impossible = Call("chat", constraints=Constraints(max_cost_usd=0.0))
    with pytest.raises(NoEligibleModelError) as refused:
        desk.imagine(impossible)
    assert refused.value.metadata == {
        "small": "max_cost_usd",
        "large": "max_cost_usd",
        "other": "max_cost_usd",
        "retired": "disabled",
    }
    strict = await desk_of(strict_categories=True)
    with pytest.raises(CategoryUnknownError):
        strict.imagine(Call("poetry"))


async def test_a_forced_call_is_imagined_as_forced(desk):
    imagined = desk.imagine(Call("chat", model="large"))
    assert (imagined.kind, set(imagined.drawn_from.forecasts)) == (Kind.FORCED, {"large"})


async def test_under_a_budget_the_price_of_the_decision_is_a_term_and_a_spent_one_refuses(desk_of):
    tight, daily = Budget("tight", usd_per_request=2e-4), Budget("daily", usd_per_period=1e-3, on_exhausted="refuse")
    desk = await desk_of(budgets=(tight, daily))
    decision = desk.decide(Call("chat", input_tokens=5_000))
    found = await desk.why(decision.id)
    price = decision.distribution.forecasts.budget_price
    assert price > 0.0
    for one in explained(found.drawn_from):
        if one.terms is not None:
            assert one.terms.budget_usd == pytest.approx(price * one.terms.cost_usd)
    snapshot = desk.parts.namespace.published.snapshot
    ends_us = desk.parts.clock() + 1_000_000
    spent = [one._replace(account=one.account._replace(exhausted=True, ends_us=ends_us)) for one in snapshot.budgets]
    edition = desk.parts.namespace.edition
    desk.parts.namespace.published = Published(
        replace(snapshot, budgets=tuple(spent)), edition, desk.parts.namespace.sums
    )
    with pytest.raises(BudgetExhaustedError):
        desk.imagine(Call("chat"))
