"""Evaluation of policies from a learning logger's own logs, where the truth is known.

40 logs, each evaluated for several policies: what the gate lets pass covers the truth in at least 85 % where 95 % are
promised. Were it 92 %, one such test in 100 would fail by luck (about 160 intervals, correlated, counted as 80). Match
replay must fail on the same logs.
"""

from functools import partial

import numpy as np
import pytest

from benchmarks.known_truth import Trial, trials
from simulations.parallel import run_all, unwatched

LOGS, CALLS = 40, 4000


@pytest.fixture(scope="module")
def found() -> list[Trial]:
    tasks = [partial(trials, seed, CALLS, "thompson", 0.7) for seed in range(LOGS)]
    return [trial for some in run_all(tasks, 1, unwatched) for trial in some if trial.passed]


def coverage(found: list[Trial], estimator: str) -> float:
    return float(np.mean([trial.covers for trial in found if trial.estimator == estimator]))


@pytest.mark.parametrize("estimator", ["dr", "awdr", "cressie_read"])
def test_intervals_of_what_the_gate_lets_pass_cover_the_truth(found: list[Trial], estimator: str) -> None:
    assert coverage(found, estimator) >= 0.85


def test_the_conservative_interval_covers_always(found: list[Trial]) -> None:
    assert coverage(found, "bernstein") >= 0.99


@pytest.mark.parametrize("control", ["match replay", "clipped IPS"])
def test_estimators_that_ignore_how_the_log_was_written_fail(found: list[Trial], control: str) -> None:
    assert coverage(found, control) < 0.7
