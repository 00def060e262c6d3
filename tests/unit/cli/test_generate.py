"""`routeward generate` writes a table or a log, and says what it does not take."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulations.logs.invented import InventedLog, LogSettings

Cli = Callable[..., Any]


def test_a_log_is_written_with_the_truth_in_the_json(tmp_path: Path, cli: Cli) -> None:
    path = tmp_path / "calls.jsonl"
    ended = cli("generate", "--log", str(path), "--rows", "50", "--logger", "uniform", "--seed", "3", "--json")
    assert ended.code == 0
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 50
    assert {row["propensity"] for row in rows} == {1 / 8}
    truth = InventedLog(LogSettings(rows=50, logger="uniform", seed=3)).truth.as_json()
    assert ended.document == {"file": str(path), "calls": 50, "truth": truth}


def test_people_are_told_what_was_written(tmp_path: Path, cli: Cli) -> None:
    path = tmp_path / "calls.csv"
    assert f"wrote 20 calls of 8 made-up models to {path}" in cli("generate", "--log", str(path), "--rows", "20").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("generate", "give one file: FILE for a table of outcomes, or --log FILE for a log of traffic"),
        ("generate x.csv --log x.jsonl", "give one file: FILE for a table of outcomes, or --log FILE"),
        ("generate --log x.txt", "x.txt: cannot write '.txt'; give a .jsonl, .csv, .parquet file"),
        ("generate --log x.jsonl --logger greedy", "there is no logger 'greedy'; choose one of uniform, thompson"),
        ("generate --log x.jsonl --judged 1.5", "--judged is 1.5; give 1.0 or less"),
        ("generate --log x.jsonl --judged nan", "--judged is nan"),
        ("generate --log x.jsonl --days inf", "--days is inf"),
        ("generate --log x.jsonl --rows 0", "--rows is 0"),
    ],
)
def test_what_makes_no_sense_is_refused(words: str, said: str, cli: Cli) -> None:
    ended = cli(*words.split(), "--json")
    assert ended.code == 2
    assert said in ended.document["error"]["message"]


def test_a_file_that_is_there_is_kept_without_force(tmp_path: Path, cli: Cli) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_text("mine", encoding="utf-8")
    ended = cli("generate", "--log", str(path), "--rows", "5", "--json")
    assert (ended.code, ended.document["error"]["reason"]) == (1, "FILE_EXISTS")
    assert path.read_text(encoding="utf-8") == "mine"
    assert cli("generate", "--log", str(path), "--rows", "5", "--force").code == 0
    assert len(path.read_text(encoding="utf-8").splitlines()) == 5


def test_a_folder_that_is_not_there_is_a_problem_found(tmp_path: Path, cli: Cli) -> None:
    ended = cli("generate", "--log", str(tmp_path / "none" / "x.jsonl"), "--rows", "5", "--json")
    assert (ended.code, ended.document["error"]["reason"]) == (1, "NOT_WRITTEN")
