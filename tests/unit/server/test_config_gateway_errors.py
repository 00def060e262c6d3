"""Broken gateways and providers: each is refused with its line and what to do, and without showing a secret."""

from pathlib import Path
from typing import NamedTuple

import pytest

from server.config import ConfigError, load

MODEL = '[[models]]\nid = "m"\nprovider = "openai"\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 2\n'
OLLAMA = MODEL.replace("openai", "ollama")
GATEWAY = '[gateway]\nlisten = "127.0.0.1:7400"\n'
CANARY = "SK_CANARY_123"
KEYS = {"OPENAI_API_KEY": CANARY}
CALLER = f'[[server.keys]]\nid = "a"\nsha256 = "{"0" * 64}"\n'


class Bad(NamedTuple):
    """A broken file; `line`, `message` and `hint` are what the only error must say."""

    name: str
    text: str
    line: int
    message: str
    hint: str


def own(keys: str) -> str:
    return MODEL + f'[providers.own]\nformat = "openai"\n{keys}\n'


def rule(keys: str) -> str:
    return MODEL + GATEWAY + f"rules = [{{ {keys} }}]\n"


URL = 'base_url = "https://llm.example.com/v1"\n'
CORPUS = [
    Bad("unknown format", MODEL + '[providers.openai]\nformat = "opnai"\n', 7, 'format is "opnai"', '"anthropic"'),
    Bad("no format", MODEL + f"[providers.own]\n{URL}", 6, "format is missing in [providers.own]", '"gemini"'),
    Bad("no address", own(""), 6, "base_url is missing in [providers.own]", 'add  base_url = "https://HOST/v1"'),
    Bad("azure without an address", MODEL + "[providers.azure]\n", 6, "base_url is missing", "add  base_url"),
    Bad("address of another scheme", own('base_url = "ftp://a.example"'), 8, "base_url has not the form", "https://"),
    Bad(
        *("address with a user", own(f'base_url = "https://u:{CANARY}@a.example"'), 8),
        *("a user name or a password", "keys are configured apart"),
    ),
    Bad("address with a query", own(f'base_url = "https://a.example?key={CANARY}"'), 8, "query or fragment", "`query`"),
    Bad("address in the clear", own('base_url = "http://a.example/v1"'), 8, "in the clear", "gateway.private_hosts"),
    Bad("private address", own('base_url = "https://10.1.2.3/v1"'), 8, "is not public", "private_hosts"),
    Bad(
        *("model that callers cannot name", GATEWAY + MODEL.replace('"m"', '"auto/m"'), 4),
        *('could not name "auto/m"', "give it another id"),
    ),
    Bad("address of metadata", own('base_url = "https://169.254.169.254"'), 8, "is not public", "private_hosts"),
    Bad("hidden loopback", own('base_url = "https://0x7f000001/"'), 8, "unusual notation", "four decimal numbers"),
    Bad("address as a number", own("base_url = 1"), 8, "base_url is 1, which is a number", "text in quotes"),
    Bad(
        *("local server that is not allowed", GATEWAY + OLLAMA, 5),
        *("the provider ollama is at http://127.0.0.1:11434/v1", 'private_hosts = ["127.0.0.1"]'),
    ),
    Bad(
        *("local server with a table", OLLAMA + "[providers.ollama]\n", 6),
        *("base_url leads to 127.0.0.1", "gateway.private_hosts"),
    ),
    Bad(
        *("key for another host", MODEL + f"[providers.openai]\n{URL}", 7),
        *("another host than that of openai, whose key is not for it", 'key_env = "OPENAI_API_KEY"'),
    ),
    Bad(
        *("two keys", own(URL + 'key_env = "A"\nkey_file = "good.key"'), 10),
        *("key_env and key_file are both given", "keep one"),
    ),
    Bad("key file missing", own(URL + f'key_file = "{CANARY}"'), 9, "there is no such file", "chmod 600"),
    Bad("key file open to others", own(URL + 'key_file = "open.key"'), 9, "can be read by others", "chmod 600"),
    Bad("key file empty", own(URL + 'key_file = "empty.key"'), 9, "does not hold a key alone", "chmod 600"),
    Bad("key file of two lines", own(URL + 'key_file = "two.key"'), 9, "does not hold a key alone", "chmod 600"),
    Bad("key file is a folder", own(URL + 'key_file = "."'), 9, "cannot be read", "chmod 600"),
    Bad("key in the file", own(URL + f'key = "{CANARY}"'), 9, "do not stand in this file", 'key_env = "OWN_API_KEY"'),
    Bad("api_key in the file", own(URL + f'api_key = "{CANARY}"'), 9, "do not stand in this file", "key_env"),
    Bad(
        *("key in a model", MODEL + f'api_key = "{CANARY}"\n', 6),
        *("do not stand in this file", 'key_env = "OPENAI_API_KEY"  in [providers.openai]'),
    ),
    Bad(
        *("key for the name of a variable", own(URL + 'key_env = "sk-canary-123"'), 9),
        *("key_env is not what it should be (it is not shown here)", "the key itself does not stand here"),
    ),
    Bad("header with a blank", own(URL + 'headers = { "a b" = "c" }'), 9, "no header can have", "letters, digits"),
    Bad("header with a key", own(URL + f'headers = {{ X-Api-Key = "{CANARY}" }}'), 9, "a credential", "key_env"),
    Bad("header of the call", own(URL + 'headers = { Host = "a" }'), 9, "Host is set by every call", "remove it"),
    Bad("header of two lines", own(URL + 'headers = { a = "b\\nc" }'), 9, "value of a cannot be sent", "printable"),
    Bad("header as a number", own(URL + "headers = { a = 1 }"), 9, "headers[a] is 1", "write text in quotes"),
    Bad("headers as a text", own(URL + 'headers = "a"'), 9, 'headers is "a"', "a table of texts"),
    Bad("query with a key", own(URL + f'query = {{ key = "{CANARY}" }}'), 9, "carry a credential", "key_env"),
    Bad("query that cannot be sent", own(URL + 'query = { a = "\\u0000" }'), 9, "cannot be sent", "printable"),
    Bad("version without azure", own(URL + 'api_version = "1"'), 9, "the format is not azure", 'format = "azure"'),
    Bad("provider with a blank", MODEL + "[providers.'a b']\n" + URL + "format = 'openai'\n", 6, '"a b"', "a name has"),
    Bad("name at the provider with a blank", MODEL + 'upstream = "a b"\n', 6, 'upstream is "a b"', "200 characters"),
    Bad("unknown key", own(URL + 'base_uri = "a"'), 9, 'unknown key "base_uri"', 'did you mean "base_url"?'),
    Bad("port without a host", MODEL + '[gateway]\nlisten = "7400"\n', 7, 'listen is "7400"', '"HOST:PORT"'),
    Bad(
        *("gateway for everyone", MODEL + '[gateway]\nlisten = "0.0.0.0:7400"\n' + CALLER, 7),
        *("no key signs decision ids that replicas could share", "routeward keys rotate"),
    ),
    Bad("name of a call", own('base_url = "https://a.example/v1/chat/completions/"'), 8, "adds itself", "leave out"),
    Bad("name of another call", own('base_url = "https://a.example/v1/messages"'), 8, "/messages", "leave out"),
    Bad(
        *("placeholder", MODEL + '[providers.azure]\nbase_url = "https://YOUR-RESOURCE.openai.azure.com"\n', 7),
        *("the name of an example", "put in your own"),
    ),
    Bad(
        "misspelt format beside the gateway that lacks it",
        GATEWAY + MODEL.replace("openai", "own") + '[providers.own]\nformat = "open-ai"\n' + URL,
        *(9, 'format is "open-ai"', '"openai"'),
    ),
    Bad(
        "list of providers beside the gateway that lacks them",
        GATEWAY + MODEL.replace("openai", "own") + '[[providers]]\nformat = "openai"\n',
        *(8, "providers is", "[providers.NAME]"),
    ),
    Bad(
        "provider without its s",
        GATEWAY + MODEL.replace("openai", "own") + '[provider.own]\nformat = "openai"\n' + URL,
        *(8, 'unknown key "provider"', 'did you mean "providers"?'),
    ),
    Bad(
        *("address of the server", MODEL + '[gateway]\nlisten = "127.0.0.1:7443"\n', 7),
        *("listen of [gateway] and listen of [server] are the same", "a port of its own"),
    ),
    Bad(
        *("address of the figures", MODEL + '[gateway]\nlisten = "127.0.0.1:9464"\n', 7),
        *("listen of [gateway] and metrics of [server]", "a port of its own"),
    ),
    Bad("private host with a port", GATEWAY + 'private_hosts = ["a:1"]\n' + MODEL, 3, '"a:1"', "without a port"),
    Bad("private hosts as a text", GATEWAY + 'private_hosts = "a"\n' + MODEL, 3, '"a"', "a list of texts"),
    Bad("no time", GATEWAY + "connect_seconds = 0\n" + MODEL, 3, "out of range", "0.05 to 3,600"),
    Bad(
        *("token after the end", GATEWAY + "first_token_seconds = 400\n" + MODEL, 3),
        *("first_token_seconds is more than total_seconds, which is 300", "raise total_seconds"),
    ),
    Bad("no body", GATEWAY + "max_body_mb = 0\n" + MODEL, 3, "max_body_mb is 0", "1 to 1,000"),
    Bad(
        *("no fingerprint", GATEWAY + 'categories = { auto-12 = "a" }\n' + MODEL, 3),
        *("a name that is no fingerprint", "x-routeward-category"),
    ),
    Bad(
        *("category with a blank", GATEWAY + 'categories = { auto-0123456789ab = "a b" }\n' + MODEL, 3),
        *('"a b"', "1 to 64 characters"),
    ),
    Bad(
        "rule of an unknown category",
        "routing.strict_categories = true\n" + rule('header="a", pattern="b", category="c"'),
        *(9, 'there is no category "c" in this file', "known: none"),
    ),
    Bad("rule without a pattern", rule('header = "a", category = "c"'), 8, "pattern is missing", "checkout-*"),
    Bad("rule with an empty pattern", rule('header="a", pattern="", category="c"'), 8, "matches no header", "1 to 200"),
    Bad("rule of no header", rule('header="a b", pattern="b", category="c"'), 8, "no header can have", "letters"),
    Bad(
        *("rule by a credential", rule('header="Authorization", pattern="b", category="c"'), 8),
        *("carries a credential", "another header"),
    ),
]  # fmt: skip


