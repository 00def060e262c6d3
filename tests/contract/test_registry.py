"""Models, categories and profiles, who manages them, and who changed them."""

import asyncio

import pytest

from adapters.ledger import MANAGED_BY_FILE, StoreError
from adapters.registry import (
    MANAGED_BY_API,
    Audited,
    Edit,
    Entry,
    EntryKey,
    EntryKind,
    Registry,
    RegistryMovedError,
)
from bandit.signals import Thumb

LARGE = Entry(
    EntryKey(EntryKind.MODEL, "", "acme/large"),
    {"input_usd_per_mtok": 0.1 + 0.2, "output_usd_per_mtok": 10.0, "capabilities": ["tools", "vision"]},
    MANAGED_BY_FILE,
)
CHAT = Entry(EntryKey(EntryKind.CATEGORY, "acme", "chat"), {"baseline": "acme/large", "guard": 0.1}, MANAGED_BY_API)
FRUGAL = Entry(EntryKey(EntryKind.PROFILE, "", "frugal"), {"answer_value_usd": 0.001}, MANAGED_BY_API, version=7)
EVER = 1 << 60


async def edit(store, seen, *edits, time_us=5, client="ann"):
    await store.edit_registry(seen, edits, time_us=time_us, client=client)


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


async def test_a_new_store_has_an_empty_registry(store):
    assert await store.registry() == Registry()


async def test_entries_are_read_back_exactly_and_every_edit_is_counted(store):
    await edit(store, 0, Edit(None, LARGE), Edit(None, CHAT), Edit(None, FRUGAL))
    assert await store.registry() == Registry(3, {entry.key: entry for entry in (LARGE, CHAT, FRUGAL)})


async def test_an_entry_is_replaced_and_removed_under_its_key(store):
    dearer = Entry(LARGE.key, {**LARGE.settings, "input_usd_per_mtok": 0.4}, MANAGED_BY_FILE, version=2)
    await edit(store, 0, Edit(None, LARGE))
    await edit(store, 1, Edit(LARGE, dearer))
    assert await store.registry() == Registry(2, {LARGE.key: dearer})
    await edit(store, 2, Edit(dearer, None))
    assert await store.registry() == Registry(3)


async def test_a_category_that_is_registered_is_known_from_then_on(store):
    await edit(store, 0, Edit(None, CHAT))
    assert (await store.load("acme")).categories == ("chat",)


async def test_edits_of_an_older_version_are_refused_whole(store):
    await edit(store, 0, Edit(None, LARGE))
    with pytest.raises(RegistryMovedError):
        await edit(store, 0, Edit(None, CHAT), Edit(None, FRUGAL))
    assert await store.registry() == Registry(1, {LARGE.key: LARGE})
    assert len(await store.audit("acme", before=EVER, count=10)) == 1


async def test_of_two_edits_at_one_version_exactly_one_is_made(store):
    edits = [edit(store, 0, Edit(None, entry)) for entry in (LARGE, CHAT, FRUGAL)]
    ended = await asyncio.gather(*edits, return_exceptions=True)
    assert sorted(type(one).__name__ for one in ended) == ["NoneType", "RegistryMovedError", "RegistryMovedError"]
    assert (await store.registry()).version == 1


async def test_who_changed_what_is_told_newest_first_and_to_the_namespace_that_it_concerns(store):
    await edit(store, 0, Edit(None, LARGE), Edit(None, CHAT), time_us=5, client="ann")
    await edit(store, 2, Edit(LARGE, None), time_us=6, client="bob")
    made = Audited(1, 5, "ann", LARGE.key, None, LARGE.settings)
    named = Audited(2, 5, "ann", CHAT.key, None, CHAT.settings)
    removed = Audited(3, 6, "bob", LARGE.key, LARGE.settings, None)
    assert await store.audit("acme", before=EVER, count=10) == (removed, named, made)
    assert await store.audit("rival", before=EVER, count=10) == (removed, made)
    assert await store.audit("acme", before=3, count=1) == (named,)


@pytest.mark.parametrize("times", [1, 2])
async def test_a_store_can_be_closed_again(backend, times):
    async with backend.opened() as store:
        for _ in range(times):
            await store.close()


async def test_a_namespace_that_is_removed_takes_its_categories_along_which_is_counted_and_told_by_name(store):
    code = Entry(EntryKey(EntryKind.CATEGORY, "acme", "code"), {}, MANAGED_BY_API)
    await edit(store, 0, Edit(None, LARGE), Edit(None, code), Edit(None, CHAT))
    await store.remove_namespace("acme", time_us=9)
    assert await store.registry() == Registry(5, {LARGE.key: LARGE})
    await edit(store, 5, Edit(None, FRUGAL))
    told = await store.audit("acme", before=EVER, count=3)
    assert told[1:] == (Audited(5, 9, "", code.key, None, None), Audited(4, 9, "", CHAT.key, None, None))
    assert told[0].version == 6


async def test_a_namespace_without_registered_categories_leaves_the_registry_at_its_version(store):
    await edit(store, 0, Edit(None, LARGE))
    await store.remove_namespace("acme", time_us=9)
    assert await store.registry() == Registry(1, {LARGE.key: LARGE})
    assert len(await store.audit("acme", before=EVER, count=9)) == 1


async def test_what_all_namespaces_share_is_not_removed_as_the_namespace_without_a_name(store):
    await edit(store, 0, Edit(None, LARGE), Edit(None, FRUGAL))
    with pytest.raises(StoreError, match="has a name"):
        await store.remove_namespace("", time_us=9)
    assert await store.registry() == Registry(2, {LARGE.key: LARGE, FRUGAL.key: FRUGAL})
