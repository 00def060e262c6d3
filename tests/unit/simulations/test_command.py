import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from simulations import ranges
from simulations.command import SimulateOptions, Simulation, simulate
from simulations.documents import write_document
from simulations.errors import OptionsError
from simulations.generator import generate, write_csv
from simulations.progress import shown_progress
from simulations.scenario import SCENARIOS
from simulations.summary import summary_table

MODELS = ("north-mini", "south-flash", "open-8b")
NOWHERE = (-1.0, math.nan, math.inf)
INCIDENT = [("before", 0, 30), ("during", 30, 60), ("after", 60, 90)]
ARRIVAL = [("before", 0, 30), ("joining", 30, 60), ("settled", 60, 90)]
CATEGORIES = [("before", 0, 30), ("after", 30, 90), ("first 800 in new categories", 30, 90)]
TOLD: dict[str, tuple[list[tuple[str, int, int]], list[list[object]]]] = {
    "quality-drop": (INCIDENT, [["quality-drop", 30, 60]]),
    "outage": (INCIDENT, [["outage", 30, 60]]),
    "latency-spike": (INCIDENT, [["latency-change", 30, 60]]),
    "price-change": (INCIDENT, [["price-change", 30, 60]]),
    "poisoned": (INCIDENT, [["false-judgements", 30, 60]]),
    "budget": (INCIDENT, [["price-change", 30, 60]]),
    "model-added": (ARRIVAL, [["model-added", 30, 90]]),
    "bad-model-added": (ARRIVAL, [["model-added", 30, 90]]),
    "category-added": (CATEGORIES, []),
}
"""Phases and events of the scenarios that have any, in 90 requests."""
SHARES = {"share_before", "share_during", "share_after"}
FIGURES: dict[object, set[str]] = {
    "quality-drop": SHARES | {"halved_after"},
    "latency-change": SHARES | {"halved_after"},
    "outage": SHARES | {"halved_after"},
    "price-change": SHARES | {"moved_after"},
    "false-judgements": SHARES | {"halved_after", "recovered_after"},
    "model-added": {"half_of_final_share_after", "share_after"},
}

PAID = ("quality", "cost_usd", "cost_usd_se", "budget_share")


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> SimulateOptions:
    path = tmp_path_factory.mktemp("tables") / "table.csv"
    write_csv(generate(1, prompts_per_category=10), path)
    return SimulateOptions(path, MODELS, steps=120, seeds=2, workers=1)


@pytest.fixture(scope="module")
def simulation(options: SimulateOptions) -> Simulation:
    return simulate(options)


def test_the_json_has_every_policy_and_every_figure(simulation: Simulation, tmp_path: Path) -> None:
    write_document(simulation.as_json(), tmp_path / "result.json")
    policies = json.loads((tmp_path / "result.json").read_text())["policies"]
    learning = {"routeward", "beta-ts", "beta-ts-tuned", "gaussian-ts", "gaussian-ts-tuned", "ucb1"}
    assert policies.keys() == learning | {"random"} | {f"fixed:{model}" for model in MODELS}
    for figures in policies.values():
        assert figures.keys() == {"score", "score_se", "regret", "shares", "passes_best_fixed_at", "phases", "events"}
        assert figures["shares"].keys() == set(MODELS)
        assert sum(figures["shares"].values()) == pytest.approx(1.0)
        (phase,) = figures["phases"]
        whole = {"score": figures["score"], "score_se": figures["score_se"]}
        paid = {name: phase[name] for name in PAID}
        assert phase == {"name": "all", "from": 0, "to": 120, **whole, **paid}
        assert figures["events"] == []


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_tells_of_its_phases_and_events(options: SimulateOptions, scenario: str) -> None:
    told = simulate(replace(options, scenario=scenario, steps=90)).as_json()
    policies = json.loads(json.dumps(told, allow_nan=False))["policies"]
    phases, events = TOLD.get(scenario, ([("all", 0, 90)], []))
    for name, figures in policies.items():
        assert [(phase["name"], phase["from"], phase["to"]) for phase in figures["phases"]] == phases, name
        assert all(phase.keys() == {"name", "from", "to", "score", "score_se", *PAID} for phase in figures["phases"])
        assert [[event.pop(key) for key in ("event", "from", "to")] for event in figures["events"]] == events
        assert all(event.pop("model") in MODELS for event in figures["events"])
        assert [event.keys() for event in figures["events"]] == [FIGURES[event[0]] for event in events]


