"""What a cell may take from its row and column while judgements are rare.

Where every answer is judged, each cell learns soon enough by itself, and a prior taken from other categories would keep
good models from ever being tried there. Where few are judged, there is nothing better. So the share of answers that
nobody judges decides: a cell's prior mean is m0 + (1 - share judged)^4 (g + a_m + b_c), with m0 the prior as it stands
and the additive effects of two-way shrinkage (Efron and Morris 1975, with crossed groups):

    mean_cm - m0 = g + a_m + b_c + d_cm,   g ~ N(0, .01), a ~ N(0, .03), b ~ N(0, .03), d ~ N(0, .1)
"""

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


def borrowed_means(prior: Floats, count: Floats, total: Floats, answers: float) -> Floats:
    """Return prior means of quality; arrays of shape (C, M).

    `count` and `total` are number and sum of the judgements, `answers` the number of answers they could have been of.
    """
    judged = min(1.0, (float(count.sum()) + _JUDGED) / (answers + _JUDGED))
    share = (1.0 - judged) ** _POWER
    if share == 0.0:
        return prior
    borrowed = np.clip(prior + _effects(total / np.maximum(count, 1e-9) - prior, count), _LOWEST, _HIGHEST)
    means: Floats = (1.0 - share) * prior + share * borrowed
    return means


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
