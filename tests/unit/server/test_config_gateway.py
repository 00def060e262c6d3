"""What a valid configuration says of calling models."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.providers.chat import Timeouts
from adapters.providers.endpoint import Endpoint, Format, Upstream
from server.config import ConfigError, Problem, load
from server.settings import GatewaySettings, HeaderRule, Settings

MODEL = '[[models]]\nid = "{id}"\nprovider = "{provider}"\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 2\n'
OPENAI = MODEL.format(id="gpt-4.1", provider="openai")
LISTENING = '[gateway]\nlisten = "127.0.0.1:7400"\n'
KEYS = {"OPENAI_API_KEY": " sk-canary\n"}
FULL = (
    LISTENING
    + """\
connect_seconds = 1
first_token_seconds = 2
idle_seconds = 3
total_seconds = 4
max_body_mb = 5
private_hosts = ["LLM.internal", "[::1]"]
fingerprint_key_file = "secrets/fp.key"
categories = { auto-0123456789ab = "summarization" }
rules = [{ header = "X-Service", pattern = "checkout-*", category = "checkout" }]

[providers.llm]
format = "openai"
base_url = "http://llm.internal:8000/v1/"
headers = { X-Team = "search" }
query = { trace = "1" }
stream_usage = false

[providers.azure]
base_url = "https://us.openai.azure.com"
api_version = "2024-10-21"
key_file = "azure.key"

