from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
LOG = "category,model,quality,latency_ms\nchat,large,1,1000\nchat,large,0.5,\nchat,small,7,1\n"


@pytest.fixture
def log(tmp_path: Path) -> str:
    (tmp_path / "log.csv").write_text(LOG)
    return "log.csv"


def test_a_log_becomes_a_file_and_what_was_left_out_is_told(cli: Cli, log: str, tmp_path: Path) -> None:
    ended = cli("warm-start", log)
    assert ended.code == 0, ended.err
    assert "2 rows used: 1 model in 1 category" in ended.out
    assert "1 row left out: quality is out of range (lines 4)" in ended.out
    assert (tmp_path / "warm-start.json").is_file()


def test_the_json_tells_the_same(cli: Cli, log: str) -> None:
    assert cli("warm-start", log, "--output", "past.json", "--json").document == {
        "file": "past.json",
        "rows_used": 2,
        "rows_rejected": {"quality is out of range": 1},
        "first_lines": {"quality is out of range": "4"},
        "categories": ["chat"],
        "models": ["large"],
        "signals": {"latency": 1, "quality": 1},
    }


def test_what_it_writes_is_a_configuration_s_warm_start(cli: Cli, log: str, tmp_path: Path) -> None:
    assert cli("warm-start", log, "--output", "past.json").code == 0
    model = '[[models]]\nid = "large"\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 2\n'
    (tmp_path / "routeward.toml").write_text(f'[learning]\nwarm_start = "past.json"\n{model}')
    assert cli("config", "check").code == 0


def test_a_file_that_is_there_is_replaced_only_when_forced(cli: Cli, log: str) -> None:
    assert cli("warm-start", log).code == 0
    assert cli("warm-start", log).code == 1
    assert cli("warm-start", log, "--force").code == 0


def test_a_log_without_usable_rows_ends_with_1_and_the_reasons(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("category,model,quality\n,large,1\n")
    ended = cli("warm-start", "log.csv")
    assert ended.code == 1
    assert "1 x category is missing" in ended.err
    assert not (tmp_path / "warm-start.json").exists()


def test_what_is_no_log_ends_with_2(cli: Cli) -> None:
    assert cli("warm-start", "gone.csv").code == 2
