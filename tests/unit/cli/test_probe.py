"""`probe` calls models at a real address; `doctor` says which could be called."""

import json
import socket
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from adapters.providers.errors import CredentialRefusedError
from routeward.cli import port_checks, provider_checks
from routeward.cli.checks import Check, Verdict
from routeward.cli.port_checks import Found, Listener
from routeward.cli.probe_advice import advice_of
from server.config import load
from server.settings import GatewaySettings, ServerSettings, TlsFiles

Cli = Callable[..., Any]

CANARY = "sk-canary-1234567890"
MODEL = '[[models]]\nid = "{id}"\nprovider = "{provider}"\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 2\n'
CONFIG = """\
[gateway]
listen = "127.0.0.1:0"
private_hosts = ["127.0.0.1"]

[providers.own]
format = "openai"
base_url = "http://127.0.0.1:{port}/v1"
key_env = "OWN_KEY"
"""


def event(document: dict[str, Any]) -> bytes:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", **document}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def choice(delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


ANSWER = b"".join(
    [
        event(choice({"role": "assistant"})),
        event(choice({"content": "OK"})),
        event(choice({}, "stop")),
        event({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}}),
        b"data: [DONE]\n\n",
    ]
)
REFUSALS = {
    "gone": (404, {"message": "no such model", "code": "model_not_found"}),
    "locked": (401, {"message": f"bad key {CANARY}"}),
    "busy": (429, {"message": "slow down"}),
    "picky": (400, {"message": "no chat", "param": "messages"}),
}


class Upstream(BaseHTTPRequestHandler):
    """A provider that answers by the name of the model."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        name = body["model"]
        refusal = REFUSALS.get(name)
        if name == "newer" and "max_tokens" in body:
            refusal = (400, {"message": "Unsupported parameter", "param": "max_tokens"})
        status, kind, content = 200, "text/event-stream", ANSWER
        if name == "other":
            kind, content = "text/html", b"<html>hello</html>"
        if refusal:
            status, kind, content = refusal[0], "application/json", json.dumps({"error": refusal[1]}).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.send_header("x-request-id", "r-1")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """Port of a provider."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def configured(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes a configuration of models at that provider, into the folder of `cli`."""
    monkeypatch.setenv("OWN_KEY", CANARY)
    monkeypatch.delenv("GROQ_API_KEY", raising=False)

    def written(*models: str, more: str = "") -> None:
        tables = "".join(MODEL.format(id=model, provider="own") for model in models)
        (tmp_path / "routeward.toml").write_text(CONFIG.format(port=port) + tables + more)

    return written


def test_a_model_that_answers_tells_its_times_tokens_and_cost(cli: Cli, configured: Callable[..., None]) -> None:
    configured("small")
    ended = cli("probe", "small", "--json")
    assert (ended.code, ended.document["healthy"]) == (0, True)
    [probe] = ended.document["probes"]
    assert (probe["model"], probe["provider"], probe["upstream"]) == ("small", "own", "small")
    assert (probe["status"], probe["finish_reason"], probe["request_id"]) == ("ok", "stop", "r-1")
    assert (probe["input_tokens"], probe["cached_input_tokens"], probe["output_tokens"]) == (9, None, 1)
    assert probe["cost_usd"] == pytest.approx(11e-6)
    assert 0 < probe["first_token_s"] <= probe["latency_s"]


def test_a_model_that_wants_the_newer_name_of_the_limit_is_asked_again(
    cli: Cli, configured: Callable[..., None]
) -> None:
    configured("newer")
    assert cli("probe", "newer").code == 0


@pytest.mark.parametrize(
    ("model", "status", "http_status", "advice"),
    [
        ("gone", "error", 404, "and base_url, which ends before /chat/completions, often with /v1"),
        ("locked", "error", 401, "check the key in OWN_KEY"),
        ("busy", "rate-limited", 429, "limits and the balance"),
        ("picky", "refused", 400, "whether the model is one for chat"),
        ("other", "error", None, "check base_url and format"),
    ],
)
def test_a_call_that_fails_tells_why_and_what_to_do_without_the_key(
    model: str, status: str, http_status: int | None, advice: str, cli: Cli, configured: Callable[..., None]
) -> None:
    configured(model)
    ended = cli("probe", model, "--json")
    [probe] = ended.document["probes"]
    assert (ended.code, ended.document["healthy"]) == (1, False)
    assert (probe["status"], probe["http_status"]) == (status, http_status)
    assert advice in probe["advice"]
    shown = cli("probe", model)
    assert (shown.code, advice in shown.out) == (1, True)
    assert CANARY not in ended.out + ended.err + shown.out + shown.err