[[models]]
id = "llama"
upstream = "meta-llama/Llama-3.3-70B-Instruct"
provider = "llm"
input_usd_per_mtok = 0.2
output_usd_per_mtok = 0.2
"""
    + OPENAI
    + MODEL.format(id="azure/gpt-4.1", provider="azure")
)


def read(folder: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    (folder / "routeward.toml").write_text(text, encoding="utf-8")
    return load(folder / "routeward.toml", environ or {})


def key_file(folder: Path, content: str, mode: int = 0o600) -> None:
    path = folder / "azure.key"
    path.write_text(content)
    path.chmod(mode)


@pytest.fixture
def full(tmp_path: Path) -> GatewaySettings:
    """What FULL becomes."""
    key_file(tmp_path, "az-canary\n")
    return read(tmp_path, FULL, KEYS).gateway


def test_every_key_of_the_gateway_arrives_in_base_units(full: GatewaySettings, tmp_path: Path) -> None:
    assert full.listen == "127.0.0.1:7400"
    assert full.timeouts == Timeouts(1.0, 2.0, 3.0, 4.0)
    assert full.max_body_bytes == 5 * 1024 * 1024
    assert full.private_hosts == {"llm.internal", "::1"}
    assert full.fingerprint_key_file == tmp_path / "secrets/fp.key"
    assert full.categories == {"auto-0123456789ab": "summarization"}
    assert full.rules == (HeaderRule("x-service", "checkout-*", "checkout"),)


def test_a_provider_is_what_its_table_says_and_where_it_does_not_its_preset(full: GatewaySettings) -> None:
    assert full.endpoints["llm"] == Endpoint(
        "llm",
        Format.OPENAI,
        "http://llm.internal:8000/v1",
        headers={"X-Team": "search"},
        query={"trace": "1"},
        stream_usage=False,
    )
    openai, azure = full.endpoints["openai"], full.endpoints["azure"]
    assert (openai.format, openai.base_url) == (Format.OPENAI, "https://api.openai.com/v1")
    assert (azure.format, azure.base_url, azure.api_version) == (
        Format.AZURE,
        "https://us.openai.azure.com",
        "2024-10-21",
    )


def test_keys_come_from_the_environment_or_a_file_without_what_surrounds_them(full: GatewaySettings) -> None:
    keys = {name: endpoint.key and endpoint.key.reveal() for name, endpoint in full.endpoints.items()}
    assert keys == {"llm": None, "openai": "sk-canary", "azure": "az-canary"}
    assert full.key_variables == {"openai": "OPENAI_API_KEY", "azure": "azure.key"}


def test_a_model_is_called_by_its_name_at_the_provider_which_is_its_id_unless_said(full: GatewaySettings) -> None:
    assert full.uncallable == {}
    assert full.upstreams == {
        "llama": Upstream("llm", "meta-llama/Llama-3.3-70B-Instruct"),
        "gpt-4.1": Upstream("openai", "gpt-4.1"),
        "azure/gpt-4.1": Upstream("azure", "azure/gpt-4.1"),
    }


def test_keys_do_not_show_when_settings_are_printed(tmp_path: Path) -> None:
    key_file(tmp_path, "az-canary")
    assert "-canary" not in repr(read(tmp_path, FULL, KEYS))


def test_without_a_gateway_no_key_is_needed_and_no_address(tmp_path: Path) -> None:
    providers = ("openai", "azure", "ollama", "self-hosted", "")
    text = "".join(MODEL.format(id=f"m{index}", provider=provider) for index, provider in enumerate(providers))
    loaded = read(tmp_path, text, {"OPENAI_API_KEY": "not one key"})
    assert loaded.gateway.listen == ""
    assert {model.id for model in loaded.catalogue.models if model.enabled} == {"m0", "m1", "m2", "m3", "m4"}


def test_a_model_without_a_key_or_a_provider_is_told_from_the_others(tmp_path: Path) -> None:
    text = LISTENING + OPENAI + MODEL.format(id="b", provider="groq") + MODEL.format(id="c", provider="own")
    gateway = read(tmp_path, text + MODEL.format(id="d", provider="azure"), KEYS).gateway
    assert gateway.uncallable == {"b": "provider_key", "c": "provider", "d": "provider"}
    assert gateway.upstreams.keys() == {"gpt-4.1"}
    assert gateway.key_variables == {"openai": "OPENAI_API_KEY", "groq": "GROQ_API_KEY"}


def test_an_empty_key_is_none(tmp_path: Path) -> None:
    assert read(tmp_path, OPENAI, {"OPENAI_API_KEY": " "}).gateway.uncallable == {"gpt-4.1": "provider_key"}


def test_a_provider_of_a_preset_may_be_told_to_need_no_key(tmp_path: Path) -> None:
    table = '[gateway]\nprivate_hosts = ["proxy"]\n[providers.openai]\nbase_url = "http://proxy/v1"\nkey_env = ""\n'
    gateway = read(tmp_path, table + OPENAI, KEYS).gateway
    assert (gateway.endpoints["openai"].key, gateway.key_variables) == (None, {})


@pytest.mark.parametrize("name", ["vllm", "ollama", "llamacpp"])
def test_a_server_of_models_on_this_machine_needs_only_that_it_is_allowed(name: str, tmp_path: Path) -> None:
    text = LISTENING + 'private_hosts = ["127.0.0.1"]\n' + MODEL.format(id="m", provider=name)
    endpoint = read(tmp_path, text).gateway.endpoints[name]
    assert (endpoint.key, endpoint.base_url.startswith("http://127.0.0.1:")) == (None, True)


@pytest.mark.parametrize(
    ("store", "expected"), [("", "routeward.fingerprint"), ("[store]\npath = 'a/b.db'\n", "a/b.fingerprint")]
)
def test_the_key_of_fingerprints_lies_beside_the_database(store: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert read(tmp_path, store + OPENAI).gateway.fingerprint_key_file == tmp_path / expected
    assert read(tmp_path, "[store]\npath = ''\n" + OPENAI).gateway.fingerprint_key_file is None


def test_the_digest_ignores_how_models_are_called(tmp_path: Path) -> None:
    named = OPENAI.replace("[[models]]", '[[models]]\nupstream = "gpt"')
    other = LISTENING + '[providers.openai]\nheaders = { A = "b" }\n' + named
    assert read(tmp_path, other, KEYS).digest == read(tmp_path, OPENAI).digest


@pytest.mark.parametrize("price", ["input_usd_per_mtok", "output_usd_per_mtok"])
def test_a_model_without_a_known_price_is_an_error_and_never_free(price: str, tmp_path: Path) -> None:
    text = "\n".join(line for line in OPENAI.splitlines() if not line.startswith(price))
    with pytest.raises(ConfigError, match=f"{price} is missing"):
        read(tmp_path, text)


def test_the_key_of_fingerprints_comes_from_the_environment_and_does_not_show(tmp_path: Path) -> None:
    loaded = read(tmp_path, OPENAI, {"ROUTEWARD_FINGERPRINT_KEY": "ab" * 32})
    assert loaded.gateway.fingerprint_key == b"\xab" * 32
    assert "xab" not in repr(loaded)
    assert read(tmp_path, OPENAI).gateway.fingerprint_key == b""


LINES = [
    *FULL.splitlines(),
    "[",
    "]",
    "=",
    "\x00",
    "é",
    "[gateway]",
    "[providers]",
    "x = [{}]",
    "base_url = 'http://['",
]


@settings(deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(LINES), max_size=12))
def test_whatever_stands_in_a_file_it_becomes_a_gateway_or_problems_with_lines_and_hints(
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
