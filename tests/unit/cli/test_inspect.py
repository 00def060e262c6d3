import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
DRAWN = "category,model,time,propensity,probabilities,quality\n"
ROWS = 'chat,large,2026-03-01T10:00:00Z,0.75,"{""large"": 0.75, ""small"": 0.25}",1\nchat,small,x,0.25,,1\n'


@pytest.fixture
def log(tmp_path: Path) -> str:
    (tmp_path / "log.csv").write_text(DRAWN + ROWS)
    return "log.csv"


def test_a_log_tells_what_it_knows_what_was_left_out_and_what_it_is_good_for(cli: Cli, log: str) -> None:
    ended = cli("inspect", log)
    assert ended.code == 0, ended.err
    assert "1 call in format generic, 2026-03-01T10:00:00+00:00 to 2026-03-01T10:00:00+00:00" in ended.out
    assert "  propensity             100%\n" in ended.out
    assert "  latency_s                 -\n" in ended.out
    assert "  1 x time is no time (ISO 8601, as 2026-01-31T12:00:00Z) (first lines: 3)" in ended.out
    assert "  evaluate     yes  1 of 1 calls know their propensity\n" in ended.out


def test_the_json_tells_the_same(cli: Cli, log: str) -> None:
    document = cli("inspect", log, "--json").document
    assert (document["calls"], document["format"], document["models"]) == (1, "generic", {"large": 1})
    assert (document["knows"]["quality"], document["knows"]["latency_s"]) == (1.0, 0.0)
    assert document["rejected"] == {
        "time is no time (ISO 8601, as 2026-01-31T12:00:00Z)": {"rows": 1, "first_lines": "3"}
    }
    assert {name: one["allowed"] for name, one in document["allows"].items()} == {
        "evaluate": True,
        "replay": True,
        "warm-start": True,
    }


def test_a_log_without_propensities_is_good_for_replay_alone(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(json.dumps({"llm": "m", "ms": 250}))
    mapped = cli("inspect", "log.jsonl", "--map", "model=llm", "--map", "latency=ms:ms", "--json").document
    assert {name: one["allowed"] for name, one in mapped["allows"].items()} == {
        "evaluate": False,
        "replay": True,
        "warm-start": True,
    }


def test_a_log_that_says_nothing_of_how_calls_went_is_good_for_nothing(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(json.dumps({"category": "c", "model": "m", "session": "s"}))
    document = cli("inspect", "log.jsonl", "--json").document
    assert not any(one["allowed"] for one in document["allows"].values())


def test_categories_with_a_single_model_are_told(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("category,model,quality\na,large,1\nb,large,1\nb,small,1\n")
    [note] = cli("inspect", "log.csv", "--json").document["notes"]
    assert note == "in 1 of 2 categories all calls went to one model: nothing can be compared there"


def test_a_log_without_usable_calls_ends_with_1_and_the_reasons(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("category,model,quality\n,large,1\n")
    ended = cli("inspect", "log.csv")
    assert ended.code == 1
    assert "1 x category is missing" in ended.err


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("words", [("gone.csv",), ("log.csv", "--map", "latency=x"), ("log.csv", "--format", "xml")])
def test_what_cannot_be_opened_ends_with_2(cli: Cli, words: tuple[str, ...]) -> None:
    ended = cli("inspect", *words, "--json")
    assert ended.code == 2
    assert ended.document["error"]["reason"] == "LOG_REFUSED"
