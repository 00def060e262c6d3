"""Categories and models, and who manages them."""

from dataclasses import replace

import pytest

from adapters.ledger import MANAGED_BY_FILE
from bandit.catalogue import Model, Prices
from bandit.signals import Thumb

LARGE = Model(
    id="acme/large",
    prices=Prices(2.5, 10.0, 0.1 + 0.2),
    family="large",
    provider="acme",
    region="eu",
    context_tokens=128_000,
    max_output_tokens=16_000,
    capabilities=frozenset({"tools", "vision"}),
)
SMALL = Model(id="acme/small", prices=Prices(0.1, 0.4))


async def test_a_store_knows_the_namespaces_that_sent_signals_or_have_categories(store, a_signal):
    await store.write([a_signal(Thumb(True), namespace="sent")])
    await store.add_categories("named", ["chat"], managed_by="traffic")
    await store.add_categories("empty", [], managed_by="traffic")
    assert await store.namespaces() == ("named", "sent")


async def test_categories_are_remembered_once_and_per_namespace(store):
    await store.add_categories("acme", ["code", "chat"], managed_by="traffic")
    await store.add_categories("acme", ["chat", "translate"], managed_by=MANAGED_BY_FILE)
    await store.add_categories("acme", ["chat"], managed_by="traffic")
    await store.add_categories("rival", ["poetry"], managed_by="traffic")
    assert (await store.load("acme")).categories == ("chat", "code", "translate")
    assert (await store.load("rival")).categories == ("poetry",)


async def test_models_are_read_back_exactly(store):
    await store.apply_models([SMALL, LARGE])
    assert await store.models() == (LARGE, SMALL)


async def test_a_model_that_the_file_no_longer_names_is_kept_disabled(store):
    await store.apply_models([SMALL, LARGE])
    await store.apply_models([LARGE])
    assert await store.models() == (LARGE, replace(SMALL, enabled=False))
    await store.apply_models([])
    assert {model.enabled for model in await store.models()} == {False}


async def test_repricing_replaces_the_model_under_its_id(store):
    await store.apply_models([SMALL])
    dearer = replace(SMALL, prices=Prices(0.2, 0.8))
    await store.apply_models([dearer])
    assert await store.models() == (dearer,)


async def test_a_model_that_returns_is_enabled_again(store):
    for models in ([SMALL], [], [SMALL]):
        await store.apply_models(models)
    assert await store.models() == (SMALL,)


@pytest.mark.parametrize("times", [1, 2])
async def test_a_store_can_be_closed_again(backend, times):
    async with backend.opened() as store:
        for _ in range(times):
            await store.close()
