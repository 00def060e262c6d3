"""Collecting the benchmarks into one document."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from benchmarks import calibration, constraints, idle, knowledge, store
from benchmarks.__main__ import BenchmarkError, figures, machine, names
from benchmarks._processes import ServiceProcess, write_configuration
from simulations.generator import generate
from simulations.world import world_of
from tests import forked

FIGURE = {"name": "flush", "value": 1.5, "unit": "ms", "command": "python -m benchmarks.store"}


@pytest.mark.parametrize("extra", [{}, {"ratio_to": "an empty flush"}])
def test_well_formed_figures_are_read_as_they_are(extra: dict[str, str]) -> None:
    assert figures(json.dumps([FIGURE | extra])) == [FIGURE | extra]


@pytest.mark.parametrize(
    ("printed", "complaint"),
    [
        ("12 ms", "no JSON"),
        ("{}", "no list"),
        ("[]", "no list"),
        ("[1]", "a figure has"),
        (json.dumps([{"name": "flush", "value": 1.5}]), "a figure has"),
        (json.dumps([FIGURE | {"when": "today"}]), "a figure has"),
        (json.dumps([FIGURE | {"value": "fast"}]), "is no number"),
        (json.dumps([FIGURE | {"value": True}]), "is no number"),
    ],
)
def test_anything_else_is_refused_with_the_reason(printed: str, complaint: str) -> None:
    with pytest.raises(BenchmarkError, match=complaint):
        figures(printed)


def test_every_benchmark_is_listed_and_the_collector_is_not() -> None:
    assert "__main__" not in names()
    assert names() == sorted(names())


def test_the_document_says_what_it_was_measured_on() -> None:
    assert all(machine()[key] for key in ("python", "system", "processors"))


def test_a_service_that_rests_is_measured_at_both_starts_and_before_and_after_its_calls(
    capsys: pytest.CaptureFixture[str],
) -> None:
    idle.main(["--rounds", "1", "--calls", "40", "--settle", "0"])
    found = {figure["name"]: figure for figure in figures(capsys.readouterr().out)}
    assert list(found) == [
        "idle.first_start_to_ready",
        "idle.later_start_to_ready",
        "idle.rss_after_start",
        "idle.rss_after_40_calls",
    ]
    assert all(figure["value"] > 0 for figure in found.values())
    assert {figure["command"] for figure in found.values()} == {
        "python -m benchmarks.idle --rounds 1 --calls 40 --settle 0"
    }


def test_every_call_of_the_benchmark_is_routed_and_reported(tmp_path: Path) -> None:
    with ServiceProcess(write_configuration(tmp_path), begin=forked.service) as service:
        asyncio.run(idle.call(service.address, 40))
        service.stop()
    with closing(sqlite3.connect(tmp_path / "routeward.db")) as connection:
        assert connection.execute("SELECT count(*) FROM signals").fetchone() == (80,)


@pytest.mark.parametrize(
    ("main", "arguments", "name"),
    [
        (
            constraints.main,
            ["--worlds", "2", "--requests", "60", "--guarded", "120"],
            "share of requests slower than max_latency, 60 requests per category",
        ),
        (
            calibration.main,
            ["--worlds", "4", "--requests", "20", "--least", "1"],
            "mean inverse propensity, 20 requests, 4 worlds",
        ),
    ],
)
def test_what_is_learned_under_constraints_and_said_of_it_is_measured(main, arguments, name, capsys) -> None:
    main(arguments)
    found = figures(capsys.readouterr().out)
    assert name in {figure["name"] for figure in found}


@pytest.mark.parametrize("way", [store.in_our_thread, store.through_aiosqlite])
async def test_both_ways_to_a_store_that_are_compared_write_what_they_are_given(way, tmp_path: Path) -> None:
    wall, processor = await way(tmp_path / "store.db", np.random.default_rng(1), size=3, count=2)
    assert wall > 0
    assert processor > 0
    with closing(sqlite3.connect(tmp_path / "store.db")) as connection:
        assert connection.execute("SELECT count(*) FROM signals").fetchone() == (9,)


@pytest.mark.parametrize("study", [*knowledge.studies(36)], ids=lambda study: study.title)
def test_a_study_of_knowledge_tells_every_variant_s_score_and_lead(study: knowledge.Study) -> None:
    world = world_of(generate(0, prompts_per_category=2))
    found = list(knowledge.figures_of(study, [knowledge.played(world, study, range(2), 1)]))
    assert len(found) >= 4 * len(study.variants) - 2
    assert figures(json.dumps([{**figure, "command": "test"} for figure in found]))


def test_what_one_absurd_latency_does_is_told_with_and_without_ranges() -> None:
    moved, factor, moved_before, factor_before = (figure["value"] for figure in knowledge.of_one_absurd_latency())
    assert (moved, factor) == (0.0, 1.0)
    assert (moved_before, factor_before) == (pytest.approx(0.75, abs=0.1), pytest.approx(11, abs=2))