def test_a_provider_that_is_not_there_is_told(cli: Cli, configured: Callable[..., None], port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        free = closed.getsockname()[1]
    configured("small")
    path = Path("routeward.toml")
    path.write_text(path.read_text().replace(str(port), str(free)))
    ended = cli("probe", "small")
    assert (ended.code, "check base_url" in ended.out) == (1, True)


def test_a_refused_call_without_a_key_is_told_where_to_name_one() -> None:
    advice = advice_of(CredentialRefusedError("no"), "")
    assert advice == "name the variable with its key by key_env, in [providers]"


def test_where_plain_http_answers_to_https_the_way_to_allow_it_is_told(
    cli: Cli, configured: Callable[..., None]
) -> None:
    configured("small")
    path = Path("routeward.toml")
    path.write_text(path.read_text().replace("http://", "https://"))
    ended = cli("probe", "small", "--json")
    [probe] = ended.document["probes"]
    assert (ended.code, "write  http://  in base_url" in probe["advice"]) == (1, True)


def test_a_provider_that_says_nothing_ends_at_the_timeout(cli: Cli, configured: Callable[..., None], port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        configured("small")
        path = Path("routeward.toml")
        path.write_text(path.read_text().replace(str(port), str(silent.getsockname()[1])))
        ended = cli("probe", "small", "--timeout", "0.1", "--json")
    [probe] = ended.document["probes"]
    assert (ended.code, probe["status"], probe["output_tokens"]) == (1, "timeout", None)


def test_all_models_are_probed_and_those_that_cannot_be_called_are_named(
    cli: Cli, configured: Callable[..., None]
) -> None:
    configured("small", "newer", more=MODEL.format(id="far", provider="groq"))
    ended = cli("probe", "--all", "--json")
    assert ended.code == 0
    assert {one["model"]: one["status"] for one in ended.document["probes"]} == {
        "small": "ok",
        "newer": "ok",
        "far": "not callable",
    }
    by_model = {one["model"]: one for one in ended.document["probes"]}
    called, uncalled = by_model["small"], by_model["far"]
    assert (uncalled.keys(), uncalled["latency_s"]) == (called.keys(), None)
    shown = cli("probe", "--all").out
    assert "far: GROQ_API_KEY, the key of groq, is not set or empty\n    set GROQ_API_KEY" in shown


def test_a_model_that_cannot_be_called_is_a_problem_where_it_was_asked_for(
    cli: Cli, configured: Callable[..., None]
) -> None:
    configured("small", more=MODEL.format(id="far", provider="nowhere"))
    ended = cli("probe", "far")
    assert (ended.code, "the provider nowhere is unknown" in ended.out) == (1, True)


@pytest.mark.parametrize("words", [(), ("small", "--all")])
def test_one_model_or_all_are_to_be_named(words: tuple[str, ...], cli: Cli, configured: Callable[..., None]) -> None:
    configured("small")
    ended = cli("probe", *words, "--json")
    assert (ended.code, ended.document["error"]["reason"]) == (2, "WRONG_USE")


def test_a_model_that_is_not_configured_is_told_with_those_that_are(cli: Cli, configured: Callable[..., None]) -> None:
    configured("small")
    ended = cli("probe", "smal")
    assert (ended.code, 'did you mean "small"?' in ended.err) == (2, True)


@pytest.fixture
def without_aiohttp(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process one without the packages of the gateway."""
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    monkeypatch.delitem(sys.modules, "adapters.providers.aiohttp_transport", raising=False)


@pytest.mark.usefixtures("without_aiohttp")
def test_where_the_package_for_calls_is_missing_its_name_is_told(cli: Cli, configured: Callable[..., None]) -> None:
    configured("small")
    ended = cli("probe", "small", "--json")
    assert (ended.code, ended.document["error"]["reason"]) == (2, "NOT_INSTALLED")
    assert "pip install 'routeward[gateway]'" in ended.document["error"]["message"]
    served = cli("serve")
    assert (served.code, "pip install 'routeward[gateway]'" in served.err.splitlines()[-1]) == (2, True)


def checked(folder: Path, text: str, environ: dict[str, str]) -> dict[str, Check]:
    (folder / "routeward.toml").write_text(text)
    return {check.name: check for check in provider_checks.providers(load(folder / "routeward.toml", environ))}


def test_doctor_says_which_providers_have_a_key_and_never_shows_one(tmp_path: Path) -> None:
    text = CONFIG.format(port=1) + MODEL.format(id="a", provider="own") + MODEL.format(id="b", provider="groq")
    checks = checked(tmp_path, text, {"OWN_KEY": CANARY})
    own, groq, models = checks["provider own"], checks["provider groq"], checks["models"]
    assert own == Check("provider own", Verdict.OK, "http://127.0.0.1:1/v1, a private host, openai, key from OWN_KEY")
    assert groq == Check(
        "provider groq", Verdict.WARNING, "GROQ_API_KEY, the key of groq, is not set or empty", "set GROQ_API_KEY"
    )
    assert (models.verdict, models.detail) == (
        Verdict.WARNING,
        "1 of 2 can be called; b: GROQ_API_KEY, the key of groq, is not set or empty",
    )
    assert CANARY not in str(checks)


def test_doctor_is_content_where_every_model_can_be_called(tmp_path: Path) -> None:
    text = CONFIG.format(port=1) + MODEL.format(id="a", provider="own")
    models = checked(tmp_path, text, {"OWN_KEY": CANARY})["models"]
    assert models == Check("models", Verdict.OK, "1 of 1 can be called")


def test_doctor_asks_for_no_key_where_there_is_no_gateway(tmp_path: Path) -> None:
    assert checked(tmp_path, MODEL.format(id="a", provider="groq"), {}) == {}


@pytest.mark.parametrize(
    ("listener", "verdict", "detail"),
    [(Listener.NOBODY, Verdict.FAILED, "nobody can listen"), (Listener.ROUTEWARD, Verdict.OK, "something listens on")],
    ids=str,
)
def test_a_taken_port_of_the_gateway_is_a_problem_unless_the_server_runs(
    listener: Listener, verdict: Verdict, detail: str, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        text = CONFIG.format(port=1).replace("127.0.0.1:0", address) + MODEL.format(id="a", provider="own")
        (tmp_path / "routeward.toml").write_text(text)
        gateway = load(tmp_path / "routeward.toml", {"OWN_KEY": CANARY}).gateway
        [check] = port_checks.gateway(gateway, ServerSettings(), Found(listener))
    assert (check.verdict, detail in check.detail) == (verdict, True)
    assert check.advice == ("change listen in [gateway], or stop what uses it" if verdict is Verdict.FAILED else "")


def test_a_gateway_that_nobody_hears_beside_a_running_server_is_warned_of() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        free = f"127.0.0.1:{closed.getsockname()[1]}"
    [check] = port_checks.gateway(GatewaySettings(listen=free), ServerSettings(), Found(Listener.ROUTEWARD))
    assert (check.verdict, check.detail) == (Verdict.WARNING, f"the server runs, but nobody listens on {free}")


def test_keys_that_the_gateway_takes_in_the_clear_are_warned_of() -> None:
    open_ = GatewaySettings(listen="0.0.0.0:0")
    names = [check.name for check in port_checks.gateway(open_, ServerSettings(), Found(Listener.NOBODY))]
    assert names == ["gateway tls", "gateway"]
    encrypted = ServerSettings(tls=TlsFiles(Path("tls.crt"), Path("tls.key")))
    assert [one.name for one in port_checks.gateway(open_, encrypted, Found(Listener.NOBODY))] == ["gateway"]
