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
from simulations.offpolicy.cells import Cells
from simulations.offpolicy.components import weights_of
from simulations.offpolicy.estimators import Evaluator
from simulations.offpolicy.intervals import standard_error
from simulations.offpolicy.policies import DEFAULT, Policy
from simulations.offpolicy.weights import identified

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FACTORS: Final = tuple(float(factor) for factor in np.geomspace(1.0 / 256.0, 256.0, 17))
"""Of the value of an answer, from thrifty to demanding."""


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """The best models for one value of an answer, and what a call would bring: means by component, standard errors."""

    policy: Policy
    answer_value_usd: float
    components: tuple[float, ...]
    errors: tuple[float, ...]


def front(evaluator: Evaluator, objective: Objective) -> Iterator[FrontPoint]:
    """Yield a point for each choice of models that is the best one for some value of an answer."""
    halves = [_half(evaluator, parity) for parity in (0, 1)]
    if any(len(half.sums.folds.units) < 2 for half in halves):
        return
    seen = set[tuple[int, ...]]()
    for factor in FACTORS:
        asked = objective._replace(answer_value_usd=objective.answer_value_usd * factor)
        choice = _choice(evaluator, evaluator, asked)
        if tuple(choice.tolist()) in seen:
            continue
        seen.add(tuple(choice.tolist()))
        values, errors = zip(
            *(_judged(judge, _choice(chooser, evaluator, asked)) for chooser, judge in (halves, halves[::-1])),
            strict=True,
        )
        yield FrontPoint(
            policy=_policy(evaluator, choice, asked.answer_value_usd),
            answer_value_usd=asked.answer_value_usd,
            components=tuple(np.mean(values, axis=0).tolist()),
            errors=tuple((np.sqrt(np.square(errors).sum(axis=0)) / 2.0).tolist()),
        )


def _half(evaluator: Evaluator, parity: int) -> Evaluator:
    """Return what the even, or the odd, folds alone tell, as one stretch of time."""
    folds = evaluator.sums.folds
    here = folds.keys[:, 0] % 2 == parity
    cells = Cells(folds.keys[here], folds.counts[here], folds.values[here])
    keys = cells.keys.copy()
    # q of a fold comes from the folds before it, as that of a stretch of time does.
    return Evaluator(replace(evaluator.sums, slices=Cells(keys, cells.counts, cells.values), folds=cells))


def _choice(chooser: Evaluator, whole: Evaluator, objective: Objective) -> Ints:
    """Return the best model of each category by q, of those that the log tells enough of; shape (C,)."""
    utility = chooser.arms.direct @ weights_of(objective)
    utility = np.where(identified(whole.sums, whole.arms)[whole.arms.category], utility, -np.inf)
    by_category = np.full((len(whole.arms.categories), utility.shape[1]), -np.inf)
    np.maximum.at(by_category, whole.arms.category, utility)
    best: Ints = by_category.argmax(axis=1)
    return best


def _judged(judge: Evaluator, choice: Ints) -> tuple[Floats, Floats]:
    policy = np.zeros((1, *judge.arms.roots.shape))
    policy[0, np.arange(policy.shape[1]), choice[judge.arms.category]] = 1.0
    estimates = judge.adaptive(policy) if not judge.sums.undistributed else judge.doubly_robust(policy)
    errors = [standard_error(column) for column in estimates.influences[0].T]
    return estimates.values[0], np.array(errors)


def _policy(evaluator: Evaluator, choice: Ints, answer_value_usd: float) -> Policy:
    models = evaluator.sums.models
    shares = {
        category: {models[m]: 1.0} for category, m in zip(evaluator.arms.categories, choice.tolist(), strict=True)
    }
    if len(set(choice.tolist())) == 1:
        shares = {DEFAULT: {models[int(choice[0])]: 1.0}}
    return Policy(f"best-at-{answer_value_usd:.3g}-usd", shares)
