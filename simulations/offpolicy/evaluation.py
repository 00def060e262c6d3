"""Evaluate policies on the sums of a log: the gate first, then values, lifts and intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bandit.request import Objective
from simulations.offpolicy.arms import summed
from simulations.offpolicy.cells import INVERSE, INVERSE_ALL
from simulations.offpolicy.components import VALUED, weights_of
from simulations.offpolicy.estimators import ESTIMATORS, Evaluator
from simulations.offpolicy.gate import Check, Status, drift_check, log_checks, policy_checks, worst
from simulations.offpolicy.intervals import (
    Interval,
    WeightedMoments,
    bernstein,
    cressie_read,
    simultaneous_factor,
    standard_error,
    student,
)
from simulations.offpolicy.policies import Policy, matrices
from simulations.offpolicy.sums import PAIRS, LogSums
from simulations.offpolicy.timeline import timeline_of
from simulations.offpolicy.weights import Weights
from simulations.offpolicy.weights import weights_of as importance_of

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
        checks = tuple(log_checks(sums, None))
        nothing = Interval(np.nan, np.nan, np.nan)
        return Evaluation(objective, confidence, "", "red", checks, nothing, (), ()), None
    evaluator = Evaluator(sums)
    drift = _drift(evaluator, objective)
    log = (*log_checks(sums, evaluator.arms), drift)
    verdict = worst([check.status for check in log])
    # Weights by propensity also weigh times against each other: with drift that is another question.
    headline = "dr" if sums.undistributed or drift.status != "green" else "awdr"
    valued, of_policies = _valued(evaluator, policies, objective, verdict, headline, confidence, rng)
    return _evaluation(evaluator, objective, confidence, headline, verdict, (*log, *of_policies), valued), evaluator


def _evaluation(
    evaluator: Evaluator,
    objective: Objective,
    confidence: float,
    headline: str,
    verdict: Status,
    checks: tuple[Check, ...],
    valued: tuple[Valued, ...],
) -> Evaluation:
    logged, factors = evaluator.logged(), weights_of(objective)
    interval = student(float(logged.value @ factors), logged.influence @ factors, 1.0 - confidence)
    components = tuple(logged.value.tolist())
    return Evaluation(objective, confidence, headline, verdict, checks, interval, components, valued)


def _valued(
    evaluator: Evaluator,
    policies: Sequence[Policy],
    objective: Objective,
    verdict: Status,
    headline: str,
    confidence: float,
    rng: np.random.Generator,
) -> tuple[tuple[Valued, ...], list[Check]]:
    sums, factors, alpha = evaluator.sums, weights_of(objective), 1.0 - confidence
    matrix = matrices(policies, sums)
    names = [name for name in ESTIMATORS if name != "awdr" or not sums.undistributed]
    estimates = [{name: ESTIMATORS[name](evaluator, probabilities) for name in names} for probabilities in matrix]
    logged = evaluator.logged()
    differences = np.array([(one[headline].influence - logged.influence) @ factors for one in estimates])
    weights = [importance_of(probabilities, sums, evaluator.arms) for probabilities in matrix]
    checks = [list(policy_checks(policy.name, one)) for policy, one in zip(policies, weights, strict=True)]
    statuses = [worst([check.status for check in found] + [verdict]) for found in checks]
    shown = np.array([status != "red" for status in statuses], np.bool_)
    factor = simultaneous_factor(differences[shown], alpha, rng)
    valued = []
    for p, policy in enumerate(policies):
        intervals = {
            name: student(float(one.value @ factors), one.influence @ factors, alpha)
            for name, one in estimates[p].items()
        }
        moments = _moments(evaluator, matrix[p], objective)
        intervals |= {"cressie_read": cressie_read(moments, alpha), CONSERVATIVE: bernstein(moments, alpha)}
        best = estimates[p][headline]
        lift = float((best.value - logged.value) @ factors)
        alone, error = student(lift, differences[p], alpha), standard_error(differences[p])
        valued.append(
            Valued(
                policy=policy,
                status=statuses[p],
                reasons=tuple(check.says for check in checks[p] if check.status != "green"),
                weights=weights[p],
                estimates=intervals,
                components=tuple(best.value.tolist()),
                component_errors=tuple(standard_error(column) for column in best.influence.T),
                headline=intervals[headline] if shown[p] else None,
                lift=Lift(*alone, lift - factor * error, lift + factor * error) if shown[p] else None,
            )
        )
    return tuple(valued), [check for found in checks for check in found]


def _moments(evaluator: Evaluator, policy: Floats, objective: Objective) -> WeightedMoments:
    """Return the moments of weights and of weighted values in dollars, over all calls."""
    sums, arms = evaluator.sums, evaluator.arms
    factors = weights_of(objective)[:VALUED] / arms.known[arms.category][..., :VALUED]
    cell = arms.context, arms.model
    weights = summed(cell, sums.cells.values[:, [INVERSE_ALL]], policy.shape)[..., 0]
    values = summed(cell, sums.cells.values[:, INVERSE][:, :VALUED], policy.shape)
    squares = sums.squares
    products = sum(
        (1.0 if j == k else 2.0) * factors[..., j] * factors[..., k] * squares[..., 1 + VALUED + place]
        for place, (j, k) in enumerate(PAIRS)
    )
    n = float(sums.rows)
    largest = policy * sums.largest
    low, high = _range(evaluator, objective)
    return WeightedMoments(
        n=n,
        w=float((policy * weights).sum()) / n,
        ww=float((policy**2 * squares[..., 0]).sum()) / n,
        wr=float((policy[..., None] * values * factors).sum()) / n,
        wwr=float((policy[..., None] ** 2 * squares[..., 1 : 1 + VALUED] * factors).sum()) / n,
        wwrr=float((policy**2 * products).sum()) / n,
        largest_w=float(largest.max(initial=0.0)),
        least_r=low,
        largest_r=high,
    )


def _range(evaluator: Evaluator, objective: Objective) -> tuple[float, float]:
    """Return between what a call's value lies: quality is bounded, cost and latency by the largest ones seen."""
    factors, extremes = weights_of(objective), evaluator.sums.extremes
    high = np.where(np.isfinite(extremes[1]), extremes[1], 0.0)
    low = factors[1] * high[1] + factors[2] * high[2]
    return float(low), float(factors[0])


def _drift(evaluator: Evaluator, objective: Objective) -> Check:
    """Hold both halves of the log against each other."""
    timeline, factors = timeline_of(evaluator), weights_of(objective)
    rows, value = timeline.rows, timeline.logged(evaluator) @ factors
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
