"""The call loop: who is called, in which order, how long, and what is recorded of it."""

import asyncio

import pytest

from adapters.providers.chat import Usage
from adapters.providers.errors import (
    CredentialRefusedError,
    MalformedAnswerError,
    ProviderFaultError,
    ProviderTimeoutError,
    RateLimitedError,
    RequestRefusedError,
    UnreachableError,
    UnsupportedRequestError,
)
from bandit.signals import Kind, Status
from server.errors import NoEligibleModelError
from server.gateway.chats import CallFailedError
from server.requests import Constraints
from tests.unit.server.gateway.scripted import answer

BROKEN = ProviderFaultError("the provider is broken")


def break_all(desk, error=BROKEN):
    for provider in desk.providers.values():
        provider.does(error)


def calls(desk):
    return {model: len(provider.calls) for model, provider in desk.providers.items() if provider.calls}


async def test_the_model_that_was_drawn_answers_and_its_outcome_is_stored_under_its_decision_id(desk):
    completed = await desk.complete()
    decision = completed.served.decision
    assert calls(desk) == {decision.model: 1}
    assert (completed.served.decision_id, completed.served.model) == (decision.id, decision.model)
    assert completed.served.request_id == "upstream-1"
    assert completed.answer.body == answer().body
    (record,) = await desk.stored()
    assert (record.nonce, record.parent, record.decision.model) == (decision.nonce, b"", decision.model)
    assert (record.fact.status, record.fact.input_tokens, record.fact.output_tokens) == (Status.OK, 1000, 100)


async def test_the_decision_is_logged(desk):
    completed = await desk.complete()
    await desk.decisions.flush()
    (logged,) = [record async for record in desk.parts.store.decisions()]
    assert (logged.nonce, logged.model) == (completed.served.decision.nonce, completed.served.model)


async def test_a_model_that_fails_is_followed_by_the_fallbacks_of_its_decision_in_their_order(desk):
    break_all(desk)
    with pytest.raises(CallFailedError) as failed:
        await desk.complete()
    order = [attempt.model for attempt in failed.value.attempts][:3]
    decision = next(record for record in await desk.stored() if record.decision.kind is Kind.SAMPLED).decision
    assert order[0] == decision.model
    assert sorted(order) == ["large", "other", "small"]
    assert order[1] == ("other" if order[0] != "other" else order[1])


async def test_a_fallback_answers_under_its_own_id_with_the_first_as_its_parent(desk):
    break_all(desk)
    desk.providers["other"].does(answer())
    completed = await desk.complete()
    while completed.served.decision.model == "other":
        completed = await desk.complete()
    decision = completed.served.decision
    assert (completed.served.model, completed.served.decision_id) == ("other", decision.fallback_ids[0])
    records = await desk.stored()
    (failed,) = [record for record in records if record.nonce == decision.nonce]
    (answered,) = [record for record in records if record.parent == decision.nonce]
    assert (failed.fact.status, failed.decision.kind) == (Status.ERROR, Kind.SAMPLED)
    assert (answered.fact.status, answered.decision.kind) == (Status.OK, Kind.FALLBACK)
    assert desk.figure("fallbacks_total", **{"from": decision.model, "to": "other", "cause": "provider_fault"}) == 1


async def test_a_request_that_is_refused_is_not_sent_elsewhere_and_teaches_nothing(desk):
    break_all(desk, RequestRefusedError("no such field", param="temperature", http_status=400))
    with pytest.raises(CallFailedError) as failed:
        await desk.complete()
    assert sum(calls(desk).values()) == 1
    assert isinstance(failed.value.error, RequestRefusedError)
    (record,) = await desk.stored()
    assert record.fact.status is Status.CANCELLED
    assert desk.availability.failing() == ()


async def test_when_all_fail_the_best_is_called_again_at_most_twice(desk):
    break_all(desk)
    with pytest.raises(CallFailedError) as failed:
        await desk.complete()
    models = [attempt.model for attempt in failed.value.attempts]
    assert len(models) == 5
    assert models[3:] == [models[0], models[0]]
    ids = [attempt.decision_id for attempt in failed.value.attempts]
    assert len(set(ids)) == 5
    parents = {record.parent for record in await desk.stored()}
    assert len(parents) == 2
    assert desk.figure("retries_total", result="granted") == 2


