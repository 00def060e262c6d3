"""Tape replay says what a learner would have reached; match replay, on the log of a learner, does not."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.replay import CASES, LOGGERS, Case, direct_value, replayed_values

Floats = NDArray[np.float64]


def less_the_truth(values: Floats, truth: Floats) -> tuple[float, float]:
    """Return how far the mean is from the truth, and the standard error of that."""
    error = np.hypot(*(one.std(ddof=1) / np.sqrt(len(one)) for one in (values, truth)))
    return float(values.mean() - truth.mean()), float(error)


def values(run: Callable[[int], float | tuple[float, ...]], runs: int) -> Floats:
    return np.array([run(number) for number in range(runs)])


FEW = Case("few", 800, 120)


@pytest.fixture(scope="module")
def truth() -> Floats:
    return values(partial(direct_value, FEW), 8)


@pytest.mark.parametrize("logger", LOGGERS)
def test_tape_replay_of_a_few_logs_is_near_the_truth(logger: str, truth: Floats) -> None:
    """At 4 standard errors of 8 runs each: false alarm in 1 of 400. A bias of 0.1 answers would be found."""
    tape = values(partial(replayed_values, FEW, logger), 8)[:, 0]
    difference, error = less_the_truth(tape, truth)
    assert abs(difference) <= 4.0 * error
    assert error < 0.025


@pytest.mark.slow
def test_tape_replay_is_within_its_error_of_the_truth_and_match_replay_is_not() -> None:
    """At 3 standard errors of 60 runs: false alarm in 1 of 180 for two loggers. The control is 8 of them off."""
    case = CASES[0]
    truth = values(partial(direct_value, case), 60)
    for logger in LOGGERS:
        tape, match, _ = values(partial(replayed_values, case, logger), 60).T
        difference, error = less_the_truth(tape, truth)
        assert abs(difference) <= max(0.002, 3.0 * error), logger
        difference, error = less_the_truth(match, truth)
        assert (difference > 4.0 * error) is (logger == "thompson")
