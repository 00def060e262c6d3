"""Charts show what stands, and nothing of what was refused or is unknown."""

import json
import math
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from adapters.toml.problems import ConfigError
from server.config.load import load
from simulations.page import deploy
from simulations.page.charts.front import best_points, named, shown_points
from simulations.page.charts.latency import quantile
from simulations.page.documents import result_of
from simulations.page.errors import MissingPlotlyError
from simulations.page.example import example
from simulations.page.example_replay import example_replay
from simulations.page.figures import CHARTS, figures, specs
from simulations.page.palette import looks
from simulations.page.result import LOGGED, Point
from simulations.page.units import count, figure, percent, seconds, usd

STARTER = files("routeward.cli") / "starter.toml"
ASSETS = files("simulations.page") / "assets"


def shown(document: dict[str, Any]) -> str:
    return json.dumps(specs(result_of(document)))


def test_a_document_with_everything_has_every_chart_and_each_is_a_figure_of_plotly() -> None:
    drawn = figures(example(4))
    assert list(drawn) == list(CHARTS)
    assert all(figure.data for figure in drawn.values())


@pytest.mark.parametrize(
    ("part", "charts"),
    [
        ("time", {"value", "spend", "allocation"}),
        ("front", {"front"}),
        ("cells", {"quality", "overlap"}),
        ("latency", {"latency"}),
        ("calibration", {"calibration"}),
        ("missingness", {"missingness"}),
        ("policies", {"agreement"}),
    ],
)
def test_a_part_that_is_missing_takes_its_charts_with_it_and_no_others(part: str, charts: set[str]) -> None:
    document = example(2)
    del document[part]
    assert specs(result_of(document)).keys() == CHARTS.keys() - charts


def test_a_refused_policy_is_in_no_chart() -> None:
    document = example(3)
    assert '"routeward"' in shown(document)
    document["policies"]["routeward"]["status"] = "red"
    assert '"routeward"' not in shown(document)


def test_quality_that_is_unknown_everywhere_is_no_map_of_zeros() -> None:
    document = example(2)
    for cell in document["cells"]:
        cell["answer"] = None
    assert "quality" not in specs(result_of(document))


def test_cells_of_which_nobody_knows_how_sure_they_are_have_no_veil() -> None:
    document = example_replay()
    document["cells"] = [{"category": "chat", "model": "small", "rows": 70, "answer": 0.8}]
    quality, veil = specs(result_of(document))["quality"]["data"]
    assert quality["z"][0][0] == 0.8
    assert veil["z"][0][0] == 0.0
    assert specs(result_of(example(2)))["quality"]["data"][1]["z"][0][0] > 0.0


def test_names_are_escaped_in_every_text_that_plotly_would_read_as_markup() -> None:
    name = "<b>&co"
    document = json.loads(json.dumps(example(2)).replace("north-large", name))
    del document["change_points"]
    for chart in specs(result_of(document)).values():
        for trace in chart["data"]:
            trace.pop("meta", None)
        assert name not in json.dumps(chart)


def test_value_is_told_beyond_what_ran_and_the_bands_with_it() -> None:
    document = example(2)
    ran = sum(document["time"]["logged_value"])
    course = document["time"]["policies"]["routeward"]
    low, high, line = specs(result_of(document))["value"]["data"][:3]
    assert [low["y"][-1], high["y"][-1], line["y"][-1]] == pytest.approx(
        [course[part][-1] - ran for part in ("low", "high", "value")]
    )


def test_the_front_joins_points_that_none_beats() -> None:
    def point(name: str, answer: float, cost: float) -> Point:
        return Point(name, answer, None, cost, None, None, "")

    points = [point("a", 0.5, 1), point("worse", 0.4, 2), point("b", 0.7, 3), point("as dear", 0.6, 3)]
    assert [best.name for best in best_points(points)] == ["a", "b"]


def test_a_best_choice_with_the_numbers_of_a_point_before_it_is_that_point() -> None:
    document = example(2)
    numbers = {key: document["front"][1][key] for key in ("answer", "cost_usd", "latency_s")}
    swept = {"name": "best", "toml": "", "answer_value_usd": 0.05}
    document["front"] += [swept | numbers, swept | numbers | {"answer": 0.9}, swept | numbers | {"answer": 0.9}]
    shown = shown_points(result_of(document))
    assert [point.answer_value_usd for point in shown] == [None] * 4 + [0.05]
    assert named(shown[-1]) == "best per category, answer worth $0.0500 (judged by the other half)"


def test_error_bars_have_the_level_of_the_document() -> None:
    document = example(2)

    def bar(level: float) -> float:
        point = specs(result_of(document | {"confidence": level}))["front"]["data"][0]
        return float(point["error_y"]["array"][0])

    assert bar(0.5) / bar(0.95) == pytest.approx(0.6745 / 1.9600, rel=1e-3)


def test_latency_is_drawn_of_policies_and_of_models() -> None:
    document = example(2)
    document["latency"]["policies"]["logged"] = document["latency"]["models"]["north-large"]
    kinds = [(t["meta"], t["name"], t["visible"]) for t in specs(result_of(document))["latency"]["data"]]
    assert kinds == [
        (["policies"], "routeward", True),
        (["policies"], "logged", True),
        (["models"], "north-large", False),
        (["models"], "north-medium", False),
    ]


