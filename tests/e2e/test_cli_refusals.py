"""What a real server refuses is told in the words of the command line: options as typed, names that exist."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from benchmarks._processes import MODELS, ServiceProcess, write_configuration
from routeward.cli.app import run
from tests import forked

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    configuration = write_configuration(tmp_path_factory.mktemp("service"), more="[categories.summarization]\n")
    with ServiceProcess(configuration, begin=forked.service) as service:
        yield service


@pytest.fixture
def typed(service: ServiceProcess, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("ROUTEWARD_TARGET", service.address)

    def typed(*words: str) -> tuple[int, str, str]:
        code = run(words)
        return code, *capsys.readouterr()

    return typed


@pytest.fixture
def decision_id(typed: Run) -> Any:
    return json.loads(typed("route", "summarization", "--json")[1])["decision_id"]


NAME = "1 to 64 characters of A-Z a-z 0-9 . _ : / - that begin with a letter or digit"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--score", "judge=2"], "--score is judge=2; give a number from 0 to 1"),
        (["--thumb", "up", "--score", "a=.5", "--score", "b=7"], "--score is b=7; give a number from 0 to 1"),
        (["--status", "ok", "--latency", "-1"], "--latency is -1; give 0 to 7 days"),
        (["--status", "ok", "--first-token", "1e9"], "--first-token is 1e+09; give 0 to 7 days"),
        (["--status", "ok", "--cost-usd", "nan"], "--cost-usd is nan; give a number from 0 to 1,000,000"),
        (["--status", "ok", "--output-tokens", "-5"], "--output-tokens is -5; give 0 to 100,000,000"),
        (["--retract", "foo"], '--retract is foo; give "outcome", "thumb" or "score:<name>"'),
        (["--thumb", "up", "--rater", "x" * 65], "--rater has at most 64 characters, all printable"),
    ],
)
def test_feedback_that_breaks_a_rule_is_told_by_option(
    words: list[str], said: str, typed: Run, decision_id: str
) -> None:
    assert typed("feedback", decision_id, *words) == (2, "", f"error: {said}\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bad category"], f"CATEGORY is 'bad category'; give {NAME}"),
        ([""], f"CATEGORY is empty; give {NAME}"),
        (["x", "--answer-value-usd", "-1"], "--answer-value-usd is -1; give a number from 0 to 1,000,000"),
        (["x", "--max-latency", "-1"], "--max-latency is -1; give 0 to 7 days"),
        (["x", "--only", "a", "--only", "b c"], f"--only is 'b c'; give {NAME}"),
        (["x", "--max-output-tokens", "0"], "--max-output-tokens is 0; give 1 to 100,000,000"),
        (["x", "--max-latency", "inf"], "--max-latency cannot hold inf; give a finite value of its type and range"),
    ],
)
def test_a_request_that_breaks_a_rule_is_told_by_option(words: list[str], said: str, typed: Run) -> None:
    assert typed("route", *words) == (2, "", f"error: {said}\n")


def test_a_program_is_told_field_and_option(typed: Run) -> None:
    _, out, _ = typed("route", "x", "--previous", "p", "--input-tokens", "1", "--cached-input-tokens", "2", "--json")
    error = json.loads(out)["error"]
    assert (error["reason"], error["message"]) == (
        "INVALID_FIELD",
        "--cached-input-tokens is 2; give at most --input-tokens",
    )
    assert error["violations"] == [
        {"field": "cached_input_tokens", "option": "--cached-input-tokens", "description": "is at most input_tokens"}
    ]


def test_a_cache_without_its_decision_is_not_passed_over(typed: Run) -> None:
    code, _, err = typed("route", "x", "--cached-input-tokens", "3")
    assert (code, "error: --cached-input-tokens needs --previous" in err) == (2, True)


@pytest.mark.parametrize("option", ["--model", "--only"])
def test_a_model_that_is_not_there_is_told_with_those_that_are(option: str, typed: Run) -> None:
    code, _, err = typed("route", "summarization", option, "modell-3")
    assert (code, err) == (
        1,
        f"error: the server knows no model modell-3; did you mean model-3? It knows {', '.join(sorted(MODELS))}\n",
    )


def test_a_category_that_is_not_there_is_told_with_those_that_are(typed: Run) -> None:
    code, _, err = typed("status", "--category", "sumarization")
    assert code == 1
    assert err.startswith("error: the server knows no category sumarization; did you mean summarization? It knows ")


def test_a_name_like_no_other_is_not_guessed(typed: Run) -> None:
    assert "did you mean" not in typed("route", "summarization", "--model", "zzz")[2]


@pytest.mark.parametrize("words", [("route", "summarization"), ("status",)])
def test_a_profile_that_is_not_there_is_told_with_those_that_are(words: tuple[str, ...], typed: Run) -> None:
    code, _, err = typed(*words, "--profile", "nope")
    assert (code, err) == (1, "error: profile 'nope' is not configured; name one of: balanced\n")


def test_the_address_of_the_figures_is_recognised_as_no_server_of_rpcs(typed: Run, service: ServiceProcess) -> None:
    code, _, err = typed("status", "--target", service.metrics)
    assert code == 1
    assert err.startswith(f"error: what answers at {service.metrics} is no routeward server")
    assert "start one" not in err
