"""Quality from two kinds of judgement: thumbs, which are rare and right, and a judge, who is everywhere and off.

    judge_cm = q_cm + beta_c + d_cm,   beta_c ~ N(0, b^2),   d_cm ~ N(0, delta^2)

with c a category and m a model. The judge may be lenient or strict in a category (beta_c), which thumbs tell over all
models that have both; and wrong about single models (d_cm), which nothing tells but that model's own thumbs. So
however many scores there are, they are worth no more than 1 / delta^2, and thumbs overrule them in the end, as far as
the model is still called. The sums of both kinds stay apart: this is computed from two posteriors, when they are read.
"""

import numpy as np
from numpy.typing import NDArray

from bandit.belief import Belief
from bandit.ordered import ordered_sum
from bandit.prior_cells import RatePriors

Floats = NDArray[np.float64]


def fused(thumbs: Belief, prior: RatePriors, judge: Belief, bias: float, delta: float) -> Belief:
    """Return what both say of quality; beliefs of shape (C + 1, M), `prior` is that of the thumbs.

    `judge` holds the scores alone, with next to no prior; `bias` and `delta` are the deviations of beta_c and d_cm.
    """
    scored = judge.weight > 0
    worth = np.where(scored, 1.0 / (judge.variance + delta**2), 0.0)
    opinion = judge.mean - _biases(thumbs, prior, judge, worth, bias)
    precision = 1.0 / thumbs.variance + worth
    mean = np.clip((thumbs.mean / thumbs.variance + worth * opinion) / precision, 0.0, 1.0)
    weight, shift = thumbs.weight + judge.weight, np.maximum(thumbs.shift, judge.shift)
    return Belief(mean, 1.0 / precision, thumbs.spread, weight, shift)


def _biases(thumbs: Belief, prior: RatePriors, judge: Belief, worth: Floats, bias: float) -> Floats:
    """Posterior mean of the judge's bias in each category; shape (C + 1, 1).

    Each model with both kinds is an observation of it, judge minus share of thumbs up, with the variance of both.
    """
    both = (thumbs.weight > 0) & (worth > 0)
    count = np.where(both, thumbs.weight, 1.0)
    share = (thumbs.mean * (prior.weight + thumbs.weight) - prior.mean * prior.weight) / count
    variance = thumbs.spread / count + 1.0 / np.where(both, worth, 1.0)
    precision = np.where(both, 1.0 / variance, 0.0)
    total = ordered_sum(precision * np.where(both, judge.mean - share, 0.0), 1)
    biases: Floats = total / (1.0 / bias**2 + ordered_sum(precision, 1))
    return biases[:, None]
