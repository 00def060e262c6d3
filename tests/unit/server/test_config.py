"""What a valid configuration becomes."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit.budget import Budget
from bandit.catalogue import Model, Prices
from bandit.request import Objective
from server.config import ConfigError, Problem, load
from server.settings import ApiKey, CategorySettings, Settings, TlsFiles, TokenKey

SMALLEST = """\
[[models]]
id = "gpt-4o"
input_usd_per_mtok = 2.5
output_usd_per_mtok = 10
"""

FULL = """\
[server]
listen = "0.0.0.0:7443"
metrics = "[::1]:9000"
tls_certificate = "tls.crt"
tls_key = "tls.key"
token_key_file = "secrets/signing.keys"
drain_seconds = 1
grace_seconds = 10

[[server.keys]]
id = "checkout"
sha256 = "{hash}"
namespace = "shop"

[store]
path = "data.db"
retention_days = 90
min_free_mb = 1

[learning]
exploration = 1
floor = 0
refresh_seconds = 2
bucket_seconds = 60
max_feedback_age_days = 14
half_life_days = {{ quality = 30, latency = 0.5 }}
caps = {{ "openai/gpt-4o" = 0.9 }}

[routing]
max_categories = 5
strict_categories = true
max_fallbacks = 0

[profiles.fast]
second_value_usd = 0.01

[[budgets]]
name = "reviews"
namespace = "shop"
category = "code-review"
profile = "balanced"
usd_per_period = 50
period_hours = 168
on_exhausted = "refuse"

[[budgets]]
name = "all"
usd_per_request = 0.002

[categories.code-review]
input_tokens = 4000
quality_source = "score:judge"
latency_probability = 0.99

[[models]]
id = "openai/gpt-4o"
family = "gpt-4o"
provider = "openai"
region = "eu"
input_usd_per_mtok = 2.5
cached_input_usd_per_mtok = 1.25
output_usd_per_mtok = 10
context_tokens = 128_000
max_output_tokens = 16_384
capabilities = ["vision", "tools"]
enabled = true