def test_latency_of_a_replay_is_drawn_from_p50_to_p95() -> None:
    document = example_replay()
    document["policies"]["routeward"]["latency_p95_s"] = {"mean": 3.0}
    drawn = {trace["name"]: trace["x"] for trace in specs(result_of(document))["latency"]["data"]}
    assert drawn["routeward"] == [1.5, 3.0]
    assert drawn.keys() == document["policies"].keys()


def test_spend_has_a_band_where_the_document_has_one() -> None:
    names = [trace.get("fill") for trace in specs(result_of(example_replay()))["spend"]["data"]]
    assert names == [None, "tonexty", None] * 2
    assert all("fill" not in trace for trace in specs(result_of(example(2)))["spend"]["data"])


def test_long_series_are_thinned_to_a_hundred_and_end_where_they_ended() -> None:
    [*_, line] = specs(result_of(example_replay(moments=1000)))["spend"]["data"]
    assert 100 <= len(line["y"]) <= 110
    assert len(line["x"]) == len(line["y"])
    assert line["y"][-1] == pytest.approx(500.0)


def test_quantiles_lie_between_edges_on_a_logarithmic_axis_and_are_unknown_beyond_the_last() -> None:
    assert quantile((1.0, 4.0), (10.0,), 0.5) == pytest.approx(2.0)
    assert quantile((1.0, 4.0, 16.0), (1.0, 1.0), 0.75) == pytest.approx(8.0)
    assert quantile((0.0, 1.0, None), (1.0, 1.0), 0.99) is None
    assert quantile((1.0, 2.0), (0.0,), 0.5) is None


def test_what_ran_is_grey_and_a_policy_of_one_model_looks_like_it() -> None:
    look = looks(result_of(example(12)))
    assert look["fixed:north-large"] == look["north-large"]
    assert len({look[model] for model in result_of(example(12)).models}) == 12
    assert look[LOGGED].colour not in {look[model].colour for model in result_of(example(12)).models}


def test_the_keys_that_a_point_deploys_replace_those_of_a_new_configuration(tmp_path: Path) -> None:
    """Put below it, they would stand twice; that is why the page says to replace."""
    path = tmp_path / "routeward.toml"
    new, keys = STARTER.read_text(encoding="utf-8"), deploy.valued(0.025, 0.002)
    path.write_text(new + keys, encoding="utf-8")
    with pytest.raises(ConfigError):
        load(path, {})
    table = re.search(r"^\[profiles\.balanced\]\n(?:.+\n)*", new, re.MULTILINE)
    assert table is not None
    path.write_text(new.replace(table.group(), keys), encoding="utf-8")
    assert load(path, {}).catalogue.profiles["balanced"] == (0.025, 0.002)
    assert "Replace these keys" in (ASSETS / "front.js").read_text(encoding="utf-8")


def test_what_a_point_deploys_is_a_configuration_that_a_server_takes(tmp_path: Path) -> None:
    models = "".join(
        f'[[models]]\nid = "{name}"\nfamily = "{name}"\nprovider = "p"\n'
        "input_usd_per_mtok = 1.0\noutput_usd_per_mtok = 2.0\n\n"
        for name in ("small", "large")
    )
    always = deploy.fixed('[policies.mine]\ndefault = "small"\nchat = "large"\n')
    path = tmp_path / "routeward.toml"
    path.write_text(models + always + deploy.valued(0.025, 0.001), encoding="utf-8")
    settings = load(path, {})
    modes = settings.learning.policy.modes
    assert {name: (mode.baseline, mode.observe_share) for name, mode in modes.items()} == {
        "default": ("small", 0.0),
        "chat": ("large", 0.0),
    }
    assert settings.catalogue.profiles["balanced"].answer_value_usd == 0.025


@pytest.mark.parametrize(
    "policy", ["", "no toml [", '[policies.u]\ndefault = "*"\n', "[policies.u]\ndefault = { a = 0.5, b = 0.5 }\n"]
)
def test_a_policy_that_draws_among_models_has_no_configuration(policy: str) -> None:
    assert deploy.fixed(policy) == ""


def test_without_plotly_figures_say_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "plotly.graph_objects", None)
    with pytest.raises(MissingPlotlyError, match=r"pip install 'routeward\[report\]'"):
        figures(example(2))


def test_numbers_are_written_for_people() -> None:
    minus, blank = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}"
    assert [usd(None), usd(0), usd(0.001234), usd(-12.3456), usd(1234.5)] == [
        *("unknown", "$0", "$0.00123", f"{minus}$12.35", "$1,234")
    ]
    assert [usd(3, signed=True), usd(1e-30)] == ["+$3.00", "$0.000000000000"]
    assert [seconds(None), seconds(0.25), seconds(2.5), seconds(600)] == [
        *("unknown", f"250{blank}ms", f"2.5{blank}s", f"10{blank}min")
    ]
    assert [percent(None), percent(0.004), percent(0.5), percent(0)] == ["unknown", "0.4%", "50%", "0%"]
    assert [count(None), count(1e6), figure(None), figure(0.12345)] == ["unknown", "1,000,000", "unknown", "0.123"]
    assert math.isfinite(float(figure(999.9)))
