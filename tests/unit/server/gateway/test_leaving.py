"""Models leave the catalogue while the gateway calls them."""

import asyncio
from dataclasses import replace

from adapters.providers.errors import ProviderFaultError
from bandit.signals import Status
from server.editions import Edition
from server.gateway.breaker import CONSECUTIVE


async def publish_without(desk, *names):
    """Let these models leave while calls are under way."""
    namespace = desk.parts.namespace
    catalogue = namespace.edition.catalogue
    left = tuple(model for model in catalogue.models if model.id not in names)
    namespace.edition = Edition(replace(catalogue, models=left))
    await desk.parts.publisher.refresh(namespace)


async def test_a_call_under_way_is_answered_though_its_model_leaves(desk):
    answered = asyncio.Event()
    for provider in desk.providers.values():
        provider.does(answered)
    waiting = asyncio.create_task(desk.complete())
    await desk.slow()
    decided = desk.parts.namespace.published
    await publish_without(desk, "small", "large")
    answered.set()
    completed = await waiting
    assert completed.served.decision.question.published is decided
    (record,) = await desk.stored()
    assert (record.decision.model, record.fact.status) == (completed.served.model, Status.OK)
    assert (await desk.complete()).served.model == "other"


async def test_breakers_belong_to_models_wherever_they_stand_in_the_catalogue(desk):
    for _ in range(CONSECUTIVE):
        desk.availability.failed("other", "acme", desk.seconds(), ProviderFaultError("down"))
    assert desk.availability.failing() == ("other",)
    await publish_without(desk, "small")
    assert {(await desk.complete()).served.model for _ in range(20)} == {"large"}
