"""What a cell's prior mean of quality owes to the rest of its namespace.

1. **Credit** (`credited`). A model that does better in the other categories than the default prior says is expected to
   do better here too, so that three unlucky answers do not end its chances. Never worse: a model that is bad elsewhere
   may be the best here, and has to be tried.
2. **Borrowing** (`borrowed`), as far as answers of a category are not judged. Where all are, each cell learns soon
   enough by itself; where few are, there is nothing better than the other cells. The prior mean moves by
   (1 - share judged)^4 (g + a_m + b_c), with the additive effects of two-way shrinkage (Efron and Morris 1975, with
   crossed groups):

       mean_cm - m0 = g + a_m + b_c + d_cm,   g ~ N(0, .01), a ~ N(0, .03), b ~ N(0, .03), d ~ N(0, .1)
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bandit.ordered import ordered_sum, ordered_total

Floats = NDArray[np.float64]

_OVERALL, _OF_MODELS, _OF_CATEGORIES, _OF_CELLS = 0.01, 0.03, 0.03, 0.1
"""Variances of the effects g, a, b and d, of a quality in [0, 1]."""
_SPREAD: Final = 0.12
"""Variance of a single judgement."""
_ROUNDS: Final = 4
_FIRST: Final = 10.0
"""Answers that are taken for judged before there are any; and of a category, for judged as elsewhere."""
_POWER: Final = 4.0
_LOWEST, _HIGHEST = 0.05, 0.97
_MODEST, _MODEST_WEIGHT, _MOST = 0.7, 10.0, 0.95
"""What is expected of a model elsewhere, in how many judgements' worth, and the most that credit makes of a prior."""


@dataclass(frozen=True, slots=True, eq=False)
class Judgements:
    """Judgements of one kind: their number and sum, and the answers they could have been of; shape (C, M)."""

    count: Floats
    total: Floats
    answers: Floats


def credited(prior: Floats, default: float, judgements: Judgements) -> Floats:
    """Return prior means of quality, raised by what a model is better elsewhere than `default`; shape (C, M)."""
    count, total = (ordered_sum(one, 0)[None] - one for one in (judgements.count, judgements.total))
    elsewhere = (total + _MODEST * _MODEST_WEIGHT) / (count + _MODEST_WEIGHT)
    credit = np.maximum(elsewhere - default, 0.0)
    means: Floats = np.maximum(prior, np.minimum(prior + credit, _MOST))
    return means


def borrowed(prior: Floats, judgements: Judgements) -> Floats:
    """Return prior means of quality, moved by what other cells say as far as answers are not judged; shape (C, M)."""
    overall = (ordered_total(judgements.count) + _FIRST) / (ordered_total(judgements.answers) + _FIRST)
    count, answers = (ordered_sum(one, 1)[:, None] for one in (judgements.count, judgements.answers))
    judged = (count + _FIRST * min(overall, 1.0)) / (answers + _FIRST)
    share = (1.0 - np.minimum(judged, 1.0)) ** _POWER
    if not share.any():
        return prior
    surplus = judgements.total / np.maximum(judgements.count, 1e-9) - prior
    expected = np.clip(prior + _effects(surplus, judgements.count), _LOWEST, _HIGHEST)
    means: Floats = (1.0 - share) * prior + share * expected
    return means


def _effects(surplus: Floats, count: Floats) -> Floats:
    """Return g + a_m + b_c, fitted by turns; each is a precision-weighted mean of what the others leave."""
    weight = np.where(count > 0, 1.0 / (_OF_CELLS + _SPREAD / np.maximum(count, 1e-9)), 0.0)
    models, categories = np.zeros((1, count.shape[1])), np.zeros((count.shape[0], 1))
    overall = 0.0
    for _ in range(_ROUNDS):
        overall = ordered_total(weight * (surplus - models - categories)) / (ordered_total(weight) + 1.0 / _OVERALL)
        left = weight * (surplus - overall - categories)
        models = (ordered_sum(left, 0) / (ordered_sum(weight, 0) + 1.0 / _OF_MODELS))[None]
        left = weight * (surplus - overall - models)
        categories = (ordered_sum(left, 1) / (ordered_sum(weight, 1) + 1.0 / _OF_CATEGORIES))[:, None]
    return overall + models + categories
