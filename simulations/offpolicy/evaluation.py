"""Evaluate policies on the sums of a log: the gate first, then values, lifts and intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bandit.request import Objective
from simulations.lights import Check, Status, worst
from simulations.offpolicy.arms import ANSWER
from simulations.offpolicy.components import worth_of
from simulations.offpolicy.estimators import ESTIMATORS, Estimate, Evaluator
from simulations.offpolicy.gate import MAX_UNIDENTIFIED, drift_check, log_checks, policy_checks
from simulations.offpolicy.intervals import (
    Interval,
    bernstein,
    cressie_read,
    simultaneous_ratio,
    standard_error,
    student,
)
from simulations.offpolicy.moments import moments_of
from simulations.offpolicy.policies import Policy, matrices
from simulations.offpolicy.sums import LogSums
from simulations.offpolicy.timeline import timeline_of
from simulations.offpolicy.weights import Weights

Floats = NDArray[np.float64]

CONSERVATIVE: Final = "bernstein"
"""The one interval that promises more than its level."""


@dataclass(frozen=True, slots=True)
class Lift:
    """What a policy is worth more than the log, in dollars a call, alone and beside all other policies."""

    value: float
    low: float
    high: float
    low_simultaneous: float
    high_simultaneous: float


@dataclass(frozen=True, slots=True)
class Valued:
    """What a policy is worth in dollars a call. `headline` and `lift` are None where the gate refuses.

    `estimates` has the interval of every estimator by name, `components` what a call would bring and its standard
    error, by component.
    """

    policy: Policy
    status: Status
    reasons: tuple[str, ...]
    weights: Weights
    estimates: Mapping[str, Interval]
    components: tuple[float, ...]
    component_errors: tuple[float, ...]
    headline: Interval | None
    lift: Lift | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The answer for a log: what it was worth, and what every policy would have been; `headline` names the estimator.

    `verdict` is the worst of what concerns the log.
    """

    objective: Objective
    confidence: float
    headline: str
    verdict: Status
    checks: tuple[Check, ...]
    logged: Interval
    logged_components: tuple[float, ...]
    policies: tuple[Valued, ...]


def evaluate(
    sums: LogSums,
    policies: Sequence[Policy],
    objective: Objective,
    *,
    confidence: float = 0.95,
    rng: np.random.Generator,
) -> tuple[Evaluation, Evaluator] | tuple[Evaluation, None]:
    """Evaluate policies; of a log without usable calls nothing but the refusal is returned."""
    if not sums.rows:
        checks = tuple(log_checks(sums, None, objective))
        nothing = Interval(np.nan, np.nan, np.nan)
        return Evaluation(objective, confidence, "", "red", checks, nothing, (), ()), None
    evaluator = Evaluator(sums)
    drift = _drift(evaluator, objective)
    checks = (*log_checks(sums, evaluator.arms, objective), drift)
    logged = evaluator.logged
    evaluation = Evaluation(
        objective=objective,
        confidence=confidence,
        # Weights by propensity also weigh times against each other: with drift that is another question.
        headline="dr" if sums.undistributed or drift.status != "green" else "awdr",
        verdict=worst([check.status for check in checks]),
        checks=checks,
        logged=student(
            float(worth_of(logged.value, objective)), worth_of(logged.influence, objective), 1.0 - confidence
        ),
        logged_components=tuple(logged.value.tolist()),
        policies=(),
    )
    measured = [
        _measured(evaluator, policy, probabilities, evaluation)
        for policy, probabilities in zip(policies, matrices(policies, sums), strict=True)
    ]
    compared = np.array([one.difference for one in measured if one.status != "red"])
    ratio = simultaneous_ratio(compared, 1.0 - confidence, rng) if len(compared) else 1.0
    valued = tuple(_valued(one, evaluator, evaluation, ratio) for one in measured)
    of_policies = (check for one in measured for check in one.checks)
    return replace(evaluation, policies=valued, checks=(*checks, *of_policies)), evaluator


