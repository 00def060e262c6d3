"""`route` and `feedback` against a server that does as it is told, over real gRPC."""

import dataclasses
import socket
from collections.abc import Callable
from typing import Any

import pytest

from routeward.signals import Outcome, Score, Status, Thumb
from routeward.testing import FakeRouter

Cli = Callable[..., Any]


def test_route_prints_the_decision_as_json(cli: Cli, router: FakeRouter) -> None:
    ended = cli("route", "summarization", "--target", router.target, "--json")
    decision = ended.document
    assert ended.code == 0
    assert (decision["model"], decision["propensity"]) == ("small", 1.0)
    assert [fallback["model"] for fallback in decision["fallbacks"]] == ["large"]
    assert decision["kind"] in {"SAMPLED", "FORCED"}


def test_route_tells_people_the_model_and_a_command_they_can_copy(cli: Cli, router: FakeRouter) -> None:
    lines = cli("route", "summarization", "--target", router.target).out.splitlines()
    assert lines[0] == "small"
    [command] = [line for line in lines if line.startswith("routeward feedback ")]
    words = command.split()[1:3]
    assert cli(*words, "--status", "ok", "--target", router.target).code == 0


def test_every_option_of_route_reaches_the_server(cli: Cli, router: FakeRouter) -> None:
    previous = cli("route", "summarization", "--target", router.target, "--json").document["decision_id"]
    request = ["--input-tokens", "10", "--max-output-tokens", "20", "--profile", "balanced", "--model", "small"]
    request += ["--answer-value-usd", "0.1", "--second-value-usd", "0.2", "--previous", previous]
    request += ["--cached-input-tokens", "5", "--session-id", "s", "--request-id", "r"]
    limits = ["--only", "small", "--only", "large", "--capability", "tools", "--region", "eu", "--max-cost-usd", "0.3"]
    limits += ["--max-latency", "1.5", "--min-quality", "0.4", "--least-violation"]
    cli("route", "summarization", *request, *limits, "--target", router.target)
    sent = router.route_requests[-1]
    assert (sent.input_tokens, sent.max_output_tokens, sent.cached_input_tokens) == (10, 20, 5)
    assert (sent.profile, sent.model, sent.session_id, sent.request_id) == ("balanced", "small", "s", "r")
    assert (sent.objective.answer_value_usd, sent.objective.second_value_usd) == (0.1, 0.2)
    assert sent.previous_decision_id == previous
    constraints = sent.constraints
    assert [*constraints.models, *constraints.capabilities, constraints.region] == ["small", "large", "tools", "eu"]
    assert (constraints.max_cost_usd, constraints.min_quality) == (0.3, 0.4)
    assert constraints.max_latency.ToTimedelta().total_seconds() == 1.5
    assert constraints.on_infeasible == 2


def test_what_is_not_given_is_not_sent(cli: Cli, router: FakeRouter) -> None:
    cli("route", "summarization", "--target", router.target)
    sent = router.route_requests[-1]
    assert not sent.HasField("input_tokens")
    assert not sent.objective.HasField("answer_value_usd")
    assert not sent.constraints.HasField("max_cost_usd")


def test_every_option_of_feedback_reaches_the_server(cli: Cli, router: FakeRouter) -> None:
    decision_id = cli("route", "summarization", "--target", router.target, "--json").document["decision_id"]
    outcome = ["--status", "rate-limited", "--latency", "1.5", "--first-token", "0.25", "--input-tokens", "10"]
    outcome += ["--cached-input-tokens", "5", "--output-tokens", "20", "--cost-usd", "0.5"]
    judged = ["--thumb", "down", "--score", "judge=.8", "--score", "tests=1", "--rater", "someone"]
    ended = cli("feedback", decision_id, *outcome, *judged, "--target", router.target, "--json")
    names = ["outcome", "thumb", "score:judge", "score:tests"]
    assert ended.document["results"] == [{"signal": name, "status": "APPLIED"} for name in names]
    kept = {name: _without_time(signal) for name, signal in router.signals(decision_id).items()}
    assert kept == {
        "outcome": Outcome(
            Status.RATE_LIMITED,
            latency_s=1.5,
            time_to_first_token_s=0.25,
            input_tokens=10,
            cached_input_tokens=5,
            output_tokens=20,
            cost_usd=0.5,
        ),
        "thumb": Thumb(up=False),
        "score:judge": Score("judge", 0.8),
        "score:tests": Score("tests", 1.0),
    }
    assert router.feedback_requests[-1].rater == "someone"


