"""Decisions while models come, change and go: each is made from one edition, and its propensity is exact."""

import asyncio
import random
from dataclasses import replace
from itertools import count

import pytest

from adapters.ledger import MANAGED_BY_FILE, StoreUnavailableError
from adapters.registry import MANAGED_BY_API, Edit, Entry, EntryKey, EntryKind
from server.credentials import Principal
from server.editions import Edition
from server.errors import ModelUnknownError
from server.registry.changes import Wish
from server.registry.live import LiveRegistry
from server.requests import Call
from server.settings import CategorySettings

ADMIN = Principal("acme", "ann", is_admin=True)
NAMES = tuple(f"m{number}" for number in range(6))


def key(name):
    return EntryKey(EntryKind.MODEL, "", name)


@pytest.fixture
async def live(parts):
    registry = LiveRegistry(parts.store, parts.settings, parts.publisher, parts.log.logger, clock=parts.clock)
    await parts.publisher.load(["acme"], await registry.start(["acme"]))
    return registry


async def test_the_first_edition_says_what_the_file_does(parts, live):
    configured, edition = Edition.of(parts.settings), parts.namespace.edition
    assert [model.id for model in edition.catalogue.models] == [model.id for model in configured.catalogue.models]
    assert (edition.catalogue.profiles, edition.learning) == (configured.catalogue.profiles, configured.learning)
    assert {entry.managed_by for entry in live.present.entries.values()} == {MANAGED_BY_FILE}


async def test_a_second_start_edits_nothing(parts, live):
    again = LiveRegistry(parts.store, parts.settings, parts.publisher, parts.log.logger, clock=parts.clock)
    await again.start(["acme"])
    assert again.present == live.present


def some_wish(rng):
    if rng.random() < 0.2:
        return Wish(key(rng.choice(NAMES)), None)
    price = rng.choice([0.01, 0.1, 1.0, 10.0])
    settings = {"input_usd_per_mtok": price, "output_usd_per_mtok": price}
    return Wish(key(rng.choice(NAMES)), settings if rng.random() < 0.8 else {**settings, "enabled": False})


def require_sound(decision):
    edition, snapshot = decision.question.published.edition, decision.question.published.snapshot
    assert snapshot.models == edition.catalogue.models
    assert snapshot.config_hash == edition.digest
    assert edition.models[decision.model].enabled
    probabilities = decision.distribution.probabilities
    position = next(place for place, model in enumerate(snapshot.models) if model.id == decision.model)
    assert decision.propensity == probabilities[position]
    assert sum(probabilities) == pytest.approx(1.0, abs=1e-9)
    assert all(
        model.enabled or not probability for model, probability in zip(snapshot.models, probabilities, strict=True)
    )
    assert all(edition.models[name].enabled for name in decision.option.fallbacks)


async def test_every_decision_is_sound_while_models_are_added_repriced_disabled_and_removed(parts, live):
    rng, done, decided = random.Random(7), asyncio.Event(), count()  # noqa: S311

    async def route():
        while not done.is_set():
            for number in range(20):
                require_sound(parts.route(Call("chat", input_tokens=500 + number)))
                next(decided)
            await asyncio.sleep(0)

    async def change():
        for _ in range(40):
            wish = some_wish(rng)
            if wish.settings is None and wish.key not in live.present.entries:
                with pytest.raises(ModelUnknownError):
                    await live.change(wish, ADMIN, dry_run=False)
                continue
            changed = await live.change(wish, ADMIN, dry_run=False)
            model = parts.route(Call("chat")).question.published.edition.models.get(wish.key.name)
            wanted = changed.after and changed.after.settings["input_usd_per_mtok"]
            assert (model and model.prices.input_usd_per_mtok) == wanted

    routing = [asyncio.create_task(route()) for _ in range(2)]
    await change()
    done.set()
    await asyncio.gather(*routing)
    assert next(decided) > 1000


async def test_what_a_decision_was_made_from_stays_as_it_was(parts, live):
    before = parts.route(Call("chat"))
    edition = before.question.published.edition
    await live.change(Wish(key("m0"), {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 1.0}), ADMIN, dry_run=False)
    assert "m0" not in edition.models
    assert parts.route(Call("chat")).question.published.edition is not edition
    require_sound(before)