def test_the_settings_are_those_that_were_run(options: SimulateOptions, simulation: Simulation) -> None:
    def reports(told: Simulation) -> tuple[object, object]:
        settings: Any = told.as_json()["settings"]
        return settings["quality_delay"], settings["quality_share"]

    sparse = replace(options, scenario="sparse", steps=5)
    assert reports(simulation) == (0, 1.0)
    assert reports(simulate(sparse)) == (0, 0.1)
    assert reports(simulate(replace(sparse, quality_delay=2, quality_share=0.5))) == (2, 0.5)


def test_a_fixed_model_is_as_good_as_random_until_it_is_there(options: SimulateOptions) -> None:
    policies = simulate(replace(options, scenario="model-added", steps=90)).comparison.policies
    (joined,) = {event.model for event in policies["routeward"].events}
    fixed, random = ([*policies[name].phases.values()] for name in (f"fixed:{joined}", "random"))
    assert fixed[0] == random[0]
    assert fixed[1] != random[1]


def test_the_json_tells_what_was_run(simulation: Simulation) -> None:
    told = simulation.as_json()
    assert told["settings"]["outcomes"] == "table.csv"  # type: ignore[index]
    assert told["world"]["prompts"] == 60  # type: ignore[index]
    assert told["multipliers"].keys() == {"beta-ts-tuned", "gaussian-ts-tuned"}  # type: ignore[attr-defined]
    assert len(told["seed_scores"]["routeward"]) == 2  # type: ignore[index]


def test_equal_options_give_equal_json(options: SimulateOptions, simulation: Simulation) -> None:
    assert json.dumps(simulate(options).as_json()) == json.dumps(simulation.as_json())


def test_other_seeds_give_other_scores(options: SimulateOptions, simulation: Simulation) -> None:
    others = simulate(replace(options, first_seed=2)).as_json()
    assert others["seed_scores"] != simulation.as_json()["seed_scores"]


def test_a_fixed_model_is_chosen_always_and_random_choice_equally(simulation: Simulation) -> None:
    policies = simulation.comparison.policies
    assert policies["fixed:open-8b"].shares == {"north-mini": 0.0, "south-flash": 0.0, "open-8b": 1.0}
    assert max(policies["random"].shares.values()) < 0.5


def test_a_tuned_bandit_is_its_best_multiplier(simulation: Simulation) -> None:
    policies = simulation.comparison.policies
    for name in ("beta-ts", "gaussian-ts"):
        textbook, tuned = policies[name].score.mean, policies[f"{name}-tuned"].score.mean
        assert textbook is not None
        assert tuned is not None
        assert tuned >= textbook


