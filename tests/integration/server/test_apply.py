"""`routeward apply` against a server that runs."""

import asyncio
import json
from dataclasses import replace

import pytest

from adapters.ledger import StoreUnavailableError
from adapters.memory import MemoryStore
from adapters.registry import MANAGED_BY_API, Edit, Entry, EntryKey, EntryKind
from routeward.cli.app import run
from server.settings import ApiKey
from tests.integration.server.conftest import BUCKET_US, KEYS

DECLARED = """\
[[models]]
id = "tiny"
input_usd_per_mtok = 0.01
output_usd_per_mtok = 0.02

[categories.code]
baseline = "tiny"
guard = 0.1

[profiles.hasty]
second_value_usd = 1.0
"""
TINY = EntryKey(EntryKind.MODEL, "", "tiny")


@pytest.fixture
def settings(settings):
    """Without the figures, whose server takes half a second to stop."""
    return replace(settings, server=replace(settings.server, metrics_listen=""))


@pytest.fixture
def applied(running, tmp_path, capsys):
    """Apply a text, and return the exit code and what was printed."""

    async def apply(text, *options, target=running):
        file = tmp_path / "registry.toml"
        file.write_text(text)
        words = ["apply", "-f", str(file), "--target", target.addresses.grpc, *options]
        code = await asyncio.to_thread(run, words)
        out = capsys.readouterr().out
        return code, json.loads(out) if "--json" in options else out

    return apply


async def test_a_file_is_applied_once_and_then_there_is_nothing_to_do(applied, running, client):
    code, shown = await applied(DECLARED)
    assert (code, shown.splitlines()[0], shown.splitlines()[-1]) == (0, "+ model tiny", "3 changes made")
    assert "    input_usd_per_mtok: 0.01\n" in shown
    assert (await client.route("code", profile="hasty", model="tiny")).model == "tiny"
    version = running.service.registry.present.version
    assert await applied(DECLARED) == (0, "nothing to do\n")
    assert running.service.registry.present.version == version


async def test_a_change_is_shown_field_by_field(applied):
    await applied(DECLARED)
    code, document = await applied(DECLARED.replace("0.02", "0.03") + "answer_value_usd = 0.05\n", "--json")
    assert (code, document) == (
        0,
        {
            "dry_run": False,
            "changes": [
                {
                    "action": "update",
                    "kind": "model",
                    "name": "tiny",
                    "fields": {"output_usd_per_mtok": {"before": 0.02, "after": 0.03}},
                }
            ],
        },
    )


async def test_a_dry_run_changes_nothing(applied, running):
    code, shown = await applied(DECLARED, "--dry-run")
    last = "3 changes would be made; whether the entries fit together is checked only when they are applied"
    assert (code, shown.splitlines()[-1]) == (0, last)
    code, document = await applied(DECLARED, "--dry-run", "--json")
    assert (code, document["rules_between_entries_checked"]) == (0, False)
    assert TINY not in running.service.registry.present.entries


async def test_what_is_no_longer_declared_stays_unless_it_is_pruned_and_categories_leave_before_models(
    applied, running
):
    await applied(DECLARED)
    assert await applied("") == (0, "nothing to do\n")
    code, shown = await applied("", "--prune")
    assert (code, shown.splitlines()) == (
        0,
        ["- category code", "- profile hasty", "- model tiny", "3 changes made"],
    )
    assert TINY not in running.service.registry.present.entries


async def test_what_the_file_of_the_server_names_is_refused_before_anything_is_changed(applied, running):
    small = '[[models]]\nid = "small"\ninput_usd_per_mtok = 9\noutput_usd_per_mtok = 9\n'
    code, document = await applied(DECLARED.replace("[[models]]", small + "[[models]]", 1), "--json")
    assert (code, document["error"]["reason"]) == (1, "MANAGED_BY_FILE")
    assert TINY not in running.service.registry.present.entries


async def test_what_the_server_cannot_read_is_not_written_over_and_hides_nothing_else(applied, running):
    present = running.service.registry.present
    newer = Entry(TINY, {"input_usd_per_mtok": "by the hour"}, MANAGED_BY_API, present.version + 1)
    await running.store.edit_registry(present.version, [Edit(None, newer)], time_us=1, client="ann")
    code, document = await applied(DECLARED, "--json")
    assert (code, document["error"]["reason"]) == (1, "REGISTRY_ENTRY_UNREADABLE")
    assert "model tiny" in document["error"]["message"]
    assert (await running.store.registry()).version == newer.version
    assert await applied("[profiles.hasty]\nsecond_value_usd = 1.0\n", "--prune") == (
        0,
        "+ profile hasty\n    second_value_usd: 1.0\n1 change made\n",
    )
    assert TINY in (await running.store.registry()).entries


async def test_a_refusal_says_what_was_made_before_it(applied):
    code, document = await applied(DECLARED.replace('baseline = "tiny"', 'baseline = "tinier"'), "--json")
    error = document["error"]
    assert (code, error["reason"], [one["name"] for one in error["changes"]]) == (
        1,
        "REGISTRY_INCONSISTENT",
        ["tiny", "hasty"],
    )
    assert "category code" in error["message"]


async def test_a_file_that_is_wrong_is_told_with_lines_and_sends_nothing(applied):
    for text, line, message in (
        (DECLARED.replace("0.01", '"free"'), 3, "input_usd_per_mtok"),
        (DECLARED + "[server]\n", 12, "server"),
        (DECLARED + DECLARED.split("[categories", maxsplit=1)[0], 13, "id of two models"),
        ("[[models\n", 1, "not TOML"),
    ):
        code, document = await applied(text, "--json")
        [problem] = document["error"]["problems"]
        assert (code, problem["line"]) == (2, line)
        assert message in problem["message"]


async def test_a_key_that_is_not_marked_is_refused(applied, serve, two_tenants):
    key, digest = KEYS["acme"]
    settings = replace(two_tenants, server=replace(two_tenants.server, keys=(ApiKey("acme", digest, "acme"),)))
    async with serve(settings, store=MemoryStore(bucket_us=BUCKET_US)) as locked:
        code, document = await applied(DECLARED, "--json", "--api-key", key, target=locked)
    assert (code, document["error"]["reason"]) == (1, "ADMIN_REQUIRED")


class Away(MemoryStore):
    """A store that is read at the start, and does not answer afterwards."""

    is_away = False

    async def registry(self):
        if self.is_away:
            raise StoreUnavailableError("away")
        return await super().registry()

    async def edit_registry(self, seen, edits, *, time_us, client):
        if any(edit.key == TINY for edit in edits):
            raise StoreUnavailableError("away")
        await super().edit_registry(seen, edits, time_us=time_us, client=client)


async def test_an_outage_is_told_without_advice_for_programs(applied, serve, settings):
    store = Away(bucket_us=BUCKET_US)
    async with serve(settings, store=store) as running:
        _, at_change = await applied(DECLARED, "--json", target=running)
        store.is_away = True
        _, at_reading = await applied(DECLARED, "--json", target=running)
    said = "the store of the server does not answer; run apply again once it does"
    assert (at_reading["error"]["reason"], at_reading["error"]["message"]) == ("STORE_UNAVAILABLE", said)
    assert at_change["error"]["message"] == f"model tiny: {said} (0 of 3 changes were made)"