@dataclass(frozen=True, slots=True)
class _Measured:
    """A policy before it is known whether its numbers may be shown."""

    policy: Policy
    weights: Weights
    checks: tuple[Check, ...]
    status: Status
    estimates: Mapping[str, Estimate]
    intervals: Mapping[str, Interval]
    difference: Floats


def _measured(
    evaluator: Evaluator,
    policy: Policy,
    probabilities: Floats,
    evaluation: Evaluation,
) -> _Measured:
    """Evaluate one policy by every estimator, and check what the log knows of it."""
    sums, alpha, headline = evaluator.sums, 1.0 - evaluation.confidence, evaluation.headline
    objective = evaluation.objective
    names = [name for name in ESTIMATORS if name != "awdr" or not sums.undistributed]
    estimates = {name: ESTIMATORS[name](evaluator, probabilities) for name in names}
    intervals = {name: _interval(one, objective, alpha) for name, one in estimates.items()}
    moments = moments_of(evaluator, probabilities, objective)
    intervals |= {"cressie_read": cressie_read(moments, alpha), CONSERVATIVE: bernstein(moments, alpha)}
    weights = evaluator.importance.of(probabilities)
    quality = float(np.nan_to_num(evaluator.logged.value[ANSWER]))
    checks = tuple(policy_checks(policy.name, weights, quality, objective))
    status = worst([*(check.status for check in checks), evaluation.verdict])
    difference = worth_of(estimates[headline].influence - evaluator.logged.influence, objective)
    return _Measured(policy, weights, checks, status, estimates, intervals, difference)


def _valued(one: _Measured, evaluator: Evaluator, evaluation: Evaluation, ratio: float) -> Valued:
    """Return what may be shown of a policy; beside all others its lift is `ratio` times as uncertain."""
    shown, best = one.status != "red", one.estimates[evaluation.headline]
    gain = float(worth_of(best.value - evaluator.logged.value, evaluation.objective))
    lift = student(gain, one.difference, 1.0 - evaluation.confidence)
    told = np.array(one.weights.unknown) <= MAX_UNIDENTIFIED
    beside = ((lift.low - lift.value) * ratio + lift.value, (lift.high - lift.value) * ratio + lift.value)
    return Valued(
        policy=one.policy,
        status=one.status,
        reasons=tuple(check.says for check in one.checks if check.status == one.status != "green"),
        weights=one.weights,
        estimates=one.intervals,
        components=tuple(np.where(told, best.value, np.nan).tolist()),
        component_errors=tuple(standard_error(column) for column in np.where(told, best.influence, np.nan).T),
        headline=one.intervals[evaluation.headline] if shown else None,
        lift=Lift(*lift, *beside) if shown else None,
    )


def _interval(estimate: Estimate, objective: Objective, alpha: float) -> Interval:
    return student(float(worth_of(estimate.value, objective)), worth_of(estimate.influence, objective), alpha)


def _drift(evaluator: Evaluator, objective: Objective) -> Check:
    """Hold both halves of the log against each other."""
    timeline = timeline_of(evaluator)
    rows, value = timeline.rows, worth_of(timeline.logged(evaluator), objective)
    half = int(np.searchsorted(rows.cumsum(), rows.sum() / 2.0))
    if not 2 <= half <= len(rows) - 2:
        return drift_check(0.0, 0.0, 0.0)
    means = value / rows
    sides = [(rows[part], means[part]) for part in (slice(0, half), slice(half, None))]
    centres = [float((n * mean).sum() / n.sum()) for n, mean in sides]
    variances = [
        float((n * (mean - centre) ** 2).sum()) / (len(n) - 1) / float(n.sum())
        for (n, mean), centre in zip(sides, centres, strict=True)
    ]
    return drift_check(centres[0], centres[1], float(np.sqrt(sum(variances))))
