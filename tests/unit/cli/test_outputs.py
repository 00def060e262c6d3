"""No command writes over what it reads."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from routeward.cli.output import CommandError
from routeward.cli.outputs import PRINTED, checked_json
from routeward.cli.report import checked_report

Cli = Callable[..., Any]


@pytest.fixture
def log(cli: Cli, tmp_path: Path) -> Path:
    (tmp_path / "own").mkdir()
    assert cli("generate", "--log", "own/calls.csv", "--rows", "40", "--logger", "uniform").code == 0
    return tmp_path / "own/calls.csv"


def test_the_log_is_never_replaced_by_the_files_of_its_report(cli: Cli, log: Path) -> None:
    before = log.read_bytes()
    for command in ("evaluate", "replay"):
        for words in (("--report", "own/calls.html"), ("--report", "own/calls.html", "--force")):
            ended = cli(command, "own/calls.csv", *words)
            assert ended.code == 2
            assert "own/calls.csv would be written over own/calls.csv" in ended.err
        assert [path.name for path in log.parent.iterdir()] == ["calls.csv"]
    assert log.read_bytes() == before


def test_the_log_is_never_replaced_by_the_result(cli: Cli, log: Path) -> None:
    before = log.read_bytes()
    for command in ("evaluate", "replay"):
        ended = cli(command, "own/calls.csv", "--json", "own/../own/calls.csv")
        assert ended.code == 2
        assert "written over" in ended.out
    assert cli("collapse", "own/calls.csv", "-o", "own/calls.csv", "--force").code == 2
    assert log.read_bytes() == before


def test_nothing_is_written_into_a_folder_that_is_the_log(cli: Cli, log: Path) -> None:
    for words in (("--report", "own/new.html"), ("--json", "own/new.json")):
        ended = cli("evaluate", "own", *words)
        assert ended.code == 2
        assert "which is read as a whole" in ended.out + ended.err
    assert [path.name for path in log.parent.iterdir()] == ["calls.csv"]


def test_policies_and_configurations_are_not_replaced(cli: Cli, log: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text("kept")
    assert "written over mine.json" in cli("evaluate", str(log), "--policies", "mine.json", "--report", "mine.html").err
    assert "written over mine.json" in cli("replay", str(log), "--config", "mine.json", "--json", "mine.json").out
    assert (tmp_path / "mine.json").read_text() == "kept"


def test_a_link_to_the_log_is_the_log(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("a")
    (tmp_path / "soft.csv").symlink_to("log.csv")
    os.link(tmp_path / "log.csv", tmp_path / "hard.csv")
    for name in ("soft", "hard"):
        with pytest.raises(CommandError, match="written over"):
            checked_report(tmp_path / f"{name}.html", None, inputs=[tmp_path / "log.csv"], force=True)


def test_the_report_and_the_result_are_files_of_their_own(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="beside the page anyway"):
        checked_report(tmp_path / "out.html", None, json=tmp_path / "out.json")
    checked_report(tmp_path / "out.html", None, json=tmp_path / "other.json")
    checked_report(tmp_path / "out.html", None, json=PRINTED)


@pytest.mark.parametrize("suffix", [".html", ".json", ".csv"])
def test_files_that_are_there_are_replaced_only_when_told_to(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"out{suffix}").write_text("mine")
    with pytest.raises(CommandError, match=f"out{suffix} is there already") as refused:
        checked_report(tmp_path / "out.html", None)
    assert refused.value.exit_code == 1
    checked_report(tmp_path / "out.html", None, force=True)


def test_a_result_replaces_an_older_one_and_needs_a_folder(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("{}")
    checked_json(tmp_path / "old.json", [tmp_path / "log.csv", None])
    with pytest.raises(CommandError, match="there is no folder"):
        checked_json(tmp_path / "nowhere/new.json", [])
    with pytest.raises(CommandError, match="a folder; give a file in it"):
        checked_json(tmp_path, [])