async def test_no_more_than_a_fifth_of_the_calls_is_repeated(desk):
    break_all(desk)
    total = 0
    for _ in range(100):
        with pytest.raises(CallFailedError) as failed:
            await desk.complete(model="small")
        total += len(failed.value.attempts)
    assert 100 + 10 <= total <= 100 * 1.2 + 10
    assert desk.figure("retries_total", result="refused") > 0


async def test_a_named_model_has_no_fallback(desk):
    break_all(desk)
    with pytest.raises(CallFailedError) as failed:
        await desk.complete(model="small")
    assert {attempt.model for attempt in failed.value.attempts} == {"small"}
    kinds = [record.decision.kind for record in await desk.stored()]
    assert sorted(kinds) == [Kind.FORCED, Kind.FALLBACK, Kind.FALLBACK]


async def test_a_wrong_key_is_not_tried_again(desk):
    break_all(desk, CredentialRefusedError("the key is not accepted"))
    with pytest.raises(CallFailedError) as failed:
        await desk.complete()
    assert len(failed.value.attempts) == 3


@pytest.mark.parametrize(("retry_after_s", "deadline_s"), [(5.0, 4.0), (11.0, 300.0)])
async def test_a_provider_that_asks_for_too_much_time_gets_no_second_call(desk, retry_after_s, deadline_s):
    break_all(desk, RateLimitedError("slow down", retry_after_s=retry_after_s))
    with pytest.raises(CallFailedError) as failed:
        await desk.complete(model="small", deadline_s=deadline_s)
    assert len(failed.value.attempts) == 1
    assert (await desk.outcomes())["small"].status is Status.RATE_LIMITED


async def test_a_model_that_asked_to_be_left_alone_is_not_drawn_until_its_time_is_over(desk):
    desk.providers["small"].does(RateLimitedError("slow down", retry_after_s=30.0), answer())
    with pytest.raises(CallFailedError):
        await desk.complete(model="small", deadline_s=1.0)
    assert {(await desk.complete()).served.model for _ in range(50)} == {"large", "other"}
    desk.seconds.now_s += 30.0
    assert "small" in {(await desk.complete()).served.model for _ in range(200)}


async def test_a_call_may_take_half_of_the_time_while_there_is_another_model(desk):
    break_all(desk)
    with pytest.raises(CallFailedError) as failed:
        await desk.complete(deadline_s=80.0)
    allotted = [desk.providers[attempt.model].calls[0].total_s for attempt in failed.value.attempts[:3]]
    assert allotted == [40.0, 40.0, 80.0]


async def test_no_call_takes_longer_than_the_operator_allows(desk):
    await desk.complete(deadline_s=10_000.0)
    (timeouts,) = [call for provider in desk.providers.values() for call in provider.calls]
    assert timeouts == (5.0, 20.0, 20.0, 100.0)


async def test_a_model_without_a_provider_is_not_drawn_and_the_reason_is_told(desk_of):
    desk = await desk_of({"small": "provider_key", "large": "provider"})
    served = [(await desk.complete()).served for _ in range(20)]
    assert {one.model for one in served} == {"other"}
    exclusions = served[0].decision.question.exclusions
    assert (exclusions["small"], exclusions["large"]) == ("provider_key", "provider")
    with pytest.raises(NoEligibleModelError) as refused:
        await desk.complete(model="small")
    assert "provider_key" in refused.value.message


async def test_a_caller_who_leaves_ends_the_call_and_nothing_is_held_against_the_model(desk):
    for provider in desk.providers.values():
        provider.does(asyncio.Event())
    waiting = asyncio.create_task(desk.complete())
    await desk.slow()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert sum(provider.cancelled for provider in desk.providers.values()) == 1
    (record,) = await desk.stored()
    assert (record.fact.status, record.fact.latency_us) == (Status.CANCELLED, None)


async def test_the_first_model_is_to_blame_for_a_timeout_and_later_ones_only_if_they_had_time(desk):
    break_all(desk, ProviderTimeoutError("total", 1.0))
    with pytest.raises(CallFailedError) as failed:
        await desk.complete(deadline_s=1.0)
    outcomes = [record.fact.status for record in await desk.stored()]
    assert outcomes.count(Status.TIMEOUT) == 1
    assert outcomes.count(Status.CANCELLED) == len(failed.value.attempts) - 1