def test_progress_counts_every_run(options: SimulateOptions) -> None:
    seen: list[tuple[int, int]] = []
    simulate(replace(options, steps=2), lambda done, total: seen.append((done, total)))
    assert seen == [(done, 5) for done in range(6)]  # three bandits, and the service on two seeds


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": 0}, "--seeds is 0; give 1 to 10,000"),
        ({"seeds": 10**12}, "--seeds is"),
        ({"first_seed": -1}, "--first-seed is -1"),
        ({"steps": 0}, "--steps is 0; give 1 to 10,000,000"),
        ({"steps": 10**20}, "--steps is"),
        ({"steps": 10**6, "seeds": 1000}, "--steps times --seeds is 1,000,000,000"),
        *(({"requests_per_second": value}, "--requests-per-second is") for value in (*NOWHERE, 0.0, 1e-300, 1e300)),
        *(({"refresh_seconds": value}, "--refresh-seconds, unless it is 0") for value in (*NOWHERE, 1e-300, 1e300)),
        *(({"answer_value_usd": value}, "--answer-value-usd is") for value in (*NOWHERE, 0.0, 1e-320, 1e300)),
        *(({"second_value_usd": value}, "--second-value-usd is") for value in (*NOWHERE, 1e300)),
        ({"quality_delay": -1}, "--quality-delay is -1; give 0 to 10,000,000"),
        ({"quality_delay": 10**8}, "--quality-delay is"),
        *(({"quality_share": value}, "--quality-share is .*; give 0 to 1") for value in (*NOWHERE, -0.1, 1.1)),
        ({"scenario": "latency-spike", "steps": 2}, "--steps is 2; latency-spike has three parts, give at least 3"),
        ({"scenario": "model-added", "models": ("open-8b",)}, "no model that can be chosen throughout"),
        ({"workers": -1}, "--workers is -1; give 0 to 1,000"),
        ({"workers": 10**6}, "--workers is"),
        ({"scenario": "weather"}, "no scenario 'weather'"),
        ({"models": ("nobody",)}, "no model 'nobody'"),
    ],
)
def test_options_without_meaning_are_refused(options: SimulateOptions, change: dict[str, object], message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        simulate(replace(options, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        *({"requests_per_second": pace} for pace in ranges.REQUESTS_PER_SECOND),
        *({"refresh_seconds": pause} for pause in (0.0, 0.000_001, 1e6)),
        *({"answer_value_usd": value} for value in ranges.ANSWER_VALUE_USD),
        *({"second_value_usd": value} for value in ranges.SECOND_VALUE_USD),
        *({"quality_delay": delay} for delay in (0, 10_000_000)),
        *({"quality_share": share} for share in (0.0, 1.0)),
    ],
    ids=str,
)
def test_what_is_allowed_can_be_run(options: SimulateOptions, change: dict[str, float]) -> None:
    told = simulate(replace(options, steps=5, **change)).as_json()  # type: ignore[arg-type]
    json.dumps(told, allow_nan=False)


def test_a_result_that_cannot_be_written_is_an_error(simulation: Simulation, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="cannot be written"):
        write_document(simulation.as_json(), tmp_path / "nowhere" / "result.json")


def test_one_model_alone_has_no_score(options: SimulateOptions) -> None:
    alone = simulate(replace(options, models=("open-8b",), steps=10)).as_json()
    text = json.dumps(alone, allow_nan=False)
    assert json.loads(text)["policies"]["routeward"]["score"] is None


def test_the_table_shows_the_best_policy_first(simulation: Simulation) -> None:
    table = summary_table(simulation)
    scores = [float(cell) for cell in table.columns[1].cells if isinstance(cell, str)]
    assert len(scores) == 10
    assert scores == sorted(scores, reverse=True)


def test_the_table_shows_the_score_of_each_phase_where_there_are_several(options: SimulateOptions) -> None:
    table = summary_table(simulate(replace(options, scenario="quality-drop", steps=90)))
    assert [column.header for column in table.columns] == [
        *("policy", "score", "±", "before", "during", "after", "regret")
    ]
    console = Console(force_terminal=False, width=100)
    with console.capture() as captured:
        console.print(table)
    assert "fixed:south-flash" in captured.get()


def test_progress_is_plain_lines_where_there_is_no_terminal() -> None:
    console = Console(record=True, force_terminal=False, width=80)
    with console.capture() as captured, shown_progress(console, "runs") as progress:
        for done in range(11):
            progress(done, 10)
    assert captured.get().splitlines() == [f"runs: {done} of 10" for done in (2, 4, 6, 8, 10)]


def test_progress_may_be_told_in_percent() -> None:
    console = Console(record=True, force_terminal=False, width=80)
    with console.capture() as captured, shown_progress(console, "reading", in_percent=True) as progress:
        progress(495, 1000)
    assert captured.get() == "reading: 50%\n"


def test_progress_is_a_bar_on_a_terminal() -> None:
    console = Console(force_terminal=True, width=80)
    with console.capture() as captured, shown_progress(console, "runs") as progress:
        progress(3, 10)
    assert "runs" in captured.get()


def test_the_table_says_what_was_left_out(options: SimulateOptions, simulation: Simulation, tmp_path: Path) -> None:
    header, *lines = Path(str(options.outcomes)).read_text(encoding="utf-8").splitlines()
    place = next(number for number, line in enumerate(lines) if line.split(",")[2] == options.models[0])
    cells = lines[place].split(",")
    lines[place] = ",".join([*cells[:3], "2", *cells[4:]])
    damaged = tmp_path / "damaged.csv"
    damaged.write_text("\n".join([header, *lines]), encoding="utf-8")
    caption = str(summary_table(simulate(replace(options, outcomes=damaged, steps=50))).caption)
    total = len(simulation.world.prompts)
    assert f"{total - 1} of {total} prompts" in caption
    assert "1 row left out: quality is out of range" in caption
    assert "left out" not in str(summary_table(simulation).caption)


def test_a_lead_in_the_last_requests_alone_is_not_shown(simulation: Simulation) -> None:
    (run,) = simulation.comparison.policies["routeward"].phases
    late, early = with_lead(simulation, run.end - 2.0), with_lead(simulation, run.end / 2.0)
    assert next(iter(summary_table(late).columns[-1].cells)) == "-"
    assert next(iter(summary_table(early).columns[-1].cells)) == f"{run.end / 2.0:.0f}"


def with_lead(simulation: Simulation, start: float) -> Simulation:
    policies = {
        name: replace(result, passes_best_fixed_at=start) for name, result in simulation.comparison.policies.items()
    }
    return replace(simulation, comparison=replace(simulation.comparison, policies=policies))
