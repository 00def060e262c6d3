"""What is refused before, and instead of, an answer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from adapters.traffic.calls import UNKNOWN, Calls
from simulations.errors import OptionsError
from simulations.offpolicy.collapse import sums_of
from simulations.offpolicy.command import EvaluateOptions, evaluated, merged, problems
from simulations.offpolicy.policies import DEFAULT, Policy
from simulations.offpolicy.storage import write_sums
from simulations.offpolicy.sums import LogSums


@pytest.fixture(scope="module")
def sums(uniform: Calls) -> LogSums:
    return sums_of(uniform)


def test_a_category_that_the_log_does_not_have_is_refused_and_the_nearest_one_named(sums: LogSums) -> None:
    category, model = sums.contexts[0].category, sums.models[0]
    policy = Policy("mine", {category[:-1]: {model: 1.0}, DEFAULT: {model: 1.0}})
    with pytest.raises(OptionsError, match=f"^policy mine: the log has no category {category[:-1]}; it has {category}"):
        evaluated(sums, "log", EvaluateOptions((policy,)))


def test_a_policy_that_says_nothing_of_a_category_of_the_log_is_refused(sums: LogSums) -> None:
    first, *others = dict.fromkeys(context.category for context in sums.contexts)
    policy = Policy("mine", {first: {sums.models[0]: 1.0}})
    with pytest.raises(OptionsError, match=f"says nothing of category {', '.join(others)}, which the log has; name it"):
        evaluated(sums, "log", EvaluateOptions((policy,)))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"confidence": 1.0}, "--confidence is 1.0"),
        ({"answer_value_usd": float("nan")}, "--answer-value-usd is nan"),
        ({"second_value_usd": -1.0}, "--second-value-usd is -1.0"),
        ({"seed": -1}, "--seed is -1"),
    ],
)
def test_a_number_out_of_range_is_refused_before_there_is_a_log(options: dict[str, float], said: str) -> None:
    with pytest.raises(OptionsError, match=said):
        EvaluateOptions(**options)  # type: ignore[arg-type]


def test_the_same_sums_are_not_added_up_twice_whatever_they_are_called(sums: LogSums, tmp_path: Path) -> None:
    for name in ("a.sums", "b.sums"):
        write_sums(sums, tmp_path / name)
    for again in ("a.sums", "b.sums", "../" + tmp_path.name + "/a.sums"):
        with pytest.raises(OptionsError, match="holds the same calls as"):
            merged([tmp_path / "a.sums", tmp_path / again])


def test_sums_without_times_are_not_added_up(uniform: Calls, tmp_path: Path) -> None:
    timeless = replace(uniform, time_us=np.full(len(uniform), UNKNOWN))
    write_sums(sums_of(timeless, timed=False), tmp_path / "a.sums")
    write_sums(sums_of(uniform), tmp_path / "b.sums")
    with pytest.raises(OptionsError, match=r"a\.sums is of a log without times; collapse such logs as one folder"):
        merged([tmp_path / "b.sums", tmp_path / "a.sums"])


@pytest.mark.parametrize("lift", [None, {"low": None}, {"low": 0.01}])
def test_a_lift_that_is_not_known_to_be_above_the_least_is_a_problem(lift: dict[str, float | None] | None) -> None:
    document = {"verdict": "green", "policies": {"mine": {"status": "amber", "lift": lift}}}
    assert problems(document, named=False, min_lift=0.01) == [
        "the lift of mine is not surely above 0.01 dollars a call"
    ]
    assert problems(document, named=False, min_lift=0.0099) == (
        [] if lift and lift["low"] else ["the lift of mine is not surely above 0.0099 dollars a call"]
    )
