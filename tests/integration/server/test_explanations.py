"""ExplainDecision over a real socket and both stores, and by the clients."""

import asyncio

import grpc
import pytest

from adapters.memory import MemoryStore
from routeward import AsyncClient, Client, Constraints, DecisionKind, Objective
from routeward.errors import DecisionNotLoggedError, InvalidFieldError
from routeward.v1 import admin_service_pb2 as admin_pb
from routeward.v1 import routing_service_pb2 as pb

UP = pb.Signal(thumb=pb.THUMB_UP)


async def explain(client, **subject):
    return await client.call(client.admin.ExplainDecision, admin_pb.ExplainDecisionRequest(**subject))


@pytest.mark.parametrize("kind", ["memory", "sql"])
async def test_a_decision_is_explained_as_soon_as_it_was_made(serve, settings, kind):
    store = MemoryStore(bucket_us=10_000_000) if kind == "memory" else None
    async with serve(settings, store=store) as running:
        client = running.client()
        decision = await client.route(input_tokens=900, constraints=pb.Constraints(region="eu", max_cost_usd=1.0))
        why = await explain(client, decision_id=decision.decision_id)
    assert (why.category, why.kind, why.decision.model) == ("chat", pb.DECISION_KIND_SAMPLED, "other")
    assert (why.input_tokens, why.objective.answer_value_usd, why.limits.max_cost_usd) == (900, 0.05, 1.0)
    assert not why.limits.HasField("max_latency")
    assert [(one.model, one.excluded) for one in why.models] == [
        ("other", ""),
        ("large", "region"),
        ("small", "region"),
    ]
    other, *rest = why.models
    terms = other.terms
    paid = terms.cost_usd + terms.budget_usd + terms.waiting_usd
    assert terms.utility_usd == pytest.approx(terms.answer_usd - paid, abs=1e-15)
    assert terms.answer_usd == pytest.approx(0.05 * terms.quality * (1.0 - terms.error_rate))
    assert (other.probability, terms.outcome_count, terms.HasField("utility_sd_usd")) == (1.0, 0.0, True)
    assert not any(one.HasField("terms") or one.HasField("best_probability") for one in rest)


async def test_a_decision_is_explained_by_its_own_numbers_after_a_restart(serve, settings):
    async with serve(settings) as running:
        client = running.client()
        decision = await client.route()
        before = await explain(client, decision_id=decision.decision_id)
        await client.feedback(decision.decision_id, UP)
    async with serve(settings) as running:
        client = running.client()
        after = await explain(client, decision_id=decision.decision_id)
        fallback = await explain(client, decision_id=decision.fallbacks[0].decision_id)
        now = await explain(client, call=pb.RouteRequest(category="chat"))
    assert after == before
    assert (fallback.kind, fallback.decision.fallback_model) == (
        pb.DECISION_KIND_FALLBACK,
        decision.fallbacks[0].model,
    )
    assert fallback.models == before.models
    counts = [{one.model: one.terms.quality_count for one in answer.models}[decision.model] for answer in (after, now)]
    assert counts == [0.0, pytest.approx(1.0, rel=1e-3)]


async def test_a_decision_lost_with_a_store_in_memory_is_not_found_and_it_says_what_to_do(serve, settings):
    async with serve(settings, store=MemoryStore(bucket_us=10_000_000)) as running:
        decision = await running.client().route()
    async with serve(settings, store=MemoryStore(bucket_us=10_000_000)) as running:
        failure = await explain(running.client(), decision_id=decision.decision_id)
        async with AsyncClient(running.addresses.grpc) as client:
            with pytest.raises(DecisionNotLoggedError):
                await client.explain(decision.decision_id)
    assert (failure.code, failure.reason) == (grpc.StatusCode.NOT_FOUND, "DECISION_NOT_LOGGED")
    assert "explain the call itself" in failure.text


async def test_the_decision_of_another_tenant_is_refused_and_an_imagined_call_sees_the_own_state(serve, two_tenants):
    async with serve(two_tenants) as running:
        acme, globex = running.client("acme"), running.client("globex")
        decision = await acme.route()
        await acme.feedback(decision.decision_id, UP)
        await running.publish("acme")
        failure = await explain(globex, decision_id=decision.decision_id)
        revisions = [(await explain(one, call=pb.RouteRequest(category="chat"))).revision for one in (acme, globex)]
    assert (failure.code, failure.reason) == (grpc.StatusCode.PERMISSION_DENIED, "FOREIGN_DECISION")
    assert revisions == [1, 0]


@pytest.mark.parametrize(
    ("subject", "fields"),
    [
        ({}, ["decision_id"]),
        ({"decision_id": ""}, ["decision_id"]),
        ({"call": pb.RouteRequest()}, ["call.category"]),
        (
            {
                "call": pb.RouteRequest(
                    category="chat",
                    input_tokens=-1,
                    constraints=pb.Constraints(models=["b c"]),
                    cached_input_tokens=1,
                )
            },
            ["call.input_tokens", "call.constraints.models[0]", "call.cached_input_tokens", "call.cached_input_tokens"],
        ),
        (
            {"call": pb.RouteRequest(category="chat", previous_decision_id="x", cached_input_tokens=1)},
            ["call.previous_decision_id"],
        ),
    ],
)
async def test_a_question_that_breaks_a_rule_names_its_fields(client, subject, fields):
    failure = await explain(client, **subject)
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert failure.violations == fields


async def test_an_imagined_call_leaves_no_trace(running, client):
    imagined = await explain(client, call=pb.RouteRequest(category="poetry"))
    assert not imagined.HasField("decision")
    assert [one.HasField("best_probability") for one in imagined.models] == [True] * 3
    await running.log_decisions()
    assert [record async for record in running.store.decisions()] == []
    answer = await client.call(client.admin.GetPosterior, admin_pb.GetPosteriorRequest())
    assert [one.category for one in answer.categories] == ["chat", "default"]


async def test_both_clients_explain_decisions_and_calls(running):
    async with AsyncClient(running.addresses.grpc) as client:
        decision = await client.route("chat", constraints=Constraints(max_latency_s=100.0))
        made = await client.explain(decision)
        imagined = await client.explain_call("chat", objective=Objective(answer_value_usd=7.0))
        with pytest.raises(InvalidFieldError, match=r"call\.model"):
            await client.explain_call("chat", model="b c")
    with Client(running.addresses.grpc) as blocking:
        again, called = await asyncio.to_thread(
            lambda: (blocking.explain(decision.decision_id), blocking.explain_call("chat"))
        )
    assert again == made
    assert made.decision is not None
    assert (made.kind, made.decision.model, made.limits.max_latency_s) == (DecisionKind.SAMPLED, decision.model, 100.0)
    assert made.decision.propensity == decision.propensity
    assert sum(one.probability for one in made.models) == pytest.approx(1.0)
    assert [one.terms and one.terms.outcome_count for one in made.models] == [0.0] * 3
    assert (imagined.decision, imagined.objective.answer_value_usd, called.objective.answer_value_usd) == (
        None,
        7.0,
        0.05,
    )
    assert sum(one.best_probability or 0.0 for one in imagined.models) == pytest.approx(1.0)
