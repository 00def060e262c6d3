"""Requests come when a trace says, and long ones get long prompts where that is wanted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bandit.request import Objective
from simulations.command import options_of, simulate
from simulations.errors import OutcomesError, WorldFileError
from simulations.generator import generate, write_csv
from simulations.scenario import Scenario
from simulations.stream import stream_of
from simulations.world import World, world_of
from simulations.worlds.schema import ArrivalsTable
from simulations.worlds.traces import arrivals_of, spread
from simulations.worlds.world_file import WorldFile

TRACE = "trace,t_s,tokens\nother,0.0,5\none,5.0,300\none,6.0,100\nother,6.5,5\none,6.0,200\none,10.0,50\n"
WORLD = '[arrivals]\nfile = "trace.csv"\ntrace = "one"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "trace.csv").write_text(TRACE, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def world() -> World:
    return world_of(generate(1, prompts_per_category=20))


def scenario_of_file(folder: Path, text: str, steps: int | None = None) -> Scenario:
    path = folder / "world.toml"
    path.write_text(text, encoding="utf-8")
    options = options_of({} if steps is None else {"steps": steps}, path)
    assert options.world is not None
    return options.world.scenario(Objective(), options.steps, options.requests_per_second)


def test_one_trace_of_a_file_is_read_from_time_0_on_and_its_ties_are_spread(folder: Path) -> None:
    arrivals = arrivals_of(ArrivalsTable(file="trace.csv", trace="one"), folder / "trace.csv")
    np.testing.assert_array_equal(arrivals.time_us, [0, 1_000_000, 1_500_000, 5_000_000])
    assert arrivals.size_ranks is None


def test_a_trace_says_how_long_a_run_is_unless_it_is_shortened(folder: Path) -> None:
    assert scenario_of_file(folder, WORLD).steps == 4
    shortened = scenario_of_file(folder, WORLD, steps=2)
    assert shortened.arrivals is not None
    np.testing.assert_array_equal(shortened.arrivals.time_us, [0, 1_000_000])


def test_more_requests_than_the_trace_has_are_refused_at_its_line(folder: Path) -> None:
    with pytest.raises(WorldFileError, match=r"world\.toml:2: the run has 5 requests, and the trace 4"):
        scenario_of_file(folder, WORLD, steps=5)


def test_speed_makes_a_trace_faster(folder: Path) -> None:
    arrivals = scenario_of_file(folder, WORLD + "speed = 2.0\n").arrivals
    assert arrivals is not None
    np.testing.assert_array_equal(arrivals.time_us, [0, 500_000, 750_000, 2_500_000])


def test_places_may_be_times_of_the_trace(folder: Path) -> None:
    text = WORLD + '[[events]]\nkind = "outage"\nmodel = "best"\nfrom = "1s"\nto = "1.5s"\n'
    [event] = scenario_of_file(folder, text).model_events
    assert (event.start, getattr(event, "end", None)) == (1, 2)


def test_a_pace_of_the_command_line_replaces_the_trace(folder: Path) -> None:
    path = folder / "world.toml"
    path.write_text("steps = 3\n" + WORLD, encoding="utf-8")
    options = options_of({"requests_per_second": 4.0}, path)
    assert options.world is not None
    arrivals = options.world.scenario(Objective(), 3, options.requests_per_second).arrivals
    assert arrivals is not None
    np.testing.assert_array_equal(arrivals.time_us, [0, 250_000, 500_000])


def test_equal_times_are_spread_within_the_step_of_the_trace() -> None:
    np.testing.assert_allclose(spread(np.array([0.0, 0, 0, 3, 9, 9])), [0, 1, 2, 3, 9, 10.5])
    for times in ([0.0], [2.0, 2.0], [0.0, 1.0, 5.0]):
        np.testing.assert_array_equal(spread(np.array(times)), times)


def test_long_requests_of_the_trace_have_long_prompts_of_the_table(folder: Path, world: World) -> None:
    scenario = scenario_of_file(folder, WORLD + 'size_column = "tokens"\n')
    assert scenario.arrivals is not None
    np.testing.assert_array_equal(scenario.arrivals.size_ranks, [0.75, 0.25, 0.5, 0.0])
    stream = stream_of(world, scenario, 1)
    tokens = world.requested_tokens
    for prompt, category, rank in zip(stream.prompts, stream.categories, (0.75, 0.25, 0.5, 0.0), strict=True):
        members = np.sort(tokens[world.prompts_by_category[category]])
        assert tokens[prompt] == members[int(rank * len(members))]


def test_the_pace_of_the_service_is_that_of_the_trace(folder: Path) -> None:
    """All requests before the first refresh: nothing is learned. A slower trace: something is."""
    write_csv(generate(1, prompts_per_category=5), folder / "table.csv")
    times = "".join(f"{i * 0.01:.2f}\n" for i in range(200))
    (folder / "quick.csv").write_text("t_s\n" + times, encoding="utf-8")
    text = 'outcomes = "table.csv"\nseeds = 1\n[arrivals]\nfile = "quick.csv"\n'
    shares = []
    for speed in (1.0, 0.01):
        path = folder / "world.toml"
        path.write_text(f"{text}speed = {speed}\n", encoding="utf-8")
        told: Any = simulate(options_of({"workers": 1}, path)).as_json()["policies"]
        shares.append(max(told["routeward"]["shares"].values()))
    assert shares[0] < 0.3 < shares[1]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("t_s\n", "has no rows"),
        ("t_s\n1\n0.5\n", "row 2: t_s is 0.5; give seconds from the start, in ascending order"),
        ("t_s\n1\nsoon\n", "row 2: t_s is soon; give seconds"),
        ("t_s\n-1\n", "row 1: t_s is -1; give seconds"),
        ("t_s\n1\ninf\n", "row 2: t_s is inf; give seconds"),
        ("t_s\nnan\n", "row 1: t_s is nan; give seconds"),
        ("t_s\n1\n2,3\n", "row 2: t_s is None; give seconds"),
        ("seconds\n1\n", "lacks the columns t_s"),
    ],
)
def test_a_trace_that_cannot_be_followed_is_refused_with_its_row(tmp_path: Path, rows: str, message: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(rows, encoding="utf-8")
    with pytest.raises(OutcomesError, match=message):
        arrivals_of(ArrivalsTable(file="trace.csv"), path)


def test_a_trace_or_a_size_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(OutcomesError, match="no row whose trace is 'two'"):
        arrivals_of(ArrivalsTable(file="trace.csv", trace="two"), folder / "trace.csv")
    (folder / "sizes.csv").write_text("t_s,n\n1,\n", encoding="utf-8")
    with pytest.raises(OutcomesError, match="row 1: n is ; give tokens, 0 or more"):
        arrivals_of(ArrivalsTable(file="sizes.csv", size_column="n"), folder / "sizes.csv")
    (folder / "two.toml").write_text('[arrivals]\nfile = "trace.csv"\ntrace = "two"\n', encoding="utf-8")
    with pytest.raises(WorldFileError, match="no row whose trace is 'two'"):
        WorldFile.read(folder / "two.toml")