[[models]]
id = "local"
input_usd_per_mtok = 0
output_usd_per_mtok = 0
enabled = false
""".format(hash="0a" * 32)


def read(folder: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    (folder / "routeward.toml").write_text(text, encoding="utf-8")
    return load(folder / "routeward.toml", environ or {})


@pytest.fixture
def full(tmp_path: Path) -> Settings:
    """What FULL becomes."""
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).touch()
    return read(tmp_path, FULL, {"ROUTEWARD_TOKEN_KEYS": f"new:{'ab' * 32}, old:{'CD' * 40}"})


def test_every_setting_that_the_smallest_file_leaves_out_has_its_default(tmp_path: Path) -> None:
    loaded = read(tmp_path, SMALLEST)
    default = Settings()
    assert loaded.server == dataclasses.replace(default.server, token_key_file=tmp_path / "routeward.keys")
    assert loaded.store == dataclasses.replace(default.store, path=tmp_path / "routeward.db")
    assert loaded.learning == default.learning
    model = Model("gpt-4o", Prices(2.5, 10.0), family="gpt-4o")
    assert loaded.catalogue == dataclasses.replace(default.catalogue, models=(model,))


def test_a_category_without_keys_has_the_defaults_of_the_service(tmp_path: Path) -> None:
    assert read(tmp_path, SMALLEST + "[categories.x]\n").catalogue.categories == {"x": CategorySettings()}


def test_a_profile_without_keys_has_the_defaults_of_the_core(tmp_path: Path) -> None:
    assert read(tmp_path, SMALLEST + "[profiles.x]\n").catalogue.profiles == {"balanced": Objective(), "x": Objective()}


def test_the_default_profile_can_be_changed(tmp_path: Path) -> None:
    loaded = read(tmp_path, SMALLEST + "[profiles.balanced]\nanswer_value_usd = 1\n")
    assert loaded.catalogue.profiles == {"balanced": Objective(answer_value_usd=1.0)}


def test_paths_start_at_the_folder_of_the_file(full: Settings, tmp_path: Path) -> None:
    assert full.store.path == tmp_path / "data.db"
    assert full.server.tls == TlsFiles(tmp_path / "tls.crt", tmp_path / "tls.key")
    assert full.server.token_key_file == tmp_path / "secrets/signing.keys"


def test_every_key_of_the_server_arrives(full: Settings) -> None:
    server = full.server
    assert (server.listen, server.metrics_listen) == ("0.0.0.0:7443", "[::1]:9000")
    assert (server.drain_s, server.grace_s) == (1.0, 10.0)
    assert server.keys == (ApiKey("checkout", "0a" * 32, "shop"),)
    assert server.token_keys == (TokenKey("new", b"\xab" * 32), TokenKey("old", b"\xcd" * 40))


def test_every_key_of_store_learning_and_routing_arrives_in_base_units(full: Settings) -> None:
    learning, catalogue = full.learning, full.catalogue
    assert (full.store.retention_s, full.store.min_free_bytes) == (90 * 86400.0, 1024 * 1024)
    assert (learning.bucket_s, learning.refresh_s, learning.max_feedback_age_s) == (60.0, 2.0, 14 * 86400.0)
    assert (learning.policy.exploration, learning.policy.floor) == (1.0, 0.0)
    assert learning.policy.caps == {"openai/gpt-4o": 0.9}
    assert learning.inference.half_lives_s == {"quality": 30 * 86400.0, "latency": 43200.0}
    assert learning.inference.quality_sources == {"code-review": "score:judge"}
    assert (catalogue.max_categories, catalogue.strict_categories, catalogue.max_fallbacks) == (5, True, 0)
    assert catalogue.categories == {"code-review": CategorySettings(4000, 0.99)}
    assert catalogue.profiles["fast"] == Objective(0.05, 0.01)


def test_every_key_of_a_model_arrives_and_models_are_sorted(full: Settings) -> None:
    assert full.catalogue.models == (
        Model("local", Prices(0.0, 0.0), family="local", enabled=False),
        Model(
            id="openai/gpt-4o",
            prices=Prices(2.5, 10.0, 1.25),
            family="gpt-4o",
            provider="openai",
            region="eu",
            context_tokens=128_000,
            max_output_tokens=16_384,
            capabilities=frozenset({"tools", "vision"}),
        ),
    )


def test_an_empty_path_keeps_everything_in_memory(tmp_path: Path) -> None:
    loaded = read(tmp_path, SMALLEST + "[store]\npath = ''\n")
    assert loaded.store.in_memory
    assert loaded.server.token_key_file is None
    assert not read(tmp_path, SMALLEST).store.in_memory


def test_an_address_of_the_command_line_replaces_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "routeward.toml").write_text(SMALLEST)
    assert load(tmp_path / "routeward.toml", {}, listen="[::1]:1").server.listen == "[::1]:1"


def test_the_address_of_the_figures_is_replaced_and_complained_of_by_its_option(tmp_path: Path) -> None:
    path = tmp_path / "routeward.toml"
    path.write_text(SMALLEST)
    server = load(path, {}, metrics="127.0.0.1:1").server
    assert (server.listen, server.metrics_listen) == ("127.0.0.1:7443", "127.0.0.1:1")
    with pytest.raises(ConfigError) as refused:
        load(path, {}, metrics="nowhere")
    assert [(problem.place, problem.line) for problem in refused.value.problems] == [("--metrics", None)]


def test_a_key_file_is_enough_to_listen_to_others(tmp_path: Path) -> None:
    (tmp_path / "routeward.keys").touch()
    text = '[server]\nlisten = "0.0.0.0:1"\nkeys = [{ id = "a", sha256 = "' + "0" * 64 + '" }]\n' + SMALLEST
    assert read(tmp_path, text).server.listen == "0.0.0.0:1"


def test_secrets_do_not_show_when_settings_are_printed(full: Settings) -> None:
    assert "ab" * 4 not in repr(full)
    assert repr(b"\xab" * 4)[2:-1] not in repr(full)


SHAPING = {
    "exploration = 1": "exploration = 0.9",
    "floor = 0": "floor = 0.001",
    "bucket_seconds = 60": "bucket_seconds = 30",
    "quality = 30": "quality = 31",
    '"openai/gpt-4o" = 0.9': '"openai/gpt-4o" = 0.8',
    "max_categories = 5": "max_categories = 6",
    "strict_categories = true": "strict_categories = false",
    "max_fallbacks = 0": "max_fallbacks = 1",
    "second_value_usd = 0.01": "second_value_usd = 0.02",
    "[profiles.fast]": "[profiles.quick]",
    "input_tokens = 4000": "input_tokens = 4001",
    '"score:judge"': '"any"',
    "latency_probability = 0.99": "latency_probability = 0.9",
    '"local"': '"remote"',
    "\ninput_usd_per_mtok = 2.5": "\ninput_usd_per_mtok = 2.6",
    "cached_input_usd_per_mtok = 1.25": "cached_input_usd_per_mtok = 1.2",
    "output_usd_per_mtok = 10": "output_usd_per_mtok = 11",
    "context_tokens = 128_000": "context_tokens = 128_001",
    "max_output_tokens = 16_384": "",
    '"vision"': '"audio"',
    "enabled = false": "enabled = true",
    'provider = "openai"': 'provider = "azure"',
    'region = "eu"': 'region = "us"',
    'family = "gpt-4o"': 'family = "gpt-4"',
}
OTHER = {
    '"0.0.0.0:7443"': '"127.0.0.1:1"',
    "drain_seconds = 1": "drain_seconds = 2",
    f'"{"0a" * 32}"': f'"{"0b" * 32}"',
    '"data.db"': '"other.db"',
    "retention_days = 90": "retention_days = 91",
    "refresh_seconds = 2": "refresh_seconds = 3",
    '["vision", "tools"]': '["tools", "vision"]',
}


@pytest.mark.parametrize(("old", "new"), SHAPING.items())
def test_the_digest_changes_with_whatever_shapes_decisions(old: str, new: str, full: Settings, tmp_path: Path) -> None:
    assert FULL.count(old) == 1
    changed = read(tmp_path, FULL.replace(old, new), {"ROUTEWARD_TOKEN_KEYS": f"a:{'0' * 64}"})
    assert changed.digest != full.digest


@pytest.mark.parametrize(("old", "new"), OTHER.items())
def test_the_digest_ignores_what_shapes_no_decision(old: str, new: str, full: Settings, tmp_path: Path) -> None:
    assert FULL.count(old) == 1
    changed = read(tmp_path, FULL.replace(old, new), {"ROUTEWARD_TOKEN_KEYS": f"a:{'0' * 64}"})
    assert changed.digest == full.digest


def test_the_digest_does_not_depend_on_the_order_of_models(tmp_path: Path) -> None:
    other = SMALLEST.replace("gpt-4o", "other")
    assert read(tmp_path, SMALLEST + other).digest == read(tmp_path, other + SMALLEST).digest


@settings(deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([*FULL.splitlines(), "[", "]", "=", "\x00", '"', "é", "[[", "x = [{}]"]), max_size=12))
def test_whatever_stands_in_a_file_it_becomes_settings_or_problems_with_hints(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    path = tmp_path_factory.mktemp("config") / "routeward.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    problems: tuple[Problem, ...] = ()
    try:
        load(path, {})
    except ConfigError as error:
        problems = error.problems
    assert all(problem.message and problem.hint and problem.line for problem in problems)


def test_budgets_are_sorted_by_name_and_periods_are_in_seconds(full: Settings) -> None:
    assert full.catalogue.budgets == (
        Budget("all", usd_per_request=0.002),
        Budget("reviews", "shop", "code-review", "balanced", None, 50.0, 7 * 86_400, "refuse"),
    )
    assert full.catalogue.budgets_of("shop") == full.catalogue.budgets
    assert full.catalogue.budgets_of("other") == full.catalogue.budgets[:1]
