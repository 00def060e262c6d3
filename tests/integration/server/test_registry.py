"""Models, categories and profiles change while the server runs, and the next decision knows."""

import asyncio
from dataclasses import replace

import grpc
import pytest

from adapters.memory import MemoryStore
from adapters.registry import MANAGED_BY_API, Edit, Entry, EntryKey, EntryKind
from routeward.v1 import registry_pb2 as pb
from routeward.v1 import routing_service_pb2 as pb_routing
from routeward.v1.admin_service_pb2 import GetPosteriorRequest
from server.settings import ApiKey
from tests.integration.server.conftest import BUCKET_US, KEYS, Failure

OUTCOME = pb_routing.Signal(
    outcome=pb_routing.Outcome(status=pb_routing.STATUS_OK, input_tokens=900, output_tokens=100)
)
CHEAP = {"id": "tiny", "input_usd_per_mtok": 0.01, "output_usd_per_mtok": 0.02}


@pytest.fixture
def settings(settings):
    """Without the figures, whose server takes half a second to stop."""
    return replace(settings, server=replace(settings.server, metrics_listen=""))


async def upsert(client, *, expected=None, dry_run=False, **fields):
    request = pb.UpsertModelRequest(model=pb.Model(**{**CHEAP, **fields}), expected_version=expected, dry_run=dry_run)
    return await client.call(client.admin.UpsertModel, request)


async def delete(client, id_="tiny", *, expected=None, dry_run=False):
    request = pb.DeleteModelRequest(id=id_, expected_version=expected, dry_run=dry_run)
    return await client.call(client.admin.DeleteModel, request)


async def models(client):
    return {one.id: one for one in (await client.call(client.admin.ListModels, pb.ListModelsRequest())).models}


def snapshot_of(running, tenant="default"):
    return running.namespace(tenant).published.snapshot


async def test_a_model_that_is_added_can_be_chosen_at_once_and_is_not_once_it_is_removed(client):
    added = await upsert(client)
    assert (added.model.managed_by, added.model.enabled, added.HasField("before")) == ("api", True, False)
    assert (await client.route(model="tiny")).model == "tiny"
    assert (await delete(client)).before == added.model
    assert (await client.route(model="tiny")).reason == "MODEL_UNKNOWN"


async def test_a_model_that_is_disabled_is_not_chosen_and_says_why(client):
    await upsert(client)
    await upsert(client, enabled=False)
    refused = await client.route(constraints={"models": ["tiny"]})
    assert (refused.reason, refused.metadata) == (
        "NO_ELIGIBLE_MODEL",
        {"tiny": "disabled", "small": "models", "large": "models", "other": "models"},
    )


async def test_a_price_acts_on_the_next_decision_and_changes_what_names_the_configuration(client, running):
    await upsert(client, input_usd_per_mtok=1.0, output_usd_per_mtok=0.0)
    before, digest = await client.route(model="tiny", input_tokens=1_000_000), snapshot_of(running).config_hash
    await upsert(client, input_usd_per_mtok=3.0, output_usd_per_mtok=0.0)
    after = await client.route(model="tiny", input_tokens=1_000_000)
    assert after.forecast.cost_usd == pytest.approx(3 * before.forecast.cost_usd)
    assert snapshot_of(running).config_hash != digest


async def test_what_is_taken_back_leaves_the_digest_of_the_configuration_as_it_was(client, running):
    before = snapshot_of(running).config_hash
    await upsert(client)
    assert snapshot_of(running).config_hash != before
    await delete(client)
    assert snapshot_of(running).config_hash == before


async def test_what_a_model_taught_is_there_when_it_returns(client, running):
    await upsert(client)
    decision = await client.route(model="tiny")
    await client.feedback(decision.decision_id, OUTCOME)
    await delete(client)
    await upsert(client)
    await running.publish()
    posterior = await client.call(client.admin.GetPosterior, GetPosteriorRequest(category="chat"))
    assert {one.model: round(one.outcome_count) for one in posterior.categories[0].models}["tiny"] == 1


async def test_what_the_file_names_is_not_changed_by_others(client):
    for answer in (await upsert(client, id="small"), await delete(client, "other")):
        assert (answer.code, answer.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "MANAGED_BY_FILE")


async def test_saying_what_is_there_already_changes_nothing(client):
    first, again = await upsert(client), await upsert(client, enabled=True, family="tiny", prior_weight=5.0)
    assert (again.model, again.registry_version) == (first.model, first.registry_version)
    assert again.before == first.model


async def test_a_dry_run_says_what_would_be_and_changes_nothing(client):
    before = await models(client)
    would = await upsert(client, dry_run=True)
    assert would.model.id == "tiny"
    assert await models(client) == before
    assert (await delete(client, dry_run=True)).reason == "MODEL_UNKNOWN"


async def test_a_change_of_a_version_that_is_gone_is_refused_and_tells_the_present_one(client):
    first = (await upsert(client, expected=0)).model
    second = (await upsert(client, expected=first.version, region="eu")).model
    assert second.version > first.version
    for refused in (
        await upsert(client, expected=first.version),
        await upsert(client, expected=0),
        await delete(client, expected=first.version),
    ):
        assert (refused.reason, refused.metadata) == (
            "VERSION_CONFLICT",
            {"name": "tiny", "version": str(second.version)},
        )


