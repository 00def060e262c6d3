import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulations.page.example import example

Cli = Callable[..., Any]


@pytest.fixture
def result(tmp_path: Path) -> str:
    (tmp_path / "result.json").write_text(json.dumps(example(2)), encoding="utf-8")
    return "result.json"


def test_a_result_becomes_a_page_with_every_number_beside_it(cli: Cli, result: str, tmp_path: Path) -> None:
    ended = cli("report", result, "--json")
    assert ended.code == 0, ended.err
    assert ended.document == {"page": "report.html", "json": "report.json", "csv": "report.csv"}
    assert all((tmp_path / name).stat().st_size for name in ended.document.values())


def test_a_page_that_is_there_is_replaced_only_when_told_to(cli: Cli, result: str, tmp_path: Path) -> None:
    (tmp_path / "out.html").write_text("mine")
    ended = cli("report", result, "-o", "out.html")
    assert ended.code == 1
    assert "--force" in ended.err
    assert (tmp_path / "out.html").read_text() == "mine"
    assert cli("report", result, "-o", "out.html", "--force").code == 0


def test_several_results_are_not_written_over_one_of_them(cli: Cli, result: str, tmp_path: Path) -> None:
    before = (tmp_path / result).read_bytes()
    ended = cli("report", result, result, "-o", "result.html")
    assert ended.code == 2
    assert "result.json would be written over" in ended.err
    assert (tmp_path / result).read_bytes() == before


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("-o", "page.json"), "a name that ends with .html"),
        (("-o", "nowhere/page.html"), "there is no folder nowhere"),
        (("--requests-per-month", "-1"), "--requests-per-month is -1.0"),
        (("--requests-per-month", "nan"), "--requests-per-month"),
        (("absent.json",), "absent.json cannot be read"),
    ],
)
def test_wrong_use_ends_with_2_and_writes_nothing(
    cli: Cli, result: str, tmp_path: Path, words: tuple[str, ...], complaint: str
) -> None:
    ended = cli("report", result, *words)
    assert ended.code == 2
    assert complaint in ended.err
    assert [path.name for path in tmp_path.iterdir()] == [result]


def test_what_is_no_result_ends_with_2_and_says_what_is(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"kind": "simulate"}')
    ended = cli("report", "other.json", "--json")
    assert ended.code == 2
    assert ended.document["error"]["reason"] == "NO_RESULT"


def test_without_plotly_the_numbers_are_written_and_the_way_to_the_page_is_told(
    cli: Cli, result: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    ended = cli("report", result)
    assert ended.code == 2
    assert "pip install 'routeward[report]'" in ended.err
    assert (tmp_path / "report.csv").is_file()
    assert not (tmp_path / "report.html").exists()


def test_evaluate_writes_its_report_beside_its_own_result(cli: Cli, tmp_path: Path) -> None:
    assert cli("generate", "--log", "log.jsonl", "--rows", "400", "--logger", "uniform").code == 0
    ended = cli("evaluate", "log.jsonl", "--json", "-", "--report", "out.html", "--requests-per-month", "1e6")
    assert "wrote out.html" in ended.err
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8")) == ended.document
    assert (tmp_path / "out.html").is_file()


def test_evaluate_refuses_a_report_that_could_not_be_written_before_it_reads_the_log(cli: Cli) -> None:
    ended = cli("evaluate", "absent.jsonl", "--report", "nowhere/out.html")
    assert ended.code == 2
    assert "there is no folder nowhere" in ended.err


def test_a_page_that_cannot_be_drawn_here_is_told_before_the_log_is_read(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    ended = cli("evaluate", "absent.jsonl", "--report", "out.html")
    before, _, after = ended.err.partition("error: ")
    assert "Without it out.html is not written, only out.json and out.csv" in before
    assert "absent.jsonl" in after
