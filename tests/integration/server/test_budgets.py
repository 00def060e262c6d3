"""Budgets over real calls: billed feedback stands in ListBudgets and on the scrape, and a spent one refuses."""

from dataclasses import replace

import grpc
import pytest

from bandit.budget import Budget
from routeward.v1 import admin_service_pb2 as admin_pb
from routeward.v1 import routing_service_pb2 as pb

DAILY = Budget("daily", usd_per_period=1.0, on_exhausted="refuse")
EACH = Budget("each", category="chat", usd_per_request=0.001)


@pytest.fixture
def paid(settings):
    return replace(settings, catalogue=replace(settings.catalogue, budgets=(DAILY, EACH)))


def bill(usd):
    return pb.Signal(outcome=pb.Outcome(status=pb.STATUS_OK, cost_usd=usd))


async def budgets(running, client):
    await running.publish()
    response = await client.call(client.admin.ListBudgets, admin_pb.ListBudgetsRequest())
    return {one.name: one for one in response.budgets}


async def test_what_was_billed_stands_in_the_list_of_budgets_and_survives_a_restart(serve, paid):
    async with serve(paid) as running:
        client = running.client()
        for category, usd in (("chat", 0.25), ("poetry", 0.5)):
            decision = await client.route(category)
            await client.feedback(decision.decision_id, bill(usd))
        found = await budgets(running, client)
        assert await running.store.verify() == {}
    assert (found["daily"].spent_usd, found["daily"].billed_count, found["daily"].usd_per_period) == (0.75, 2, 1.0)
    assert (found["each"].spent_usd, found["each"].usd_per_request, found["each"].category) == (0.25, 0.001, "chat")
    assert 0 < found["each"].target_usd < 0.001
    async with serve(paid) as running:
        again = await budgets(running, running.client())
    assert {name: one.spent_usd for name, one in again.items()} == {"daily": 0.75, "each": 0.25}


async def test_a_spent_budget_refuses_with_its_name_and_goes_on_taking_feedback(serve, paid):
    async with serve(paid) as running:
        client = running.client()
        first, second = await client.route("chat"), await client.route("chat")
        await client.feedback(first.decision_id, bill(2.0))
        assert (await budgets(running, client))["daily"].exhausted
        refused = await client.route("chat")
        assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "BUDGET_EXHAUSTED")
        assert refused.metadata == {"budget": "daily"}
        assert (await client.feedback(second.decision_id, bill(0.1))).revision == 2


async def test_without_budgets_the_list_is_empty_and_nothing_is_billed(running, client):
    decision = await client.route("chat")
    await client.feedback(decision.decision_id, bill(2.0))
    assert await budgets(running, client) == {}
    assert (await running.store.load("default")).spend == {}