def test_whoever_gives_a_score_hears_where_scores_count(cli: Cli, router: FakeRouter) -> None:
    decision_id = cli("route", "summarization", "--target", router.target, "--json").document["decision_id"]
    scored = cli("feedback", decision_id, "--score", "judge=.8", "--target", router.target)
    *_, hint = scored.out.splitlines()
    assert "only where the category's quality_source asks for it; the default is thumb" in hint
    assert len(hint) <= 100
    told = cli("feedback", decision_id, "--thumb", "up", "--retract", "score:judge", "--target", router.target)
    assert "quality_source" not in told.out


def test_a_signal_can_be_taken_back(cli: Cli, router: FakeRouter) -> None:
    decision_id = cli("route", "summarization", "--target", router.target, "--json").document["decision_id"]
    cli("feedback", decision_id, "--thumb", "up", "--target", router.target)
    said = cli("feedback", decision_id, "--retract", "thumb", "--target", router.target).out
    assert said.split() == ["thumb", "retracted", "revision", "2"]
    assert router.signals(decision_id) == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nothing to tell: give --status"),
        (("--latency", "1"), "belong to an outcome: give its --status"),
        (("--output-tokens", "0"), "belong to an outcome: give its --status"),
        (("--score", "judge"), "--score judge is not NAME=VALUE"),
        (("--score", "judge=good"), "--score judge=good is not NAME=VALUE"),
        (("--thumb", "sideways"), "sideways"),
    ],
)
def test_feedback_that_says_nothing_sensible_is_wrong_use(words: tuple[str, ...], said: str, cli: Cli) -> None:
    ended = cli("feedback", "id", *words, "--json")
    assert ended.code == 2
    assert said in ended.document["error"]["message"]


def test_a_decision_id_that_nobody_gave_is_wrong_use(cli: Cli, router: FakeRouter) -> None:
    ended = cli("feedback", "nonsense", "--thumb", "up", "--target", router.target, "--json")
    assert (ended.code, ended.document["error"]["reason"]) == (2, "DECISION_ID_INVALID")


@pytest.mark.parametrize("words", [("route", "x"), ("feedback", "id", "--thumb", "up"), ("status",)])
def test_without_a_server_it_says_what_to_start(words: tuple[str, ...], cli: Cli) -> None:
    ended = cli(*words, "--target", "127.0.0.1:1")
    assert ended.code == 1
    assert ended.err == (
        "error: no server answers at 127.0.0.1:1; start one with  routeward serve  or name it with --target\n"
    )
    document = cli(*words, "--target", "127.0.0.1:1", "--json").document
    assert document["error"]["reason"] == "UNREACHABLE"


@pytest.mark.parametrize("target", ["foo", "foo:", ":7443", "foo:0", "foo:port", "127.0.0.1:99999"])
def test_what_is_no_address_is_not_called(target: str, cli: Cli) -> None:
    for words in (("route", "x"), ("feedback", "id", "--thumb", "up"), ("status",)):
        ended = cli(*words, "--target", target)
        assert (ended.code, ended.err) == (2, f"error: {target} is not HOST:PORT, as in 127.0.0.1:7443\n")


def test_what_takes_connections_and_never_answers_is_not_called_absent(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = f"127.0.0.1:{silent.getsockname()[1]}"
        ended = cli("route", "x", "--target", target, "--timeout", "0.2")
    assert ended.code == 1
    assert f"{target} takes connections, but gave no answer within 0.2 s" in ended.err


def test_an_unreachable_server_brings_no_advice_that_a_command_cannot_follow(cli: Cli) -> None:
    error = cli("feedback", "id", "--thumb", "up", "--target", "127.0.0.1:1", "--json").document["error"]
    assert "UNAVAILABLE" in error["cause"]
    assert "fallback" not in str(error)


def test_target_and_key_come_from_the_environment(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeRouter("small", api_key="app.secret") as router:
        monkeypatch.setenv("ROUTEWARD_TARGET", router.target)
        refused = cli("route", "x", "--json")
        assert (refused.code, refused.document["error"]["reason"]) == (1, "API_KEY_INVALID")
        monkeypatch.setenv("ROUTEWARD_API_KEY", "app.secret")
        assert cli("route", "x", "--json").document["model"] == "small"
        assert cli("route", "x", "--json", "--api-key", "wrong.key").code == 1


@pytest.mark.parametrize(
    "words",
    [
        ("--root-certificates", "none.pem"),
        ("--insecure", "--root-certificates", "none.pem"),
        ("--api-key", "two words"),
        ("--input-tokens", str(2**70)),
    ],
)
def test_options_that_make_no_sense_are_wrong_use(words: tuple[str, ...], cli: Cli) -> None:
    ended = cli("route", "x", *words, "--json")
    assert ended.code == 2
    assert ended.document["error"]["message"]


def _without_time(signal: Any) -> Any:
    return dataclasses.replace(signal, observed_time=None)
