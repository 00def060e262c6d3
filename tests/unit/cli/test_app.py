"""What holds for every command line."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from routeward import errors
from routeward.cli import version
from routeward.cli.app import app
from routeward.errors import InvalidFieldError, RoutewardError, Violation

Cli = Callable[..., Any]

ROOT = Path(__file__).parents[3]


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not hasattr(command, "commands"):
        yield words, command
        return
    for name, inner in command.commands.items():
        yield from commands(inner, (*words, name))


EVERY_COMMAND = dict(commands(typer.main.get_command(app)))


def test_the_commands_are_those_of_the_design() -> None:
    first_words = {words[0] for words in EVERY_COMMAND}
    assert {"init", "serve", "route", "feedback", "status", "simulate", "doctor", "config", "keys"} <= first_words


@pytest.mark.parametrize("words", EVERY_COMMAND, ids=" ".join)
def test_every_command_speaks_json(words: tuple[str, ...]) -> None:
    assert "--json" in {option for parameter in EVERY_COMMAND[words].params for option in parameter.opts}


@pytest.mark.parametrize("words", EVERY_COMMAND, ids=" ".join)
def test_every_command_and_option_says_what_it_is_for(words: tuple[str, ...], cli: Cli) -> None:
    assert cli(*words, "--help").code == 0
    assert EVERY_COMMAND[words].help
    assert all(parameter.help for parameter in EVERY_COMMAND[words].params)


def test_help_fits_a_hundred_columns(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    for words in EVERY_COMMAND:
        assert max(map(len, cli(*words, "--help").out.splitlines())) <= 100


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("nonsense",),
        ("route",),
        ("route", "x", "--nonsense"),
        ("status", "--timeout", "soon"),
        ("generate", "x.csv", "--seed", "-1"),
        ("generate", "x.csv", "--prompts", "99999999"),
    ],
)
def test_wrong_use_ends_with_2_and_without_a_traceback(words: tuple[str, ...], cli: Cli) -> None:
    ended = cli(*words)
    assert ended.code == 2
    assert "Usage: routeward" in ended.out + ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    "words", [("nonsense", "--json"), ("route", "--json"), ("status", "--json", "--timeout", "soon")]
)
def test_wrong_use_is_told_in_json_where_json_was_asked_for(words: tuple[str, ...], cli: Cli) -> None:
    ended = cli(*words)
    assert ended.code == 2
    assert ended.document["error"]["reason"] == "WRONG_USE"
    assert ended.document["error"]["message"]
    assert ended.err == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("feedback D --status good", "--status is good; give ok, error, timeout, rate-limited or cancelled"),
        ("feedback D --thumb aside", "--thumb is aside; give up or down"),
        ("route x --input-tokens 3k", "--input-tokens is 3k; give a whole number"),
        ("route x --max-cost-usd much", "--max-cost-usd is much; give a number"),
        ("status --timeout 0", "--timeout is 0; give 0.001 or more"),
        ("generate x.csv --prompts 2000000", "--prompts is 2000000; give 1,000,000 or less"),
        ("route", "Missing argument 'CATEGORY'."),
        ("feedback", "Missing argument 'DECISION_ID'."),
    ],
)
def test_wrong_use_is_told_with_the_option_and_what_to_give(words: str, said: str, cli: Cli) -> None:
    assert cli(*words.split()).err.splitlines()[-1] == f"error: {said}"
    assert cli(*words.split(), "--json").document["error"]["message"] == said


@pytest.mark.parametrize("words", [(), ("keys",), ("config",)])
def test_a_group_without_a_command_shows_its_help_and_no_error(words: tuple[str, ...], cli: Cli) -> None:
    ended = cli(*words)
    assert ended.code == 2
    assert "Show this message and exit" in ended.out + ended.err
    assert "error:" not in ended.err


def test_the_version_is_an_option_too(cli: Cli) -> None:
    asked = cli("--version")
    assert (asked.code, asked.out) == (0, cli("version").out)
    assert asked.out


@pytest.mark.parametrize("words", [(), ("keys",), ("config",), *EVERY_COMMAND], ids=" ".join)
def test_help_has_no_braces_that_read_as_choices_and_no_type_of_a_flag(words: tuple[str, ...], cli: Cli) -> None:
    shown = cli(*words, "--help").out
    assert [mark for mark in ("{", "}", "<bool>") if mark in shown] == []


def refusing(error: Exception) -> Callable[[str], str]:
    def refuse(_: str) -> str:
        raise error

    return refuse


@pytest.mark.parametrize(
    "kind",
    [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, RoutewardError)],
    ids=lambda kind: str(kind.__name__),
)
def test_whatever_the_client_raises_is_told_with_a_reason(
    kind: type[RoutewardError], cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(version, "installed_version", refusing(kind("what to do")))
    ended = cli("version", "--json")
    assert ended.code == (2 if issubclass(kind, errors.InvalidRequestError) else 1)
    assert ended.document["error"]["message"] == "what to do"
    assert ended.document["error"]["reason"].isupper()


def test_what_the_server_says_of_a_refusal_is_told_whole(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    violations = [Violation("input_tokens", "must be 0 or more")]
    error = InvalidFieldError(
        "a field breaks a rule", reason="INVALID_FIELD", metadata={"field": "x"}, violations=violations
    )
    monkeypatch.setattr(version, "installed_version", refusing(error))
    assert cli("version", "--json").document == {
        "error": {
            "reason": "INVALID_FIELD",
            "message": "a field breaks a rule\n  input_tokens: must be 0 or more",
            "metadata": {"field": "x"},
            "violations": [{"field": "input_tokens", "description": "must be 0 or more"}],
        }
    }
    ended = cli("version")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "error: a field breaks a rule\n  input_tokens: must be 0 or more\n"


def test_a_missing_library_is_told_with_what_to_install(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "installed_version", refusing(ModuleNotFoundError("no numpy", name="numpy")))
    ended = cli("version")
    assert ended.code == 2
    assert "needs numpy, which is not installed: run  pip install" in ended.err


def test_a_defect_is_not_hidden(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "installed_version", refusing(ZeroDivisionError("a defect")))
    with pytest.raises(ZeroDivisionError):
        cli("version")


def test_the_launcher_ends_with_the_code_of_the_command(tmp_path: Path) -> None:
    for words, code in (
        (["--help"], 0),
        (["config", "check", "none.toml"], 2),
        (["route", "x", "--target", "127.0.0.1:1"], 1),
    ):
        command = [sys.executable, "-m", "routeward", *words]
        ended = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, check=False)
        assert ended.returncode == code


@pytest.mark.parametrize("words", [["route", "summarization"], ["feedback", "id", "--thumb", "up"], ["status"]])
def test_calling_a_server_loads_nothing_of_the_service(words: list[str]) -> None:
    code = f"""
import sys
from routeward.cli import app
assert app.run({[*words, "--target", "127.0.0.1:1"]!r}) == 1
print(*sorted(name for name in sys.modules if "." not in name))
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"server", "bandit", "adapters", "simulations", "numpy", "sqlalchemy"} & {*ended.stdout.split()}


def test_json_is_one_document_and_nothing_else(cli: Cli) -> None:
    ended = cli("init", "--json")
    assert json.loads(ended.out) == {"path": "routeward.toml"}
    assert ended.err == ""
