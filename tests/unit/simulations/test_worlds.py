"""World files: built-in scenarios can be written as one, and a file says what it says."""

import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bandit.request import Objective
from simulations.command import SimulateOptions, options_of, simulate
from simulations.errors import OptionsError
from simulations.events import (
    CategoriesAdded,
    FalseJudgements,
    LatencyChange,
    ModelAdded,
    Outage,
    PriceChange,
    QualityDrop,
    Role,
)
from simulations.generator import generate, write_csv
from simulations.scenario import SCENARIOS, Phase, Scenario
from simulations.worlds.checks import check
from simulations.worlds.schema import KINDS, WorldDocument
from simulations.worlds.world_file import WorldFile

MIDDLE = 'from = "1/3"\nto = "2/3"\n'
THIRDS = f"""
[[phases]]
name = "before"
from = 0
to = "1/3"
[[phases]]
name = "%s"
{MIDDLE}
[[phases]]
name = "%s"
from = "2/3"
"""
INCIDENT = THIRDS % ("during", "after")
JOINING = THIRDS % ("joining", "settled")
ALL = '[[phases]]\nname = "all"\nfrom = 0\n'


def event(kind: str, keys: str, span: str = MIDDLE) -> str:
    return f'[[events]]\nkind = "{kind}"\n{keys}\n{span}'