@pytest.mark.parametrize(("method", "phase"), [("complete", "total"), ("stream", "first_token"), ("stream", "total")])
async def test_callers_in_a_hurry_do_not_take_a_model_out(desk, method, phase):
    desk.providers["small"].does(ProviderTimeoutError(phase, 0.1))
    for _ in range(10):
        with pytest.raises(CallFailedError):
            await getattr(desk, method)(model="small", deadline_s=0.1)
    assert desk.availability.failing() == ()


@pytest.mark.parametrize("phase", ["connect", "first_token", "idle", "total"])
async def test_timeouts_of_the_operator_take_a_model_out(desk, phase):
    desk.providers["small"].does(ProviderTimeoutError(phase, 20.0))
    for _ in range(5):
        with pytest.raises(CallFailedError):
            await desk.stream(model="small", deadline_s=200.0)
    assert desk.availability.failing() != ()
    assert [event["event"] for event in desk.parts.log.events] == ["model_failing"]


@pytest.mark.parametrize("error", [UnsupportedRequestError("no words", param="n"), RequestRefusedError("no")])
async def test_a_request_that_no_trying_again_mends_is_sent_once_to_each(desk, error):
    break_all(desk, error)
    with pytest.raises(CallFailedError) as failed:
        await desk.complete()
    assert len(failed.value.attempts) == (3 if error.elsewhere else 1)


async def test_a_probe_that_was_never_sent_does_not_bring_a_model_back(desk):
    await take_out(desk, "small")
    desk.providers["small"].does(UnsupportedRequestError("no words for it", param="n"))
    desk.seconds.now_s += 5.0
    await desk.complete()
    await desk.probed()
    assert desk.availability.failing() == ("small",)


async def test_a_probe_that_the_provider_refuses_shows_that_it_is_back(desk):
    await take_out(desk, "small")
    desk.providers["small"].does(RequestRefusedError("no such field", http_status=400))
    desk.seconds.now_s += 5.0
    await desk.complete()
    await desk.probed()
    assert desk.availability.failing() == ()
    assert [event["event"] for event in desk.parts.log.events] == ["model_failing", "probe_failed", "model_back"]


async def test_a_call_whose_cost_is_limited_is_not_copied(desk):
    await take_out(desk, "small")
    before = len(desk.providers["small"].calls)
    desk.seconds.now_s += 5.0
    await desk.complete(constraints=Constraints(max_cost_usd=1.0))
    await desk.probed()
    assert len(desk.providers["small"].calls) == before


async def test_routing_without_chats_gets_a_model_back_after_a_minute(desk):
    await take_out(desk, "small")
    desk.seconds.now_s += 1000.0
    assert "small" in desk.parts.route(desk.chat().call).question.exclusions
    desk.seconds.now_s += 60.0
    assert "small" not in desk.parts.route(desk.chat().call).question.exclusions


async def test_models_that_all_want_to_be_left_alone_are_not_called_and_the_caller_is_told_for_how_long(desk):
    break_all(desk, RateLimitedError("slow down", retry_after_s=200.0))
    with pytest.raises(CallFailedError):
        await desk.complete()
    before = calls(desk)
    desk.seconds.now_s += 50.0
    for call in ({}, {"model": "small"}):
        with pytest.raises(CallFailedError) as failed:
            await desk.complete(**call)
        assert isinstance(failed.value.error, RateLimitedError)
        assert failed.value.error.retry_after_s == 150.0
    assert calls(desk) == before


async def test_a_fallback_that_wants_to_be_left_alone_is_passed_over(desk):
    desk.providers["other"].does(RateLimitedError("slow down", retry_after_s=200.0))
    with pytest.raises(CallFailedError):
        await desk.complete(model="other", deadline_s=1.0)
    before = len(desk.providers["other"].calls)
    for model in ("small", "large"):
        desk.providers[model].does(BROKEN)
    with pytest.raises(CallFailedError):
        await desk.complete()
    assert len(desk.providers["other"].calls) == before


async def test_one_tenant_does_not_spend_the_retries_of_another(desk_of):
    desk = await desk_of()
    turns = desk.loop.gateway._turns
    for _ in range(20):
        turns._budgets["globex"].spend()
    break_all(desk)
    with pytest.raises(CallFailedError) as failed:
        await desk.complete(model="small")
    assert len(failed.value.attempts) == 3