async def test_a_name_that_returns_never_has_a_version_twice(client):
    first = (await upsert(client)).model
    await delete(client)
    await upsert(client, region="eu")
    assert (await delete(client, expected=first.version)).reason == "VERSION_CONFLICT"


async def test_of_changes_of_one_version_at_once_exactly_one_is_made(serve, settings):
    store = MemoryStore(bucket_us=BUCKET_US)
    async with serve(settings, store=store) as one, serve(settings, store=store) as other:
        clients = one.client(), other.client()
        version = (await upsert(clients[0])).model.version
        regions = [f"region-{number}" for number in range(8)]
        answers = await asyncio.gather(
            *(upsert(clients[n % 2], expected=version, region=region) for n, region in enumerate(regions))
        )
        [won] = [answer for answer in answers if not isinstance(answer, Failure)]
        assert {answer.reason for answer in answers if isinstance(answer, Failure)} == {"VERSION_CONFLICT"}
        assert (await models(clients[1]))["tiny"].region == won.model.region


async def test_the_last_enabled_model_can_be_neither_disabled_nor_removed_whoever_tries_at_once(serve, settings):
    only = replace(settings, catalogue=replace(settings.catalogue, models=settings.catalogue.models[:1]))
    store = MemoryStore(bucket_us=BUCKET_US)
    async with serve(only, store=store) as running:
        await upsert(running.client(), id="first")
        await upsert(running.client(), id="second")
    disabled = replace(only.catalogue.models[0], enabled=False)
    none = replace(only, catalogue=replace(only.catalogue, models=(disabled,)))
    async with serve(none, store=store) as one, serve(none, store=store) as other:
        answers = await asyncio.gather(
            delete(one.client(), "first"), upsert(other.client(), id="second", enabled=False)
        )
        [refused] = [answer for answer in answers if isinstance(answer, Failure)]
        assert (refused.reason, refused.metadata) == ("REGISTRY_INCONSISTENT", {"field": "models"})
        assert "no model would be enabled" in refused.text


async def test_a_model_that_a_category_relies_on_is_not_taken_away(client):
    await upsert(client)
    category = pb.Category(name="code", baseline="tiny", guard=0.1)
    await client.call(client.admin.UpsertCategory, pb.UpsertCategoryRequest(category=category))
    refused = await delete(client)
    assert (refused.reason, refused.metadata) == ("REGISTRY_INCONSISTENT", {"field": "categories.code.baseline"})


async def test_a_model_obeys_the_rules_of_the_configuration_file(client):
    for fields, violation in (
        ({"input_usd_per_mtok": -1.0}, "model.input_usd_per_mtok"),
        ({"input_usd_per_mtok": float("nan")}, "model.input_usd_per_mtok"),
        ({"output_usd_per_mtok": None}, "model.output_usd_per_mtok"),
        ({"id": "no name"}, "model.id"),
        ({"id": ""}, "model.id"),
        ({"context_tokens": 0}, "model.context_tokens"),
        ({"capabilities": ["tools", "a b"]}, "model.capabilities.1"),
        ({"prior_quality": 1.0}, "model.prior_quality"),
    ):
        refused = await upsert(client, **fields)
        assert (refused.code, refused.violations) == (grpc.StatusCode.INVALID_ARGUMENT, [violation])


async def test_rules_between_fields_are_those_of_the_configuration_file_too(client):
    refused = await upsert(client, context_tokens=10, max_output_tokens=20)
    assert (refused.reason, refused.metadata) == ("REGISTRY_INCONSISTENT", {"field": "models.3.max_output_tokens"})


async def test_a_profile_is_a_profile_for_callers_until_it_is_removed(client):
    profile = pb.Profile(name="hasty", second_value_usd=1.0)
    await client.call(client.admin.UpsertProfile, pb.UpsertProfileRequest(profile=profile))
    assert (await client.route(profile="hasty")).model
    found = await client.call(client.admin.GetProfile, pb.GetProfileRequest(name="hasty"))
    assert (found.profile.answer_value_usd, found.profile.second_value_usd) == (0.05, 1.0)
    await client.call(client.admin.DeleteProfile, pb.DeleteProfileRequest(name="hasty"))
    assert (await client.route(profile="hasty")).reason == "PROFILE_UNKNOWN"


async def test_a_category_belongs_to_the_namespace_of_the_key_and_changes_how_it_chooses(serve, two_tenants):
    async with serve(_admins(two_tenants)) as running:
        acme, globex = running.client("acme"), running.client("globex")
        category = pb.Category(name="code", baseline="large", observe_share=0.0)
        await acme.call(acme.admin.UpsertCategory, pb.UpsertCategoryRequest(category=category))
        assert {(await acme.route("code")).model for _ in range(20)} == {"large"}
        assert len({(await globex.route("code")).model for _ in range(50)}) > 1
        listed = await globex.call(globex.admin.ListCategories, pb.ListCategoriesRequest())
        assert [one.name for one in listed.categories] == ["chat", "default"]
        assert "code" not in {one.name for one in (await audit(globex))[0].entries}


