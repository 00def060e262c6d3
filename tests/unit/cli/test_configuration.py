"""`init`, `config` and `keys`."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from routeward.cli.service import starter
from server.config import load
from server.credentials import Credentials, Principal
from server.settings import ApiKey
from server.token_keys import read_keys

Cli = Callable[..., Any]


def test_what_init_writes_passes_the_check(cli: Cli) -> None:
    assert "Wrote routeward.toml" in cli("init").out
    ended = cli("config", "check")
    assert ended.code == 0
    assert ended.out.startswith("routeward.toml is fine: 6 models, 2 categories, digest ")


def test_what_init_writes_explains_itself_and_prices_every_model(tmp_path: Path) -> None:
    (tmp_path / "routeward.toml").write_text(starter(), encoding="utf-8")
    catalogue = load(tmp_path / "routeward.toml", {}).catalogue
    assert all(model.prices.input_usd_per_mtok > 0 for model in catalogue.models)
    assert len({model.family for model in catalogue.models}) < len(catalogue.models)
    assert starter().count("#") > 20


def test_what_init_writes_still_holds_when_its_suggestions_are_taken(tmp_path: Path) -> None:
    taken = re.sub(r"^# (half_life_days|caps)", r"\1", starter(), flags=re.MULTILINE)
    (tmp_path / "routeward.toml").write_text(taken, encoding="utf-8")
    learning = load(tmp_path / "routeward.toml", {}).learning
    assert learning.policy.caps == {"gpt-4.1": 0.5}
    assert learning.inference.half_lives_s["error"] == 2 * 86400.0


def test_what_init_writes_has_a_gateway_once_its_suggestion_is_taken(tmp_path: Path) -> None:
    before, _, rest = starter().partition("# [gateway]")
    suggested, mark, after = rest.partition("# The models to choose from.")
    suggested = suggested.replace("YOUR-RESOURCE", "ours")
    taken = re.sub(r"^# (\[.*\]|[a-z_]+ = .*)$", r"\1", f"# [gateway]{suggested}", flags=re.MULTILINE)
    (tmp_path / "routeward.toml").write_text(before + taken + mark + after, encoding="utf-8")
    gateway = load(tmp_path / "routeward.toml", {"OPENAI_API_KEY": "sk-canary"}).gateway
    assert gateway.upstreams.keys() == {"gpt-4.1", "gpt-4.1-mini", "llama-3.3-70b"}
    assert set(gateway.uncallable.values()) == {"provider_key"}


def test_the_check_names_what_the_gateway_cannot_call_and_shows_no_key(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    table = '[gateway]\nlisten = "127.0.0.1:7400"\n'
    Path("routeward.toml").write_text(table + re.sub(r"(?s)^.*?(?=\[\[models)", "", starter()))
    ended = cli("config", "check", "--json")
    assert (ended.code, ended.document["gateway"]) == (0, "127.0.0.1:7400")
    assert ended.document["callable_models"] == ["gpt-4.1", "gpt-4.1-mini"]
    assert "canary" not in ended.out
    shown = cli("config", "check").out
    assert "\n2 of 6 models can be called:\n" in shown
    assert "    claude-sonnet-4: ANTHROPIC_API_KEY, the key of anthropic, is not set or empty; set ANTHROPIC" in shown
    assert ended.document["uncallable_models"][0]["model"] == "azure/gpt-4.1"


def test_where_no_key_is_in_this_shell_all_is_checked_and_only_serve_refuses(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    model = 'id = "m"\nprovider = "openai"\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 1\n'
    Path("routeward.toml").write_text(f'[gateway]\nlisten = "127.0.0.1:0"\n[[models]]\n{model}')
    checked = cli("config", "check")
    assert (checked.code, "0 of 1 model can be called:\n    m: OPENAI_API_KEY" in checked.out) == (0, True)
    doctor = cli("doctor", "--json")
    rows = {check["name"]: check for check in doctor.document["checks"]}
    assert (doctor.code, rows["models"]["verdict"], rows["models"]["advice"]) == (1, "failed", "set OPENAI_API_KEY")
    assert {"disk", "database", "server", "gateway"} <= rows.keys()
    served = cli("serve")
    assert (served.code, "could call none of the models" in served.err) == (2, True)


def test_init_never_overwrites(cli: Cli) -> None:
    Path("routeward.toml").write_text("mine")
    ended = cli("init")
    assert (ended.code, ended.out) == (1, "")
    assert "left as it is" in ended.err
    assert Path("routeward.toml").read_text() == "mine"
    assert cli("init", "--json").document["error"]["reason"] == "FILE_EXISTS"


def test_a_server_that_cannot_start_says_why_last(cli: Cli) -> None:
    cli("init")
    Path("routeward.db").write_text("somebody's diary" * 100)
    ended = cli("serve")
    assert (ended.code, ended.out) == (2, "")
    *_, last = ended.err.splitlines()
    assert last.startswith("error: the server did not start: ")
    assert last.endswith("routeward.db is not a SQLite database: give the store another path")
    error = cli("serve", "--json").document["error"]
    assert error == {"reason": "REFUSED_TO_START", "message": last.removeprefix("error: ")}


def test_init_takes_another_path_and_says_how_to_use_it(cli: Cli) -> None:
    assert "routeward serve --config other.toml" in cli("init", "other.toml").out
    assert "No such file or directory" in cli("init", "no/such/folder.toml").err


@pytest.mark.parametrize("words", [("config", "check"), ("serve",)])
def test_a_broken_configuration_ends_with_2_and_the_line(words: tuple[str, ...], cli: Cli) -> None:
    Path("routeward.toml").write_text("[server]\nlissen = 1\n")
    ended = cli(*words)
    assert (ended.code, ended.out) == (2, "")
    assert "2 problems in the configuration" in ended.err
    assert 'routeward.toml:2: unknown key "lissen" in [server]\n    did you mean "listen"?' in ended.err


def test_a_broken_configuration_is_told_in_json(cli: Cli) -> None:
    Path("routeward.toml").write_text("models = 3\n")
    error = cli("config", "check", "--json").document["error"]
    assert error["reason"] == "CONFIG_INVALID"
    [problem] = error["problems"]
    assert (problem["place"], problem["line"]) == ("routeward.toml:1", 1)
    assert problem["message"] == "models is 3, which is a number"
    assert problem["hint"].startswith("write [[models]]")


def test_the_path_of_the_configuration_comes_from_the_environment(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTEWARD_CONFIG", "other.toml")
    cli("init", "other.toml")
    document = cli("config", "check", "--json").document
    assert (document["path"], document["folder"]) == ("other.toml", str(Path.cwd()))
    assert f"its relative paths start at {Path.cwd()}\n" in cli("config", "check").out


def test_a_server_does_not_start_on_another_address_without_keys(cli: Cli) -> None:
    cli("init")
    ended = cli("serve", "--listen", "0.0.0.0:7443")
    assert ended.code == 2
    assert "--listen: 0.0.0.0:7443 can be reached from other machines, but no API key is configured" in ended.err
    assert "make one with  routeward keys create ID" in ended.err


def test_the_reference_names_every_key_of_the_schema(cli: Cli) -> None:
    from server.config.reference import REFERENCE

    shown = cli("config", "reference").out
    assert all(f"`{key.name}`" in shown for key in REFERENCE.keys.values() if not key.table and key.name != "*")
    described = cli("config", "reference", "--json").document["keys"]
    assert {"input_usd_per_mtok", "listen", "quality_source"} <= {key["key"] for key in described}


def test_a_new_api_key_works_with_the_table_that_is_to_be_pasted(cli: Cli, tmp_path: Path) -> None:
    made = cli("keys", "create", "checkout", "--namespace", "shop", "--json").document
    path = tmp_path / "routeward.toml"
    path.write_text(starter() + made["toml"], encoding="utf-8")
    keys = load(path, {}).server.keys
    assert keys == (ApiKey("checkout", made["sha256"], "shop"),)
    assert Credentials(keys).authenticate(f"Bearer {made['key']}") == Principal("shop", "checkout")


def test_a_key_for_those_who_manage_the_registry_says_so_in_the_configuration(cli: Cli) -> None:
    made = cli("keys", "create", "platform", "--admin", "--json").document
    assert made["toml"].endswith("\nadmin = true")
    assert "admin" not in cli("keys", "create", "checkout").out


def test_the_secret_of_an_api_key_is_shown_once(cli: Cli) -> None:
    shown = cli("keys", "create", "checkout").out
    secret = shown.splitlines()[0].partition(".")[2]
    assert len(secret) == 43
    assert shown.count(secret) == 1
    assert "[[server.keys]]" in shown


@pytest.mark.parametrize("words", [("a b",), ("a", "--namespace", "")])
def test_the_names_of_a_key_obey_the_rule_for_names(words: tuple[str, ...], cli: Cli) -> None:
    ended = cli("keys", "create", *words, "--json")
    assert ended.code == 2
    assert "begin with a letter or digit" in ended.document["error"]["message"]


def test_rotating_puts_a_new_signing_key_before_the_older_ones(cli: Cli) -> None:
    path = Path("routeward.keys")
    made = cli("keys", "rotate", str(path)).out
    [first] = [key.id for key in read_keys(path)]
    assert made == f"routeward.keys: {first} is the only key. Restart the server.\n"
    ended = cli("keys", "rotate", str(path))
    [second, older] = [key.id for key in read_keys(path)]
    assert older == first
    assert ended.out == f"routeward.keys: {second} signs, {first} is accepted too. Restart the server.\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_file_that_others_can_read_is_left_alone(cli: Cli) -> None:
    path = Path("routeward.keys")
    path.write_text("a:" + "0" * 64)
    path.chmod(0o644)
    ended = cli("keys", "rotate", str(path))
    assert ended.code == 1
    assert "chmod 600" in ended.err


def test_no_workers_at_all_are_refused(cli: Cli) -> None:
    ended = cli("serve", "--workers", "0")
    assert (ended.code, "--workers is 0; give 1 or more" in ended.err) == (2, True)