TOML = {
    "stationary": "",
    "profiles": """
        [[objectives]]
        answer_value_usd = 0.01
        second_value_usd = 0.0002
        [[objectives]]
        answer_value_usd = 0.1
        second_value_usd = 0.015
        [[objectives]]
        answer_value_usd = 1.0
        second_value_usd = 0.002
        """,
    "quality-drop": event("quality-drop", 'model = "best"\nshare = 0.6') + INCIDENT,
    "outage": event("outage", 'model = "best"\nshare = 0.9') + INCIDENT,
    "latency-spike": event("latency-change", 'model = "best"\nfactor = 10.0') + INCIDENT,
    "price-change": event("price-change", 'model = "bargain"\nfactor = 0.1') + INCIDENT,
    "poisoned": event("false-judgements", 'model = "best"\nfavoured = "worst"\nshare = 0.1') + INCIDENT,
    "model-added": event("model-added", 'model = "best"', 'from = "1/3"\n') + JOINING,
    "bad-model-added": event("model-added", 'model = "worst"', 'from = "1/3"\n') + JOINING,
    "category-added": event("categories-added", "count = 3", 'from = "1/3"\n')
    + '[[phases]]\nname = "before"\nfrom = 0\nto = "1/3"\n'
    + '[[phases]]\nname = "after"\nfrom = "1/3"\n'
    + '[[phases]]\nname = "first 800 in new categories"\nfrom = "1/3"\nfirst_new = 800\n',
    "delayed": "quality_delay = 1000\n" + ALL,
    "sparse": "quality_share = 0.1\n" + ALL,
    "budget": "budget_usd = 0.0005\n" + event("price-change", 'model = "dearest"\nfactor = 0.01') + INCIDENT,
}
"""Every built-in scenario as a world file."""
OPTIONS: dict[str, Any] = {"models": ("north-mini", "south-flash", "open-8b"), "steps": 60, "seeds": 2, "workers": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worlds")
    write_csv(generate(1, prompts_per_category=6), folder / "table.csv")
    return folder


def scenario_in(path: Path, text: str, steps: int = 900) -> Scenario:
    path.write_text(text, encoding="utf-8")
    return WorldFile.read(path).scenario(Objective(0.05, 0.001), steps, 1.0)


def test_what_the_documents_show_are_worlds() -> None:
    page = (Path(__file__).parents[3] / "docs/howto/worlds.md").read_text(encoding="utf-8")
    shown = [
        WorldDocument.model_validate(tomllib.loads(text)) for text in re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    ]
    assert len(shown) == 3
    assert [finding for document in shown for finding in check(document)] == []
    told = re.findall(r"^\| `([a-z-]+)` \|.*\| ((?:`[a-z]+`(?:, )?)+) \|$", page, re.MULTILINE)
    assert {kind: tuple(keys.strip("`").split("`, `")) for kind, keys in told} == KINDS


def test_every_built_in_scenario_has_its_world_file() -> None:
    assert TOML.keys() == SCENARIOS.keys()


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_built_in_scenario_is_the_same_to_the_bit_as_a_world_file(folder: Path, name: str) -> None:
    path = folder / f"{name}.toml"
    path.write_text(f'outcomes = "table.csv"\n{TOML[name]}', encoding="utf-8")
    of_world = simulate(options_of(OPTIONS, path)).as_json()
    built_in = simulate(SimulateOptions(folder / "table.csv", scenario=name, **OPTIONS)).as_json()
    assert of_world == built_in


def test_events_of_every_kind_are_read_with_what_they_leave_out(folder: Path) -> None:
    spans = 'from = 100\nto = "50%"\n'
    kinds = ("quality-drop", "outage", "latency-change", "price-change", "false-judgements")
    text = "".join(event(kind, 'model = "small"', spans) for kind in kinds)
    text += event("model-added", 'model = "dearest"', "from = 7\n")
    text += event("categories-added", "count = 2", "from = 8\n")
    assert scenario_in(folder / "kinds.toml", text).events == (
        QualityDrop("small", 100, 450),
        Outage("small", 100, 450),
        LatencyChange("small", 100, 450),
        PriceChange("small", 100, 450),
        FalseJudgements("small", 100, 450),
        ModelAdded(Role.DEAREST, 7),
        CategoriesAdded(2, 8),
    )


def test_without_phases_the_run_is_cut_where_events_begin_and_end(folder: Path) -> None:
    text = event("outage", 'model = "best"', "from = 100\nto = 400\n")
    text += event("model-added", 'model = "worst"', "from = 200\n")
    phases = scenario_in(folder / "cut.toml", text).phases
    assert phases == tuple(Phase(f"{a}-{b}", a, b) for a, b in ((0, 100), (100, 200), (200, 400), (400, 900)))
    assert scenario_in(folder / "calm.toml", "").phases == (Phase("all", 0, 900),)


def test_a_gradual_change_is_a_row_of_events(folder: Path) -> None:
    text = "".join(
        event("quality-drop", 'model = "best"\nshare = 0.2', f"from = {start}\n") for start in (100, 200, 300)
    )
    drops = tuple(QualityDrop(Role.BEST, start, 900, 0.2) for start in (100, 200, 300))
    assert scenario_in(folder / "gradual.toml", text).events == drops


def test_options_of_the_command_line_replace_those_of_the_file(folder: Path) -> None:
    path = folder / "options.toml"
    path.write_text(
        'name = "mine"\noutcomes = "table.csv"\nmodels = ["open-8b"]\nsteps = 50\nseeds = 3\nby_share = true\n'
        "quality_delay = 4\nbudget_usd = 0.5\n[objective]\nanswer_value_usd = 2.0\n"
        "[service]\nrefresh_seconds = 9.0\n[arrivals]\nrequests_per_second = 4.0\n",
        encoding="utf-8",
    )
    options = options_of({}, path)
    assert (options.scenario, options.outcomes, options.models) == ("mine", folder / "table.csv", ("open-8b",))
    assert (options.steps, options.seeds, options.by_share, options.quality_delay) == (50, 3, True, 4)
    assert (options.answer_value_usd, options.refresh_seconds, options.requests_per_second) == (2.0, 9.0, 4.0)
    given = {"steps": 7, "models": ("north-mini",), "refresh_seconds": 1.0, "second_value_usd": 0.0, "budget_usd": 0.1}
    replaced = options_of(given, path)
    assert {name: getattr(replaced, name) for name in given} == given
    assert replaced.seeds == 3


def test_a_scenario_beside_a_world_and_an_objective_beside_several_are_refused(folder: Path) -> None:
    path = folder / "several.toml"
    path.write_text(TOML["profiles"], encoding="utf-8")
    with pytest.raises(OptionsError, match="--scenario and --world are both given"):
        options_of({"scenario": "outage"}, path)
    with pytest.raises(OptionsError, match=r"has \[\[objectives\]\], which no option replaces"):
        options_of({"answer_value_usd": 1.0}, path)
    with pytest.raises(OptionsError, match="no table of outcomes is given"):
        simulate(options_of({}, path))


def test_a_world_invents_its_table_with_models_and_tasks_of_its_own(folder: Path) -> None:
    path = folder / "invented.toml"
    path.write_text(
        """
        steps = 40
        seeds = 1
        [generator]
        prompts = 5
        seed = 3
        [[generator.models]]
        id = "small"
        input_usd_per_mtok = 0.1
        output_usd_per_mtok = 0.4
        skill = 1.0
        first_token_s = 0.3
        tokens_per_s = 100.0
        [[generator.models]]
        id = "large"
        input_usd_per_mtok = 1.0
        output_usd_per_mtok = 4.0
        skill = 3.0
        first_token_s = 0.6
        tokens_per_s = 60.0
        [[generator.tasks]]
        category = "mail"
        input_tokens = 300.0
        output_tokens = 100.0
        """,
        encoding="utf-8",
    )
    told = simulate(options_of({"workers": 1}, path)).as_json()
    world: Any = told["world"]
    assert (world["categories"], list(world["models"]), world["prompts"]) == (["mail"], ["large", "small"], 5)
    assert world["models"]["small"]["output_usd_per_mtok"] == 0.4
    settings: Any = told["settings"]
    assert settings["outcomes"] is None
    other = simulate(options_of({"workers": 1, "outcomes": folder / "table.csv"}, path)).as_json()["world"]
    assert isinstance(other, dict)
    assert len(other["models"]) == 8


def test_the_result_tells_what_happened_to_which_model(folder: Path) -> None:
    path = folder / "told.toml"
    text = event("outage", 'model = "best"\nshare = 1.0', "from = 30\nto = 60\n")
    path.write_text('outcomes = "table.csv"\n' + text, encoding="utf-8")
    scenario: Any = simulate(options_of(OPTIONS, path)).as_json()["scenario"]
    assert scenario["name"] == "told"
    [told] = scenario["events"]
    assert told.pop("model") in OPTIONS["models"]
    assert told == {"event": "outage", "from": 30, "to": 60, "share": 1.0}


def test_times_are_those_of_the_pace(folder: Path) -> None:
    text = "[arrivals]\nrequests_per_second = 2.0\n" + event(
        "outage", 'model = "best"', 'from = "1min"\nto = "100.2s"\n'
    )
    path = folder / "pace.toml"
    path.write_text(text, encoding="utf-8")
    options = options_of({}, path)
    scenario = WorldFile.read(path).scenario(Objective(), 900, options.requests_per_second)
    assert scenario.events == (Outage(Role.BEST, 120, 201),)
    assert scenario.arrivals is not None
    np.testing.assert_array_equal(scenario.arrivals.time_us[:3], [0, 500_000, 1_000_000])