NEWER = {"input_usd_per_mtok": "by the hour", "output_usd_per_mtok": 1.0}


async def with_a_model_of_a_newer_version(running, **settings):
    present = running.service.registry.present
    entry = Entry(EntryKey(EntryKind.MODEL, "", "hourly"), {**NEWER, **settings}, MANAGED_BY_API, present.version + 1)
    await running.store.edit_registry(present.version, [Edit(None, entry)], time_us=1, client="ann")
    await running.service.registry.reload()


async def test_an_entry_that_this_version_cannot_read_is_told_by_name_and_hides_no_other(client, running):
    await with_a_model_of_a_newer_version(running)
    refused = await client.call(client.admin.GetModel, pb.GetModelRequest(id="hourly"))
    assert (refused.code, refused.reason, refused.metadata) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "REGISTRY_ENTRY_UNREADABLE",
        {"kind": "model", "name": "hourly"},
    )
    assert "upgrade the server, or replace or remove the entry" in refused.text
    listed = await client.call(client.admin.ListModels, pb.ListModelsRequest())
    assert ([one.id for one in listed.models], listed.unreadable) == (["large", "other", "small"], ["hourly"])
    assert not (await client.call(client.admin.ListProfiles, pb.ListProfilesRequest())).unreadable


async def test_what_cannot_be_read_can_be_replaced_and_removed(client, running):
    await with_a_model_of_a_newer_version(running)
    replaced = await upsert(client, id="hourly")
    assert (replaced.model.id, replaced.HasField("before")) == ("hourly", False)
    await delete(client, "hourly")
    await with_a_model_of_a_newer_version(running)
    assert not (await delete(client, "hourly")).HasField("before")
    assert "hourly" not in await models(client)


async def audit(client, **fields):
    first = await client.call(client.admin.ListAudit, pb.ListAuditRequest(**fields))
    token = getattr(first, "next_page_token", "")
    return first, token


async def test_every_change_is_told_newest_first_and_page_by_page(client):
    await upsert(client)
    await upsert(client, region="eu")
    await delete(client)
    first, token = await audit(client, page_size=2)
    second, _ = await audit(client, page_size=2, page_token=token)
    actions = [(one.action, one.name) for one in (*first.entries, *second.entries)]
    assert actions[:3] == [("delete", "tiny"), ("update", "tiny"), ("create", "tiny")]
    assert '"region": "eu"' in first.entries[1].after_json
    assert second.entries[1].client == "file"
    unread = await client.call(client.admin.ListAudit, pb.ListAuditRequest(page_size=0, page_token=" 1"))  # noqa: S106
    assert unread.violations == ["page_size", "page_token"]


async def test_only_a_key_that_is_marked_may_change_the_registry_or_see_who_did(serve, two_tenants):
    async with serve(_admins(two_tenants, "acme")) as running:
        acme, globex = running.client("acme"), running.client("globex")
        for refused in (await upsert(globex), await delete(globex, "small"), (await audit(globex))[0]):
            assert (refused.code, refused.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ADMIN_REQUIRED")
        assert not isinstance(await upsert(acme), Failure)
        assert (await globex.route(model="tiny")).model == "tiny"
        assert (await audit(acme))[0].entries[0].client == "acme"


async def test_another_replica_decides_by_a_change_once_it_has_reloaded(serve, settings):
    store = MemoryStore(bucket_us=BUCKET_US)
    async with serve(settings, store=store) as one, serve(settings, store=store) as other:
        await upsert(one.client())
        assert (await other.client().route(model="tiny")).reason == "MODEL_UNKNOWN"
        await other.service.registry.reload()
        assert (await other.client().route(model="tiny")).model == "tiny"
        assert snapshot_of(one).config_hash == snapshot_of(other).config_hash


async def test_a_restart_keeps_what_was_registered_and_the_file_owns_what_it_names(serve, settings):
    async with serve(settings) as running:
        await upsert(running.client())
        await upsert(running.client(), id="taken")
        version = running.service.registry.present.version
    async with serve(settings) as running:
        assert running.service.registry.present.version == version
        assert (await running.client().route(model="tiny")).model == "tiny"
    small, large, other = settings.catalogue.models
    taken = replace(small, id="taken", family="")
    changed = replace(settings, catalogue=replace(settings.catalogue, models=(large, other, taken)))
    async with serve(changed) as running:
        owners = {id_: (one.managed_by, one.enabled) for id_, one in (await models(running.client())).items()}
        assert owners == {
            "large": ("file", True),
            "other": ("file", True),
            "small": ("api", False),
            "taken": ("file", True),
            "tiny": ("api", True),
        }


def _admins(settings, *tenants):
    keys = [ApiKey(tenant, digest, tenant, tenant in (tenants or KEYS)) for tenant, (_, digest) in KEYS.items()]
    return replace(settings, server=replace(settings.server, keys=tuple(keys)))