async def test_a_change_that_was_made_is_told_and_known_though_the_registry_cannot_be_read_after_it(
    parts, live, monkeypatch
):
    edit, read = parts.store.edit_registry, parts.store.registry

    async def gone():
        raise StoreUnavailableError("the database is gone")

    async def edit_and_go(*edits, **told):
        await edit(*edits, **told)
        monkeypatch.setattr(parts.store, "registry", gone)

    monkeypatch.setattr(parts.store, "edit_registry", edit_and_go)
    changed = await live.change(
        Wish(key("m0"), {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 1.0}), ADMIN, dry_run=False
    )
    assert live.present == await read()
    assert (changed.after, changed.version) == (live.present.entries[key("m0")], live.present.version)
    assert "m0" in parts.route(Call("chat")).question.published.edition.models


@pytest.mark.usefixtures("live")
async def test_a_look_that_began_before_a_start_never_puts_the_registry_back(parts, monkeypatch):
    catalogue = replace(parts.settings.catalogue, models=parts.settings.catalogue.models[1:])
    late = LiveRegistry(
        *(parts.store, replace(parts.settings, catalogue=catalogue), parts.publisher, parts.log.logger),
        clock=parts.clock,
    )
    read, goes_on = parts.store.registry, asyncio.Event()

    async def slow():
        monkeypatch.setattr(parts.store, "registry", read)
        registry = await read()
        await goes_on.wait()
        return registry

    monkeypatch.setattr(parts.store, "registry", slow)
    looking = asyncio.create_task(late.reload())
    await asyncio.sleep(0)
    starting = asyncio.create_task(late.start(["acme"]))
    for _ in range(20):
        await asyncio.sleep(0)
    goes_on.set()
    await asyncio.gather(looking, starting)
    assert late.present == await read()
    assert not parts.namespace.edition.models["small"].enabled


LARGE, CHAT, HASTY = (
    key("large"),
    EntryKey(EntryKind.CATEGORY, "acme", "chat"),
    EntryKey(EntryKind.PROFILE, "", "hasty"),
)
NEWER = (
    Edit(None, Entry(LARGE, {"input_usd_per_mtok": "by the hour", "output_usd_per_mtok": 1.0}, MANAGED_BY_API, 901)),
    Edit(None, Entry(CHAT, {"mode": "fairest", "input_tokens": 10**12}, MANAGED_BY_API, 902)),
    Edit(None, Entry(HASTY, {"answer_value_usd": [1, 2]}, MANAGED_BY_API, 903)),
    Edit(
        None,
        Entry(key("m0"), {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 1.0}, MANAGED_BY_API, 904),
    ),
)


def unreadable(log):
    return [event["name"] for event in log.events if event["event"] == "registry_entry_unreadable"]


async def written_by_a_newer_version(live, store):
    await store.edit_registry(live.present.version, NEWER, time_us=1, client="ann")


async def test_what_a_newer_version_wrote_is_left_out_with_a_word_and_the_rest_holds(parts, live):
    await written_by_a_newer_version(live, parts.store)
    for _ in range(2):
        await live.reload()
    edition = parts.namespace.edition
    assert "m0" in edition.models
    assert "large" not in edition.models
    assert "hasty" not in edition.catalogue.profiles
    assert edition.category("chat") == CategorySettings()
    assert set(live.present.entries) > {LARGE, CHAT, HASTY}
    assert unreadable(parts.log) == ["chat", "large", "hasty"]
    require_sound(parts.route(Call("chat")))
    await live.change(Wish(key("m1"), {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 1.0}), ADMIN, dry_run=False)
    assert "m1" in parts.namespace.edition.models


async def test_a_start_and_a_saved_registry_survive_what_a_newer_version_wrote(parts, live):
    await written_by_a_newer_version(live, parts.store)
    again = LiveRegistry(parts.store, parts.settings, parts.publisher, parts.log.logger, clock=parts.clock)
    started = (await again.start(["acme"]))["acme"]
    recalled = again.recall(await parts.store.registry(), ["acme"])["acme"]
    for edition in (started, recalled):
        assert "m0" in edition.models
        assert "hasty" not in edition.catalogue.profiles
    assert again.present == await parts.store.registry()


async def test_a_registry_that_is_not_taken_in_is_taken_in_at_the_next_look(parts, live, monkeypatch):
    await written_by_a_newer_version(live, parts.store)
    with monkeypatch.context() as patched:
        patched.setattr("server.registry.live.edition_of", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await live.reload()
    await live.reload()
    assert "m0" in parts.namespace.edition.models
