"""A front that flatters no choice, and changes that are found where they are."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from adapters.traffic.calls import Calls
from bandit.request import Objective
from simulations.offpolicy.collapse import sums_of
from simulations.offpolicy.document import document_of
from simulations.offpolicy.estimators import Evaluator
from simulations.offpolicy.evaluation import evaluate
from simulations.offpolicy.front import front
from simulations.offpolicy.timeline import changes, timeline_of

ANSWERS_ONLY = Objective(0.05, 0.0)


def test_the_front_of_models_that_do_not_differ_is_no_better_than_any_of_them(uniform: Calls) -> None:
    """Twenty logs of pure luck: the best of four models in three categories looks .02 better than it is, uncrossed."""
    crossed, naive = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        luck = replace(
            uniform,
            quality=(rng.random(len(uniform)) < 0.5).astype(np.float64),
            status=np.ones_like(uniform.status),
            cost_usd=np.full(len(uniform), 0.001),
        )
        evaluator = Evaluator(sums_of(luck))
        crossed += [point.components[0] for point in front(evaluator, ANSWERS_ONLY)][-1:]
        naive.append(float(evaluator.arms.direct[..., 0].max(axis=1).mean()))
    assert np.mean(naive) > 0.515
    # The standard error of a mean of twenty is .003: four of them.
    assert np.mean(crossed) == pytest.approx(0.5, abs=0.012)


def test_a_category_in_which_nothing_is_known_is_left_out_of_the_choice(uniform: Calls) -> None:
    rare = np.arange(len(uniform)) < 3
    calls = replace(uniform, categories=(*uniform.categories, "rare"), category=np.where(rare, 3, uniform.category))
    points = list(front(Evaluator(sums_of(calls)), Objective()))
    assert points
    assert all("rare" not in point.policy.shares for point in points)


def test_nothing_changes_in_a_log_where_nothing_changed(uniform: Calls) -> None:
    evaluator = Evaluator(sums_of(uniform))
    assert list(changes(evaluator, timeline_of(evaluator))) == []


def test_a_model_that_becomes_slow_and_one_that_joins_are_found_where_it_happened(uniform: Calls) -> None:
    late = np.arange(len(uniform)) >= 4000
    slow = np.where((uniform.model == 2) & late, 10.0, 1.0)
    joined = np.where((uniform.model == 3) & ~late, 0, uniform.model)
    evaluator = Evaluator(sums_of(replace(uniform, latency_s=uniform.latency_s * slow, model=joined)))
    timeline = timeline_of(evaluator)
    found = list(changes(evaluator, timeline))
    place = int(np.searchsorted(timeline.rows.cumsum(), 4000))
    slowed = [one for one in found if one.model == uniform.models[2]]
    assert [one.what.partition(" ")[0] for one in slowed] == ["latency_s"]
    assert abs(slowed[0].at - place) <= 1
    assert {one.what for one in found if one.model == uniform.models[3]} == {"joined"}
    assert all(abs(one.at - place) <= 2 for one in found if one.what == "joined")


def front_of(calls: Calls, objective: Objective) -> list[dict[str, Any]]:
    found, evaluator = evaluate(sums_of(calls), [], objective, rng=np.random.default_rng(1))
    points: list[dict[str, Any]] = document_of(found, evaluator, "log")["front"]
    return points


def test_a_refused_log_has_no_front(uniform: Calls) -> None:
    assert len(front_of(uniform, Objective())) > 1
    most = np.arange(len(uniform)) % 5 > 1
    refused = replace(uniform, propensity=np.where(most, np.nan, uniform.propensity))
    assert [point["name"] for point in front_of(refused, Objective())] == ["logged"]


def test_what_is_unknown_is_null_on_the_front(uniform: Calls) -> None:
    points = front_of(replace(uniform, latency_s=np.full(len(uniform), np.nan)), ANSWERS_ONLY)
    assert len(points) > 1
    assert all(point["latency_s"] is None and point["latency_s_se"] is None for point in points)
    assert all(point["cost_usd"] is not None for point in points)
