"""The registry says everything that the configuration file does, and editions are what it says."""

import pytest

from adapters.registry import Edit, Entry, EntryKey, EntryKind, Registry
from bandit.modes import CheapestWithin, Mode
from bandit.priors import ModelPrior
from bandit.request import Objective
from server.config import load
from server.registry.file_entries import file_edits, file_entries
from server.registry.views import edition_of

FILE = """\
[learning]
floor = 0.001
[learning.caps]
small = 0.9

[[models]]
id = "large"
family = "grand"
provider = "openai"
upstream = "large-2026"
input_usd_per_mtok = 2.5
output_usd_per_mtok = 10
cached_input_usd_per_mtok = 0.25
region = "eu"
context_tokens = 128_000
max_output_tokens = 16_000
capabilities = ["vision", "tools"]
prior_quality = 0.8
prior_weight = 7
prior_error_rate = 0.02
list_latency_seconds = 1.5
list_output_tokens = 300
alias_of = "larger"

[[models]]
id = "small"
input_usd_per_mtok = 0.1
output_usd_per_mtok = 0.3

[[models]]
id = "asleep"
input_usd_per_mtok = 0
output_usd_per_mtok = 0
enabled = false

[categories.chat]

[categories.mail]
input_tokens = 700
latency_probability = 0.9
quality_source = "thumb+score:judge"
prior_from = "chat"
mode = "cheapest_within"
within = 0.03
within_probability = 0.8
within_exploration = 0.1

[categories.code]
baseline = "large"
observe_share = 0.5
guard = 0.2

[profiles.hasty]
second_value_usd = 1.0
"""


@pytest.fixture
def configured(tmp_path):
    file = tmp_path / "routeward.toml"
    file.write_text(FILE)
    return load(file, {})


def registry_of(settings, *namespaces):
    return Registry().edited(file_edits(Registry(), settings, namespaces))


def test_what_only_the_file_names_gives_an_edition_that_is_the_configuration(configured):
    edition = edition_of(configured, registry_of(configured, "acme", "shop"), "shop")
    assert edition.catalogue == configured.catalogue
    assert edition.learning == configured.learning
    assert edition.digest == configured.digest


def test_every_key_of_the_file_is_an_entry_and_defaults_are_none(configured):
    said = {entry.key.name: entry.settings for entry in file_entries(configured, ["acme"])}
    assert said["large"] == {
        "input_usd_per_mtok": 2.5,
        "output_usd_per_mtok": 10.0,
        "cached_input_usd_per_mtok": 0.25,
        "family": "grand",
        "provider": "openai",
        "upstream": "large-2026",
        "region": "eu",
        "context_tokens": 128_000,
        "max_output_tokens": 16_000,
        "capabilities": ["tools", "vision"],
        "prior_quality": 0.8,
        "prior_weight": 7.0,
        "prior_error_rate": 0.02,
        "list_latency_seconds": 1.5,
        "list_output_tokens": 300,
        "alias_of": "larger",
    }
    assert said["small"] == {"input_usd_per_mtok": 0.1, "output_usd_per_mtok": 0.3}
    assert said["chat"] == {}
    assert said["hasty"] == {"second_value_usd": 1.0}
    assert "balanced" not in said


def test_what_is_registered_shapes_the_edition_of_its_namespace_alone(configured):
    entries = [
        Entry(EntryKey(EntryKind.PROFILE, "", "balanced"), {"answer_value_usd": 0.2}, "api"),
        Entry(
            EntryKey(EntryKind.MODEL, "", "new"),
            {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0, "prior_quality": 0.9},
            "api",
        ),
        Entry(
            EntryKey(EntryKind.CATEGORY, "acme", "letters"),
            {"mode": "cheapest_within", "quality_source": "any", "prior_from": "chat", "input_tokens": 9},
            "api",
        ),
    ]
    registry = registry_of(configured, "acme", "shop").edited([Edit(None, entry) for entry in entries])
    acme, shop = (edition_of(configured, registry, namespace) for namespace in ("acme", "shop"))
    assert [model.id for model in acme.catalogue.models] == ["asleep", "large", "small", "new"]
    assert acme.catalogue.profiles["balanced"] == Objective(answer_value_usd=0.2)
    assert acme.learning.inference.models["new"] == ModelPrior(quality=0.9)
    assert acme.learning.policy.mode("letters") == Mode(CheapestWithin())
    assert acme.learning.inference.quality_sources["letters"] == "any"
    assert acme.learning.inference.prior_from == {"mail": "chat", "letters": "chat"}
    assert acme.category("letters").input_tokens == 9
    assert "letters" not in shop.catalogue.categories
    assert len({acme.digest, shop.digest, configured.digest}) == 3


def test_what_a_newer_version_says_besides_is_left_out(configured):
    key = EntryKey(EntryKind.MODEL, "", "small")
    registry = registry_of(configured, "acme")
    present = registry.entries[key]
    newer = Entry(key, {**present.settings, "colour": "red"}, present.managed_by, 99)
    edition = edition_of(configured, registry.edited([Edit(present, newer)]), "acme")
    assert edition.digest == configured.digest
