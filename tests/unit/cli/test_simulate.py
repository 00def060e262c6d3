import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from routeward.cli.offline import SCENARIOS as SHOWN
from simulations.generator import generate, write_csv
from simulations.scenario import SCENARIOS

Cli = Callable[..., Any]


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "table.csv"
    write_csv(generate(1, prompts_per_category=3), path)
    return str(path)


def test_help_has_a_line_for_every_scenario(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    lines = [line.strip("│ ") for line in cli("simulate", "--help").out.splitlines()]
    assert tuple(SHOWN) == tuple(SCENARIOS)
    assert [line for line in lines if re.match(r"[a-z-]+: ", line)] == [f"{name}: {SHOWN[name]}." for name in SCENARIOS]


@pytest.mark.parametrize(
    ("option", "value"),
    [("--quality-delay", "-1"), ("--quality-share", "1.5"), ("--quality-share", "nan"), ("--steps", "2")],
)
def test_a_number_out_of_range_ends_with_2_and_names_its_option(cli: Cli, table: str, option: str, value: str) -> None:
    ended = cli("simulate", "--outcomes", table, "--scenario", "quality-drop", option, value)
    assert ended.code == 2
    assert ended.err.startswith(f"error: {option} is ")


def test_a_share_of_reports_that_is_no_number_ends_with_2_and_names_its_option(cli: Cli, table: str) -> None:
    ended = cli("simulate", "--outcomes", table, "--quality-share", "some")
    assert ended.code == 2
    assert "--quality-share" in ended.err


def test_a_folder_for_the_result_that_is_not_there_is_told_before_anything_runs(
    cli: Cli, table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulations.command.simulate", lambda *_: pytest.fail("it ran"))
    ended = cli("simulate", "--outcomes", table, "--json", str(tmp_path / "nowhere" / "result.json"))
    assert ended.code == 2
    assert "there is no folder" in ended.document["error"]["message"]


def test_delay_and_share_go_with_any_scenario(cli: Cli, table: str) -> None:
    words = ("--scenario", "price-change", "--quality-delay", "5", "--quality-share", "0.5", "--steps", "9")
    ended = cli("simulate", "--outcomes", table, *words, "--seeds", "1", "--workers", "1", "--json", "-")
    assert ended.code == 0, ended.err
    settings = ended.document["settings"]
    assert (settings["scenario"], settings["quality_delay"], settings["quality_share"]) == ("price-change", 5, 0.5)


def test_peers_that_are_not_installed_end_with_2_and_how_to_get_them(
    cli: Cli, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulations.peers.kinds.find_spec", lambda _: None)
    ended = cli("simulate", "--outcomes", table, "--peers", "--steps", "5", "--seeds", "1")
    assert ended.code == 2
    assert "run make peers" in ended.err


def test_a_world_file_is_played_and_options_replace_what_it_says(cli: Cli, table: str, tmp_path: Path) -> None:
    path = tmp_path / "busy.toml"
    event = '[[events]]\nkind = "outage"\nmodel = "best"\nfrom = "50%"\n'
    path.write_text(f'outcomes = "{Path(table).name}"\nsteps = 90\nseeds = 1\n{event}', encoding="utf-8")
    ended = cli("simulate", "--world", str(path), "--steps", "8", "--workers", "1", "--json", "-")
    assert ended.code == 0, ended.err
    assert (ended.document["settings"]["scenario"], ended.document["settings"]["steps"]) == ("busy", 8)
    [happened] = ended.document["scenario"]["events"]
    assert (happened["event"], happened["from"], happened["to"]) == ("outage", 4, 8)
    shown = cli("simulate", "--world", str(path), "--steps", "8", "--workers", "1").out
    assert "busy: 8 requests, 1 seed" in shown


def test_what_is_wrong_with_a_world_file_is_told_with_its_line(cli: Cli, table: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("steps = 90\nsecs = 3\n", encoding="utf-8")
    ended = cli("simulate", "--outcomes", table, "--world", str(path))
    assert ended.code == 2
    assert ended.err.splitlines() == [
        f'error: {path}:2: unknown key "secs" at the top of the file',
        '    did you mean "steps"?',
    ]
    assert cli("simulate", "--world", str(path), "--json", "-").document["error"]["reason"] == "SIMULATION_REFUSED"


def test_without_a_table_or_a_world_nothing_runs(cli: Cli) -> None:
    ended = cli("simulate")
    assert ended.code == 2
    assert ended.err.endswith("no table of outcomes is given; give --outcomes FILE, or a world file that has one\n")
