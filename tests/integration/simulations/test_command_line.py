import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from simulations.command import SimulateOptions, simulate

ROOT = Path(__file__).parents[3]


def routeward(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "routeward", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


def test_two_workers_give_the_result_of_one(parquet: Path) -> None:
    options = SimulateOptions(parquet, scenario="profiles", steps=60, seeds=3, workers=1)
    alone, together = (simulate(replace(options, workers=workers)).as_json() for workers in (1, 2))
    assert alone["policies"] == together["policies"]
    assert alone["seed_scores"] == together["seed_scores"]


def test_the_command_writes_its_result_and_shows_progress_and_a_table(parquet: Path, tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    finished = routeward(
        *("simulate", "--outcomes", str(parquet), "--models", "south-flash,open-8b", "--scenario", "stationary"),
        *("--answer-value-usd", "0.05", "--second-value-usd", "0.001", "--steps", "30", "--seeds", "2"),
        *("--requests-per-second", "1", "--refresh-seconds", "5", "--json", str(out)),
    )
    assert finished.returncode == 0, finished.stderr
    assert json.loads(out.read_text())["policies"].keys() >= {"routeward", "random", "fixed:south-flash"}
    assert "routeward" in finished.stdout
    assert "runs: 5 of 5" in finished.stderr


def test_wrong_use_ends_with_2_and_says_what_to_do(parquet: Path) -> None:
    finished = routeward("simulate", "--outcomes", str(parquet), "--models", "nobody")
    assert finished.returncode == 2
    assert finished.stderr.startswith("error: the table has no model 'nobody'")
    assert "Traceback" not in finished.stderr


def test_a_table_can_be_generated_and_simulated(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    assert routeward("generate", str(table), "--prompts", "3").returncode == 0
    finished = routeward("simulate", "--outcomes", str(table), "--steps", "10", "--seeds", "1")
    assert finished.returncode == 0, finished.stderr