@pytest.mark.parametrize(("told", "billed"), [(0.0005, 500_000), (99_999.0, 300_000)])
async def test_a_bill_in_another_unit_by_the_look_of_it_is_not_believed(desk, told, billed):
    desk.providers["small"].does(answer(usage=Usage(1000, None, 500, told)))
    await desk.complete(model="small")
    (record,) = await desk.stored()
    assert record.fact.cost_nano_usd == billed


async def test_what_was_billed_is_reported_and_compared_with_the_forecast(desk):
    for provider in desk.providers.values():
        provider.does(answer(usage=Usage(1_000_000, 500_000, 100_000)))
    completed = await desk.complete(model="large")
    (record,) = await desk.stored()
    assert record.fact.cost_nano_usd == round((0.5 * 2.0 + 0.5 * 0.5 + 0.1 * 8.0) * 1e9)
    assert desk.figure("provider_cost_usd_total", model="large", kind="billed") == pytest.approx(2.05)
    assert desk.figure("provider_cost_usd_total", model="large", kind="forecast") == completed.served.forecast_usd > 0


@pytest.mark.parametrize("usage", [Usage(-1, None, 10**15), Usage(None, None, None, float("nan")), Usage()])
async def test_what_cannot_be_true_of_a_call_is_unknown(desk, usage):
    desk.providers["small"].does(answer(usage=usage))
    await desk.complete(model="small")
    (record,) = await desk.stored()
    assert (record.fact.input_tokens, record.fact.output_tokens, record.fact.cost_nano_usd) == (None, None, None)
    assert desk.figure("provider_cost_usd_total", model="small", kind="billed") is None


@pytest.mark.parametrize("error", [UnreachableError("no connection"), MalformedAnswerError("no JSON"), BROKEN])
async def test_five_failures_take_a_model_out_for_all_calls(desk, error):
    desk.providers["small"].does(error)
    for _ in range(5):
        with pytest.raises(CallFailedError):
            await desk.complete(model="small", deadline_s=0.01)
    assert {(await desk.complete()).served.attempts[0].model for _ in range(50)} == {"large", "other"}
    assert {desk.parts.route(desk.chat().call).model for _ in range(50)} == {"large", "other"}
    assert desk.figure("breaker_state", provider="mock", model="small") == 2.0


async def take_out(desk, *models):
    for model in models:
        desk.providers[model].does(BROKEN)
        for _ in range(5):
            with pytest.raises(CallFailedError):
                await desk.complete(model=model, deadline_s=0.01)
        desk.seconds.now_s += 0.1


async def test_never_more_than_half_of_the_models_are_taken_out(desk):
    await take_out(desk, "small", "large", "other")
    decision = desk.parts.route(desk.chat().call)
    assert decision.question.exclusions["small"] == "breaker"
    assert {decision.model, *decision.option.fallbacks} == {"large", "other"}


async def test_a_copy_of_a_call_finds_out_that_a_model_is_back_while_its_caller_waits_for_nothing(desk):
    await take_out(desk, "small")
    desk.seconds.now_s += 5.0
    completed = await desk.complete()
    assert completed.served.model != "small"
    await desk.probed()
    assert desk.figure("probes_total", model="small", result="failed") == 1
    desk.providers["small"].does(answer())
    await desk.complete()
    await desk.probed()
    assert desk.figure("probes_total", model="small", result="served") is None
    desk.seconds.now_s += 5.0
    await desk.complete()
    await desk.probed()
    assert desk.figure("probes_total", model="small", result="served") == 1
    assert desk.availability.failing() == ()
    assert desk.providers["small"].open_streams == 0
    assert desk.providers["small"].bodies[-1] == desk.chat().body
    assert (await desk.outcomes())["small"].status is Status.OK


async def test_a_try_waits_no_longer_than_the_model_usually_takes_since_what_a_stalled_one_took_is_lost(desk):
    await take_out(desk, "small")
    desk.seconds.now_s += 5.0
    await desk.complete()
    await desk.probed()
    tried, called = desk.providers["small"].calls[-1].first_token_s, desk.loop.gateway._timeouts.first_token_s
    usual = desk.parts.route(desk.chat(model="small").call).option.forecast.latency_p95_s
    assert 5.0 <= tried == max(5.0, usual) < called


async def test_a_model_that_cannot_serve_a_call_is_not_tried_with_it(desk):
    await take_out(desk, "small")
    before = len(desk.providers["small"].calls)
    desk.seconds.now_s += 5.0
    await desk.complete(input_tokens=20_000)
    await desk.probed()
    assert len(desk.providers["small"].calls) == before
