import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

Cli = Callable[..., Any]
QUICK: Final = ("--refresh-seconds", "400000", "--workers", "1")
FEW: Final = ("--models", "north-large,north-mini")

CONFIG: Final = """
[[models]]
id = "north-large"
input_usd_per_mtok = 1.0
output_usd_per_mtok = 4.0

[[models]]
id = "north-mini"
input_usd_per_mtok = 0.15
output_usd_per_mtok = 0.6

[profiles.balanced]
answer_value_usd = 0.2
second_value_usd = 0.0
"""


@pytest.fixture
def log(cli: Cli, tmp_path: Path) -> str:
    path = tmp_path / "calls.jsonl"
    assert cli("generate", "--log", str(path), "--rows", "60").code == 0
    return str(path)


def test_a_log_is_replayed_into_a_table_for_people_and_a_small_one_ends_with_1(cli: Cli, log: str) -> None:
    ended = cli("replay", log, *QUICK, *FEW)
    for name in (
        "routeward",
        "logged",
        "random",
        "fixed:north-mini",
        "best in hindsight",
        "red: ",
        " quality ",
        " again",
    ):
        assert name in ended.out
    assert ended.code == 1


def test_rows_that_are_left_out_are_told_with_their_lines(cli: Cli, log: str) -> None:
    rows = Path(log).read_text(encoding="utf-8").splitlines()
    Path(log).write_text(
        "\n".join([rows[0], *[row.replace('"quality": ', '"quality": 7') for row in rows[1:3]], *rows[3:]])
    )
    ended = cli("replay", log, *QUICK, *FEW)
    assert "2 rows left out: quality is out of range (first lines: 2, 3)" in ended.err


def test_a_file_holds_what_is_printed(cli: Cli, log: str, tmp_path: Path) -> None:
    printed = cli("replay", log, *QUICK, *FEW, "--json", "-")
    page = ("--report", str(tmp_path / "page.html"))
    written = cli("replay", log, *QUICK, *FEW, *page, "--json", str(tmp_path / "out.json"))
    assert printed.document == json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert printed.document["models"].keys() == {"north-large", "north-mini"}
    assert written.code == printed.code
    assert "routeward" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_configuration_says_what_is_on_offer_and_options_beside_it_win(cli: Cli, log: str, tmp_path: Path) -> None:
    config = tmp_path / "routeward.toml"
    config.write_text(CONFIG, encoding="utf-8")
    words = ("--config", str(config), "--price", "north-mini=0,0", "--exploration", "1", "--second-value-usd", "0.5")
    document = cli("replay", log, *QUICK, *words, "--json", "-").document
    prices = {name: model["prices"]["input_usd_per_mtok"] for name, model in document["models"].items()}
    assert prices == {"north-large": 1.0, "north-mini": 0.0}
    assert document["settings"]["default_objective"] == {"answer_value_usd": 0.2, "second_value_usd": 0.0}
    assert document["settings"]["second_value_usd"] == 0.5
    assert document["settings"]["exploration"] == 1.0


def test_a_red_check_ends_with_1(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    row = {"category": "chat", "cost_usd": 0.01, "time_us": 1_767_571_200_000_000}
    path.write_text("".join(json.dumps(row | {"model": name}) + "\n" for name in "ab"), encoding="utf-8")
    ended = cli("replay", str(path), *QUICK, "--json", "-")
    assert ended.code == 1
    assert ended.document["status"] == "red"
    assert {check["name"] for check in ended.document["checks"] if check["status"] == "red"} >= {
        "unvalued",
        "thin tapes",
    }


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--price", "north-mini"), "--price north-mini is no price; give MODEL=INPUT,OUTPUT"),
        (("--price", "north-mini=1"), "is no price"),
        (("--price", "north-mini=nan,1"), "--price of north-mini is nan"),
        (("--price", "north-mimi=1,1"), "--price names 'north-mimi', which is not among the models: north-mini"),
        (("--without", "nobody"), "--without names 'nobody'"),
        (("--seeds", "1"), "--seeds is 1; give 20"),
        (("--quality", "applause"), "applause"),
    ],
)
def test_wrong_use_ends_with_2_and_says_what_to_do(cli: Cli, log: str, words: tuple[str, ...], complaint: str) -> None:
    ended = cli("replay", log, *QUICK, *words)
    assert ended.code == 2
    assert complaint in ended.err


def test_a_folder_for_the_result_that_is_not_there_is_told_before_anything_runs(cli: Cli, log: str) -> None:
    ended = cli("replay", log, "--json", "nowhere/out.json")
    assert ended.code == 2
    assert "there is no folder nowhere" in ended.document["error"]["message"]


def test_a_log_that_is_not_there_ends_with_2(cli: Cli, tmp_path: Path) -> None:
    ended = cli("replay", str(tmp_path / "nothing.jsonl"), "--json", "-")
    assert ended.code == 2
    assert ended.document["error"]["reason"] == "LOG_REFUSED"
