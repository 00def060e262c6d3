"""The cost-quality front: what the best model of each category costs and brings, for a range of answers' values.

A choice made and judged by the same calls looks better than it is. So one half of the folds chooses, the other judges,
and the other way round (cross-fitting; Chernozhukov et al. 2018). What is deployed is the choice of the whole log.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bandit.request import Objective
from simulations.offpolicy.cells import CHOSEN
from simulations.offpolicy.components import weights_of
from simulations.offpolicy.estimators import Evaluator
from simulations.offpolicy.gate import policy_checks
from simulations.offpolicy.intervals import standard_error
from simulations.offpolicy.policies import DEFAULT, Policy
from simulations.offpolicy.weights import identified, importance_weights

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

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


def front(evaluator: Evaluator, objective: Objective) -> Iterator[FrontPoint]:
    """Yield a point for each choice of models that is the best one for some value of an answer."""
    if evaluator.arms.unit.max() < _LEAST_UNITS:
        return
    halves = [_half(evaluator, parity) for parity in (0, 1)]
    seen = set[tuple[int, ...]]()
    for factor in FACTORS:
        asked = objective._replace(answer_value_usd=objective.answer_value_usd * factor)
        choice = _choice(evaluator, evaluator, asked)
        if tuple(choice.tolist()) in seen:
            continue
        seen.add(tuple(choice.tolist()))
        if _is_refused(evaluator, choice):
            continue
        values, errors = zip(
            *(
                _judged(judge, _choice(chooser, evaluator, asked), evaluator)
                for chooser, judge in (halves, halves[::-1])
            ),
            strict=True,
        )
        yield FrontPoint(
            policy=_policy(evaluator, choice, asked.answer_value_usd),
            answer_value_usd=asked.answer_value_usd,
            components=tuple(np.mean(values, axis=0).tolist()),
            errors=tuple((np.sqrt(np.square(errors).sum(axis=0)) / 2.0).tolist()),
        )


def _half(evaluator: Evaluator, parity: int) -> Evaluator:
    """Return what the even, or the odd, units alone tell."""
    cells = evaluator.sums.cells.where(evaluator.arms.unit % 2 == parity)
    return Evaluator(replace(evaluator.sums, cells=cells, rows=int(cells.counts[:, CHOSEN].sum())))


def _choice(chooser: Evaluator, whole: Evaluator, objective: Objective) -> Ints:
    """Return the best model of each category by q, of those that the log tells enough of; shape (C,)."""
    utility = dict(zip(chooser.arms.categories, chooser.arms.direct @ weights_of(objective), strict=True))
    nothing = np.full(len(whole.sums.models), -np.inf)
    able = identified(whole.sums, whole.arms)
    by_category = [
        np.where(able[c], utility.get(name, nothing), -np.inf) for c, name in enumerate(whole.arms.categories)
    ]
    return np.array([int(row.argmax()) for row in by_category], np.int64)


def _is_refused(evaluator: Evaluator, choice: Ints) -> bool:
    """Return whether the gate would refuse the choice, were it a policy that somebody named."""
    policy = _always(choice, evaluator, evaluator)
    error = standard_error(evaluator.doubly_robust(policy).influence[:, 0])
    return any(
        check.status == "red"
        for check in policy_checks("", importance_weights(policy, evaluator.sums, evaluator.arms), error)
    )


def _always(choice: Ints, judge: Evaluator, whole: Evaluator) -> Floats:
    """Return the policy that plays the chosen model of each category; shape (X, M)."""
    policy = np.zeros((len(judge.sums.contexts), len(judge.sums.models)))
    policy[np.arange(len(policy)), choice[whole.arms.category]] = 1.0
    return policy


def _judged(judge: Evaluator, choice: Ints, whole: Evaluator) -> tuple[Floats, Floats]:
    policy = _always(choice, judge, whole)
    estimate = judge.doubly_robust(policy) if judge.sums.undistributed else judge.adaptive(policy)
    return estimate.value, np.array([standard_error(column) for column in estimate.influence.T])


def _policy(evaluator: Evaluator, choice: Ints, answer_value_usd: float) -> Policy:
    models = evaluator.sums.models
    shares = {
        category: {models[m]: 1.0} for category, m in zip(evaluator.arms.categories, choice.tolist(), strict=True)
    }
    if len(set(choice.tolist())) == 1:
        shares = {DEFAULT: {models[int(choice[0])]: 1.0}}
    return Policy(f"best-at-{answer_value_usd:.3g}-usd", shares)
