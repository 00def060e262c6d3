"""What a cell's prior mean of quality owes to the rest of its namespace.

Three things were measured to pay (`docs/explanation/learning.md`), and each ends by itself:

1. **Credit.** A model that does better in the other categories than its prior says is expected to do as well here,
   so that three unlucky answers do not end its chances. Never less than the prior: a model that is bad elsewhere may
   be the best here, and has to be tried.
2. **Borrowing**, as far as answers are not judged. Where all are, each cell learns soon enough by itself; where few
   are, there is nothing better than the other cells. The prior mean moves by (1 - share judged)^4 (g + a_m + b_c), with
   the additive effects of two-way shrinkage (Efron and Morris 1975, with crossed groups):

       mean_cm - m0 = g + a_m + b_c + d_cm,   g ~ N(0, .01), a ~ N(0, .03), b ~ N(0, .03), d ~ N(0, .1)

3. **Waiting**, while nobody has judged anything. Judgements may come late: until the first are there, an answer that
   nobody judged counts as a fraction of a middling one, so that calls spread over the models instead of heaping up on
   the cheapest, and the first judgements find something to tell apart.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_OVERALL, _OF_MODELS, _OF_CATEGORIES, _OF_CELLS = 0.01, 0.03, 0.03, 0.1
"""Variances of the effects g, a, b and d, of a quality in [0, 1]."""
_SPREAD: Final = 0.12
"""Variance of a single judgement."""
_ROUNDS: Final = 4
_JUDGED: Final = 10.0
"""Judged answers that are taken for granted before there are any."""
_POWER: Final = 4.0
_LOWEST, _HIGHEST = 0.05, 0.97
_MODEST, _MODEST_WEIGHT, _CREDIT = 0.7, 10.0, 0.95
"""What is expected of a model elsewhere, in how many judgements' worth, and the most it is given credit for."""
_MIDDLING, _WORTH, _MOST_WAITING = 0.5, 0.3, 20.0
"""Quality that an answer nobody judged counts as, judgements it is worth, and how many of a cell count."""
_FEW_ANSWERS, _FEW_JUDGEMENTS = 100.0, 3.0
"""After about so many answers without a judgement judgements are late; after so many judgements they are not."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Judgements of one kind: their number and sum, and the answers they could have been of; shape (C, M)."""

    count: Floats
    total: Floats
    answers: Floats


def borrowed_means(prior: Floats, weight: Floats, judged: Judged) -> Floats:
    """Return prior means of quality; `prior` has the mean and `weight` the judgements it is worth; shape (C, M)."""
    # Exact sums: the same bits, whatever else is on the axes.
    judgements, answers = (math.fsum(one.ravel().tolist()) for one in (judged.count, judged.answers))
    means = np.maximum(prior, np.minimum(_elsewhere(judged), _CREDIT))
    share = (1.0 - min(1.0, (judgements + _JUDGED) / (answers + _JUDGED))) ** _POWER
    if share > 0.0:
        effects = _effects(judged.total / np.maximum(judged.count, 1e-9) - prior, judged.count)
        means = (1.0 - share) * means + share * np.clip(prior + effects, _LOWEST, _HIGHEST)
    late = math.exp(-judgements / _FEW_JUDGEMENTS) * answers**2 / (answers**2 + _FEW_ANSWERS**2)
    waiting = late * _WORTH * np.clip(judged.answers - judged.count, 0.0, _MOST_WAITING)
    expected: Floats = (weight * means + waiting * _MIDDLING) / (weight + waiting)
    return expected


def _elsewhere(judged: Judged) -> Floats:
    """Return how good each model is in all categories but the cell's own."""
    count, total = (one.sum(axis=0, keepdims=True) - one for one in (judged.count, judged.total))
    mean: Floats = (total + _MODEST * _MODEST_WEIGHT) / (count + _MODEST_WEIGHT)
    return mean


def _effects(surplus: Floats, count: Floats) -> Floats:
    """Return g + a_m + b_c, fitted by turns; each is a precision-weighted mean of what the others leave."""
    weight = np.where(count > 0, 1.0 / (_OF_CELLS + _SPREAD / np.maximum(count, 1e-9)), 0.0)
    models, categories = np.zeros((1, count.shape[1])), np.zeros((count.shape[0], 1))
    overall = 0.0
    for _ in range(_ROUNDS):
        overall = float((weight * (surplus - models - categories)).sum() / (weight.sum() + 1.0 / _OVERALL))
        left = weight * (surplus - overall - categories)
        models = left.sum(axis=0, keepdims=True) / (weight.sum(axis=0, keepdims=True) + 1.0 / _OF_MODELS)
        left = weight * (surplus - overall - models)
        categories = left.sum(axis=1, keepdims=True) / (weight.sum(axis=1, keepdims=True) + 1.0 / _OF_CATEGORIES)
    return overall + models + categories
