"""The page of the benchmarks says what was measured, the bad as plainly as the good."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bandit.request import Objective
from benchmarks import __main__ as collector
from benchmarks import _page, peers
from benchmarks._figures import by_benchmark, results_of
from simulations.compare import compare
from simulations.generator import generate
from simulations.scenario import scenario_of
from simulations.service import ServiceSettings
from simulations.world import world_of

DOCS = Path(__file__).parents[1] / "docs"
MACHINE = {"python": "3.11.7", "system": "Linux x86_64", "processors": 2}


def figure(name: str, value: float, unit: str = "points", benchmark: str = "peers", **more: str) -> dict[str, Any]:
    command = f"python -m benchmarks.{benchmark}"
    return {"benchmark": benchmark, "name": name, "value": value, "unit": unit, "command": command, **more}


def contest(scores: Mapping[str, float], error: float = 1.0) -> list[dict[str, Any]]:
    """Figures of one scenario, with the same standard error of all."""
    figures = []
    for policy, score in scores.items():
        name = f"score of {policy}, price-change, all"
        figures += [figure(name, score), figure(f"{name}: standard error", error)]
        if policy != "routeward":
            name = f"lead over {policy}, price-change"
            figures += [figure(name, scores["routeward"] - score), figure(f"{name}: standard error", error)]
    return figures


def page(*figures: dict[str, Any]) -> str:
    return _page.page({"machine": MACHINE, "figures": figures})


def row(text: str, policy: str) -> list[str]:
    """The cells of a policy in the table of its scores."""
    lines = [line for line in text.splitlines() if line.startswith(f"| {policy} |")]
    return [cell.strip() for cell in lines[0].strip("|").split("|")]


def test_the_committed_page_is_what_its_figures_render_to() -> None:
    document = json.loads((DOCS / "benchmarks.json").read_text(encoding="utf-8"))
    assert (DOCS / "benchmarks.md").read_text(encoding="utf-8") == _page.page(document)


def test_every_policy_stands_in_every_table_of_the_committed_page() -> None:
    document = json.loads((DOCS / "benchmarks.json").read_text(encoding="utf-8"))
    results = results_of(by_benchmark(document["figures"])["peers"])
    compared, _, _ = _page.page(document).partition("## What the tuned ones")
    tables = compared.split("| policy |")[1:]
    assert len(tables) == 2 + len({*_page.REACTED, *_page.PAID} & {*results.scenarios})
    for table in tables:
        named = re.findall(r"^\| [*`]*(.+?)[*`]* \|", table.partition("\n\n")[0], re.MULTILINE)[1:]
        assert sorted(named) == sorted(results.policies)


@pytest.mark.parametrize(
    ("own", "verdict", "mark"), [(50.0, "behind", " ▲"), (70.0, "ahead", " ▼"), (59.0, "level", "")]
)
def test_a_loss_is_told_as_plainly_as_a_win(own: float, verdict: str, mark: str) -> None:
    text = page(*contest({"vw-squarecb": 60.0, "routeward": own, "ucb1": 40.0}))
    assert f"`vw-squarecb` | 60.0 ± 1.0 | {own - 60.0:+.1f} ± 1.0 | {verdict} |" in text
    assert f"1 {verdict}" in text
    assert row(text, "`vw-squarecb`")[1].replace("*", "") == f"60.0 ± 1.0{mark}"
    assert row(text, "`ucb1`")[1] == "40.0 ± 1.0 ▼"


def test_the_best_of_a_column_is_bold_and_hindsight_is_not_the_best() -> None:
    text = page(*contest({"best fixed model": 90.0, "vw-squarecb": 60.0, "routeward": 50.0}))
    assert row(text, "`vw-squarecb`")[1] == "**60.0 ± 1.0** ▲"
    assert row(text, "best fixed model")[1] == "90.0 ± 1.0 ▲"
    assert "`vw-squarecb` | 60.0" in text  # and the bar is a bandit, not hindsight


def test_a_reaction_that_did_not_happen_is_never() -> None:
    reaction = figure("requests until moved of routeward, price-change", 37.0, "requests")
    text = page(*contest({"routeward": 50.0, "ucb1": 60.0}), reaction)
    assert row(text, "**routeward**")[-1] == "**37**"
    assert row(text, "`ucb1`")[-1] == "never"


def test_other_benchmarks_are_shown_whole_with_command_error_and_ratio() -> None:
    text = page(
        figure("decision.cached", 12.5, "us", "decisions"),
        figure("decision.cached: standard error", 0.25, "us", "decisions"),
        figure("decision.ratio", 3.0, "ratio", "decisions", ratio_to="an echo"),
    )
    assert "## decisions\n\nWhat deciding and recording cost in process" in text
    assert "$ python -m benchmarks.decisions\n" in text
    assert "| decision.cached | 12.5 ± 0.25 | us |  |" in text
    assert "| decision.ratio | 3 | ratio | an echo |" in text


def test_what_budgets_cost_stands_with_the_money() -> None:
    text = page(
        *contest({"routeward": 50.0, "ucb1": 60.0}),
        figure("spend over budget", 1.01, "ratio", "budget"),
        figure("decision.cached", 12.5, "us", "aaa"),
    )
    assert text.index("## What about money?") < text.index("| spend over budget |") < text.index("## What the tuned")
    assert text.index("## What the tuned") < text.index("| decision.cached |")


def test_the_comparison_prints_what_the_page_reads() -> None:
    world, scenario = world_of(generate(1, prompts_per_category=10)), "quality-drop"
    found = compare(
        world, scenario_of(scenario, Objective(), 60), (1, 2), ServiceSettings(), peers=["litellm-adaptive"], workers=1
    )
    found = peers.with_the_best_fixed_model(found)
    printed = [*peers.scenario_figures(scenario, found), *peers.setting_figures(scenario, found)]
    figures = collector.figures(json.dumps([{**each, "command": "x"} for each in printed]))
    results = results_of(by_benchmark({"benchmark": "peers", **each} for each in figures)["peers"])
    assert results.policies == [*found.policies]
    assert results.parts(scenario) == ["all", "before", "during", "after"]
    assert {policy for policy, _ in results.leads} == found.policies.keys() - {"routeward"}
    for policy, result in found.policies.items():
        measured = results.scores[policy, scenario, "all"]
        assert (measured.value, measured.error) == pytest.approx(
            (result.score.mean, result.score.standard_error), abs=0.006
        )
    assert {what for what, policy, _ in results.others if policy == "litellm-adaptive-tuned"} >= {
        "quality_weight",
        "tiers_by_price",
    }


def test_figures_of_other_benchmarks_are_kept_if_they_are_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, old, other = tmp_path / "out.json", figure("a", 1, benchmark="rpc"), figure("b", 2, benchmark="store")
    assert collector.kept(path, ["rpc"]) == []
    path.write_text(collector.written([old, other]), encoding="utf-8")
    assert collector.kept(path, ["rpc"]) == [other]
    monkeypatch.setattr(collector, "machine", lambda: MACHINE | {"processors": 4096})
    with pytest.raises(collector.BenchmarkError, match="another machine"):
        collector.kept(path, ["rpc"])


def test_the_page_is_written_beside_its_figures(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.json"
    path.write_text(collector.written([figure("decision.cached", 12.5, "us", "decisions")]), encoding="utf-8")
    _page.main([str(path)])
    assert "| decision.cached | 12.5 | us |" in (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
