"""What people see of the demo."""

import re
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from simulations.demo.accounts import account, chosen_shares, rivals
from simulations.demo.command import Demo
from simulations.demo.curve import Point
from simulations.demo.figures import per_thousand, percent, seconds, whole
from simulations.demo.lessons import Lesson
from simulations.demo.memory import Memory, Saved
from simulations.demo.options import DemoOptions
from simulations.demo.process import Server
from simulations.demo.screen import ConsoleScreen
from simulations.demo.stage import Stage, stage_of
from simulations.demo.summary import summary
from simulations.demo.traffic import Tally

COLUMNS = 80
OPTIONS = DemoOptions(requests=60)


@pytest.fixture(scope="module")
def stage() -> Stage:
    return stage_of(OPTIONS)


@pytest.fixture
def tally() -> Tally:
    """Half of the requests, all of which went to the first model, in two seconds."""
    tally = Tally(OPTIONS.requests)
    tally.seconds = 2.0
    for request in range(OPTIONS.requests // 2):
        tally.end(request, 0, request + 1)
    return tally


@pytest.fixture
def demo(stage: Stage) -> Demo:
    shares = chosen_shares(stage.traffic.categories, np.zeros(60, dtype=np.int64), stage.truth.value_usd.shape)
    beaten = Lesson("a" * 37, "m" * 29, 0.5, 0.8, 0.1, 0.002, 1.5, 10.0, 5.0, "other", 0.0123)
    return Demo(
        options=OPTIONS,
        stage=stage,
        seconds=12.0,
        lessons=(beaten, replace(beaten, category="b", best_model="m" * 29, behind_usd=0.0)),
        routeward=account(stage.truth, shares),
        late=account(stage.truth, shares),
        curve=(Point(30, -12.4), Point(60, 51.0)),
        rivals=rivals(stage.truth, shares),
        memory=Memory(Saved("routeward.db", 2_500_000, 60, 30, 60, 0), 90, 90, True, 0.5),
    )


def paper(*, terminal: bool = False) -> Console:
    return Console(file=StringIO(), width=COLUMNS, force_terminal=terminal, color_system=None, highlight=False)


def written(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def plain(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line)


def shown(demo: Demo) -> str:
    console = paper()
    console.print(summary(demo))
    return written(console)


def test_what_is_played_is_said_before_it_begins(stage: Stage) -> None:
    console = paper()
    with ConsoleScreen(console) as screen:
        screen.opens(stage, OPTIONS)
        screen.serves(Server("127.0.0.1:5", 0.4), OPTIONS)
    text = written(console)
    assert max(map(len, text.splitlines())) <= COLUMNS
    assert "an invented sample: 8 models, 6 categories, 360 prompts" in text
    assert "a good answer is worth $0.05, a second of waiting costs $0.001" in text
    assert "ready on 127.0.0.1:5 after 0.4 s" in text
    assert "60 requests of 12 clients" in text


def test_models_that_were_picked_for_the_user_are_mentioned(stage: Stage) -> None:
    few = replace(stage, world=replace(stage.world, models=stage.world.models[:3]))
    consoles = paper(), paper()
    ConsoleScreen(consoles[0]).opens(few, OPTIONS)
    ConsoleScreen(consoles[1]).opens(few, replace(OPTIONS, models=("a", "b", "c")))
    assert "3 of 8 models" in written(consoles[0])
    assert "evenly from the cheapest to the dearest" in written(consoles[0])
    assert "evenly" not in written(consoles[1])


def test_progress_is_a_line_every_two_seconds_where_there_is_no_terminal(stage: Stage, tally: Tally) -> None:
    console = paper()
    with ConsoleScreen(console) as screen:
        for tally.seconds in (1.9, 2.0, 2.1, 3.9, 4.0):
            screen.plays(tally, stage)
    lines = written(console).splitlines()
    assert [line.split() for line in lines[:1]] == [["requests", "$", "per", "1,000", "random", "score", "last", "500"]]
    assert [line.split()[0] for line in lines[1:]] == ["30", "30"]
    assert {len(line) for line in lines} == {len(lines[0])}
    assert [line.split()[1][0] for line in lines[1:]] == ["$", "$"]


def test_progress_is_a_picture_with_every_model_on_a_terminal(stage: Stage, tally: Tally) -> None:
    console = paper(terminal=True)
    with ConsoleScreen(console) as screen:
        screen.plays(tally, stage)
    text = written(console)
    assert "30 of 60, 15 a second" in text
    assert "chosen in the last 30 requests" in text
    assert all(model.id in text for model in stage.world.models)
    assert "100%" in text


def test_where_traffic_ended_stays_on_a_terminal(stage: Stage, tally: Tally) -> None:
    console = paper(terminal=True)
    with ConsoleScreen(console) as screen:
        screen.plays(tally, stage)
        for request in range(OPTIONS.requests // 2, OPTIONS.requests):
            tally.end(request, 1, request + 1)
        screen.plays(tally, stage)
    text = written(console)
    assert text.rindex("60 requests in 2.0 s, 30 a second") > text.rindex("chosen in the last")
    assert max(map(cell_len, map(plain, text.splitlines()))) <= COLUMNS


def test_nothing_is_shown_of_traffic_that_has_not_begun(stage: Stage) -> None:
    console = paper()
    ConsoleScreen(console).plays(Tally(10), stage)
    assert written(console) == ""


def test_the_summary_fits_the_page_and_says_how_good_each_choice_is(demo: Demo) -> None:
    text = shown(demo)
    assert max(map(len, text.splitlines())) <= COLUMNS
    learned = [line.split() for line in text.splitlines() if line.startswith("  m")]
    assert [line[-2:] for line in learned] == [["$2.00", "-$12.30"], ["$2.00", "best"]]
    assert "".join(line.strip() for line in text.splitlines() if line.startswith("aa")) == "a" * 37


def test_the_summary_ranks_routeward_among_its_rivals(demo: Demo) -> None:
    text = shown(replace(demo, routeward=demo.rivals["oracle"], late=demo.rivals["oracle"]))
    places = [text.index(name) for name in ("\nrouteward ", "best single model", "the cheapest")]
    assert places == sorted(places)


def test_the_result_is_sorted_by_score_even_where_the_last_quarter_was_worth_more(demo: Demo) -> None:
    best = demo.rivals["best-fixed"]
    assert best.score is not None
    late = replace(best, model="", score=best.score - 1, value_usd=best.value_usd + 1)
    text = shown(replace(demo, late=late))
    assert text.index("best single model") < text.index("routeward, last quarter")


def test_a_rival_that_goes_by_two_names_has_one_row(demo: Demo) -> None:
    rivals = {**demo.rivals, "cheapest": demo.rivals["best-fixed"]}
    text = " ".join(shown(replace(demo, rivals=rivals)).split())
    assert "best single model, and the cheapest" in text
    assert text.count("the cheapest") == 1


def test_the_summary_ends_the_learning_with_its_curve(demo: Demo) -> None:
    lines = shown(demo).splitlines()
    first = next(place for place, line in enumerate(lines) if "score of the last 500" in line)
    assert [line.split() for line in lines[first + 2 : first + 4]] == [["30", "-12"], ["60", "51"]]
    assert lines[first].startswith("requests ")


def test_the_summary_says_that_all_was_remembered(demo: Demo) -> None:
    text = shown(demo)
    text = " ".join(text.split())
    assert "90 signals (60 outcomes, 30 thumbs) and 60 decisions in routeward.db, 2.5 MB" in text
    assert "at revision 90 again, with the same posteriors to the last bit" in text
    assert "exactly" in text
    assert demo.sound


def test_the_summary_does_not_hide_what_was_forgotten(demo: Demo) -> None:
    forgotten = replace(demo, memory=replace(demo.memory, remembered=False))
    wrong = replace(demo, memory=replace(demo.memory, saved=replace(demo.memory.saved, discrepancies=2)))
    assert "NOT with the same posteriors" in shown(forgotten)
    assert "2 sums DIFFER" in shown(wrong)
    assert not forgotten.sound
    assert not wrong.sound


def test_figures_are_short_and_unknown_ones_are_a_dash() -> None:
    assert [per_thousand(usd) for usd in (0.0364, -0.00985, -1e-9, 12.5, None)] == [
        "$36.40",
        "-$9.85",
        "$0.00",
        "$12,500.00",
        "-",
    ]
    assert [whole(score) for score in (-0.3, 88.5001, -253.2, None)] == ["0", "89", "-253", "-"]
    assert [seconds(value) for value in (0.4321, None)] == ["0.43 s", "-"]
    assert percent(0.9249) == "92%"
