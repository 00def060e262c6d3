"""The cost-quality front: what the best model of each category costs and brings, for a range of answers' values.

A choice made and judged by the same calls looks better than it is. So one half of the folds chooses, the other judges,
and the other way round (cross-fitting; Chernozhukov et al. 2018). What is deployed is the choice of the whole log.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bandit.request import Objective
from simulations.offpolicy.arms import ANSWER
from simulations.offpolicy.cells import CHOSEN
from simulations.offpolicy.components import worth_of
from simulations.offpolicy.estimators import ESTIMATORS, Evaluator
from simulations.offpolicy.gate import MAX_UNIDENTIFIED, policy_checks
from simulations.offpolicy.intervals import standard_error
from simulations.offpolicy.policies import DEFAULT, Policy, matrices

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FACTORS: Final = tuple(float(factor) for factor in np.geomspace(1.0 / 256.0, 256.0, 17))
"""Of the value of an answer, from thrifty to demanding."""

_LEAST_UNITS: Final = 8


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """The best models for one value of an answer, and what a call would bring: means by component, standard errors."""

    policy: Policy
    answer_value_usd: float
    components: tuple[float, ...]
    errors: tuple[float, ...]


def front(evaluator: Evaluator, objective: Objective, estimator: str = "awdr") -> Iterator[FrontPoint]:
    """Yield a point for each choice of models that is the best one for some value of an answer, unless refused.

    It is judged by one of `ESTIMATORS`.
    """
    if evaluator.arms.unit.max() < _LEAST_UNITS:
        return
    able = evaluator.importance.identified
    known = {name: able[c] for c, name in enumerate(evaluator.arms.categories)}
    even, odd = (_half(evaluator, parity) for parity in (0, 1))
    seen = set[str]()
    for factor in FACTORS:
        asked = objective._replace(answer_value_usd=objective.answer_value_usd * factor)
        best = _best(evaluator, asked, known)
        written = repr(best.shares)
        if written in seen or not best.shares or _is_refused(evaluator, best, asked):
            continue
        seen.add(written)
        judged = [
            _judged(judge, _best(chooser, asked, known), estimator) for chooser, judge in ((even, odd), (odd, even))
        ]
        told = _told(evaluator, best)
        values, errors = (np.array(part) for part in zip(*judged, strict=True))
        yield FrontPoint(
            policy=best,
            answer_value_usd=asked.answer_value_usd,
            components=tuple(np.where(told, values.mean(axis=0), np.nan).tolist()),
            errors=tuple(np.where(told, np.sqrt(np.square(errors).sum(axis=0)) / 2.0, np.nan).tolist()),
        )


def _half(evaluator: Evaluator, parity: int) -> Evaluator:
    """Return what the even, or the odd, units alone tell."""
    cells = evaluator.sums.cells.where(evaluator.arms.unit % 2 == parity)
    return Evaluator(replace(evaluator.sums, cells=cells, rows=int(cells.counts[:, CHOSEN].sum())))


def _best(chooser: Evaluator, objective: Objective, known: Mapping[str, Bools]) -> Policy:
    """Return the best model of each category by q, of those that the log tells enough of."""
    models, shares = chooser.sums.models, dict[str, Mapping[str, float]]()
    utilities = worth_of(chooser.arms.direct, objective)
    for category, utility in zip(chooser.arms.categories, utilities, strict=True):
        if known[category].any():
            shares[category] = {models[int(np.where(known[category], utility, -np.inf).argmax())]: 1.0}
    chosen = {model for one in shares.values() for model in one}
    if len(chosen) == 1 and len(shares) == len(known):
        shares = {DEFAULT: dict.fromkeys(chosen, 1.0)}
    return Policy(f"best-at-{objective.answer_value_usd:.3g}-usd", shares)


def _is_refused(evaluator: Evaluator, policy: Policy, objective: Objective) -> bool:
    """Return whether the gate would refuse the policy, had somebody named it."""
    [matrix] = matrices([policy], evaluator.sums)
    quality = float(np.nan_to_num(evaluator.logged.value[ANSWER]))
    weights = evaluator.importance.of(matrix)
    return any(check.status == "red" for check in policy_checks("", weights, quality, objective))


def _told(evaluator: Evaluator, policy: Policy) -> Bools:
    """Return which components the log tells of what a policy would choose; shape (K,)."""
    [matrix] = matrices([policy], evaluator.sums)
    unknown = evaluator.importance.of(matrix).unknown
    return np.array(unknown) <= MAX_UNIDENTIFIED


def _judged(judge: Evaluator, policy: Policy, estimator: str) -> tuple[Floats, Floats]:
    [matrix] = matrices([policy], judge.sums)
    estimate = ESTIMATORS[estimator](judge, matrix)
    return estimate.value, np.array([standard_error(column) for column in estimate.influence.T])