def problems_of(folder: Path, text: str, environ: dict[str, str]) -> list[tuple[int | None, str, str]]:
    for name, content, mode in (
        ("open", CANARY, 0o644),
        ("empty", " \n", 0o600),
        ("two", f"{CANARY}\nb", 0o600),
        ("good", CANARY, 0o600),
    ):
        path = folder / f"{name}.key"
        path.write_text(content)
        path.chmod(mode)
    (folder / "here.toml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        load(folder / "here.toml", environ, serving=True)
    return [(one.line, one.message, one.hint) for one in refused.value.problems]


@pytest.mark.parametrize("bad", CORPUS, ids=[bad.name for bad in CORPUS])
def test_a_broken_gateway_is_refused_with_its_line_and_what_to_do(bad: Bad, tmp_path: Path) -> None:
    [(line, message, hint)] = problems_of(tmp_path, bad.text, KEYS)
    assert line == bad.line
    assert bad.message in message
    assert bad.hint in hint
    assert "canary" not in (message + hint).lower()


def test_a_gateway_for_everyone_needs_keys_of_callers_and_keys_that_sign(tmp_path: Path) -> None:
    found = problems_of(tmp_path, MODEL + '[gateway]\nlisten = "0.0.0.0:7400"\n', KEYS)
    assert [(line, message.rpartition(", but ")[2]) for line, message, _ in found] == [
        (7, "no API key is configured"),
        (7, "no key signs decision ids that replicas could share"),
    ]


def test_keys_that_are_not_there_are_only_wrong_for_who_serves(tmp_path: Path) -> None:
    (tmp_path / "here.toml").write_text(
        GATEWAY
        + MODEL
        + MODEL.replace('"m"', '"n"').replace("openai", "own")
        + f'[providers.own]\nformat = "openai"\n{URL}key_file = "{CANARY}"\n'
        + MODEL.replace('"m"', '"o"').replace("openai", "opeani")
    )
    remedies = load(tmp_path / "here.toml", {}).gateway.remedies
    assert {id_: remedy.why for id_, remedy in remedies.items()} == {
        "m": "OPENAI_API_KEY, the key of openai, is not set or empty",
        "n": "there is no such file as key_file of own names",
        "o": "the provider opeani is unknown",
    }
    assert remedies["o"].advice.startswith('did you mean "openai"?')
    assert CANARY not in str(remedies)


def test_a_gateway_that_could_call_nothing_is_refused_with_the_variables_to_set(tmp_path: Path) -> None:
    [(line, message, hint)] = problems_of(tmp_path, GATEWAY + MODEL, {})
    assert (line, message) == (2, "the gateway could call none of the models")
    assert hint == "set OPENAI_API_KEY"


def test_a_gateway_of_models_without_providers_is_refused_with_what_to_name(tmp_path: Path) -> None:
    [(_, _, hint)] = problems_of(tmp_path, GATEWAY + MODEL.replace("openai", "own"), KEYS)
    assert "a table [providers.NAME]" in hint


def test_a_model_that_is_switched_off_makes_no_gateway(tmp_path: Path) -> None:
    text = GATEWAY + MODEL + "enabled = false\n" + MODEL.replace('"m"', '"n"').replace("openai", "groq")
    assert [line for line, _, _ in problems_of(tmp_path, text, KEYS)] == [2]


@pytest.mark.parametrize("key", [f"{CANARY} {CANARY}", f"{CANARY}\n{CANARY}", f"{CANARY}\u00e9", f"{CANARY}\x00"])
def test_a_key_of_the_environment_that_could_not_be_sent_is_refused_without_showing_it(
    key: str, tmp_path: Path
) -> None:
    (tmp_path / "here.toml").write_text(GATEWAY + MODEL)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY: holds no key") as refused:
        load(tmp_path / "here.toml", {"OPENAI_API_KEY": key})
    assert len(refused.value.problems) == 1
    assert CANARY not in str(refused.value)


def test_a_key_of_fingerprints_that_is_none_is_refused_without_showing_it(tmp_path: Path) -> None:
    (tmp_path / "here.toml").write_text(MODEL)
    with pytest.raises(ConfigError, match="ROUTEWARD_FINGERPRINT_KEY is not one key") as refused:
        load(tmp_path / "here.toml", {"ROUTEWARD_FINGERPRINT_KEY": CANARY})
    assert CANARY not in str(refused.value)
