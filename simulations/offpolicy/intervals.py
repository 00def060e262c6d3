"""Intervals: from influences by fold, from likelihood (Cressie-Read), and conservative ones (Bernstein).

`alpha` is the probability of missing the truth on both sides together.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

DRAWS: Final = 4000
"""Draws of the multiplier bootstrap: the critical value is then exact to about one per cent."""


class Interval(NamedTuple):
    """A value, and the bounds of its interval."""

    value: float
    low: float
    high: float


def standard_error(influence: Floats) -> float:
    """Return the standard error of a sum over folds, shape (F,): cluster-robust."""
    folds = len(influence)
    return float(np.sqrt(folds / (folds - 1) * (influence**2).sum())) if folds > 1 else float("nan")


def student(value: float, influence: Floats, alpha: float) -> Interval:
    """Return the interval by the central limit theorem, with a Student quantile."""
    half = quantile(influence, alpha) * standard_error(influence)
    return Interval(value, value - half, value + half)


def quantile(influence: Floats, alpha: float) -> float:
    """Return by how many standard errors an interval is wide.

    Degrees of freedom are those of a variance estimated from these influences (Satterthwaite 1946): few folds that
    carry large weights tell little of their spread.
    """
    folds, squares = len(influence), float((influence**2).sum())
    if folds < 2 or squares == 0.0:
        return float(stats.t.ppf(1.0 - alpha / 2.0, 1))
    kurtosis = folds * float((influence**4).sum()) / squares**2
    freedom = min(max(2.0 * folds / max(kurtosis - 1.0, 1e-9), 2.0), folds - 1.0)
    return float(stats.t.ppf(1.0 - alpha / 2.0, freedom))


def simultaneous_ratio(influences: Floats, alpha: float, rng: np.random.Generator) -> float:
    """Return how many times as wide P intervals must be to hold all at once: at least 1, at most Bonferroni's.

    `influences` has shape (P, U). The maximum of the t statistics is drawn by multiplying units with normal numbers
    (Chernozhukov, Chetverikov and Kato 2013).
    """
    one, bonferroni = (float(stats.norm.isf(alpha / (2.0 * n))) for n in (1, max(len(influences), 1)))
    scale = np.sqrt((influences**2).sum(axis=1))
    moving = influences[scale > 0.0] / scale[scale > 0.0, None]
    if not len(moving):
        return 1.0
    largest = np.abs(moving @ rng.standard_normal((influences.shape[1], DRAWS))).max(axis=0)
    return float(np.clip(np.quantile(largest, 1.0 - alpha), one, bonferroni)) / one


class WeightedMoments(NamedTuple):
    """Means over n calls of w, w^2, w r, w^2 r and w^2 r^2, with the ranges of w and r."""

    n: float
    w: float
    ww: float
    wr: float
    wwr: float
    wwrr: float
    largest_w: float
    least_r: float
    largest_r: float


def cressie_read(moments: WeightedMoments, alpha: float) -> Interval:
    """Return the interval of empirical likelihood with the Euclidean (Cressie-Read -2) divergence.

    Of all reweightings of the calls under which w has mean 1, those near enough to the calls as they came bound the
    mean of w r (Karampatziakis, Langford and Mineiro 2020, section 3, where the bound has a closed form). For each
    bound one call is added that nobody saw, with the weight that a typical part of the value has, w^2 / w in the mean,
    and the reward that hurts the most.
    """
    n = moments.n
    value, *_ = _regressed(moments)
    if n < 2:
        return Interval(value, moments.least_r, moments.largest_r)
    radius = float(stats.f.ppf(1.0 - alpha, 1, n - 1)) / n
    bounds = []
    for reward, sign in ((moments.least_r, -1.0), (moments.largest_r, 1.0)):
        unseen = moments.ww / moments.w if moments.w > 0.0 else moments.largest_w
        middle, spread = _regressed(_with_call(moments, unseen, reward))
        bounds.append(middle + sign * np.sqrt(max(spread, 0.0) * radius))
    low, high = np.clip(bounds, moments.least_r, moments.largest_r).tolist()
    return Interval(value, low, high)


def bernstein(moments: WeightedMoments, alpha: float) -> Interval:
    """Return an interval that holds for every n (Maurer and Pontil 2009, theorem 4), of inverse propensity weights.

    It takes rewards from the least of the range, so that weighted ones are bounded by the largest weight times it.
    """
    span = moments.largest_r - moments.least_r
    shifted = moments.wr - moments.least_r * moments.w
    second = moments.wwrr - 2.0 * moments.least_r * moments.wwr + moments.least_r**2 * moments.ww
    variance, n = max(second - shifted**2, 0.0), moments.n
    log = np.log(4.0 / alpha)
    if n < 2:
        return Interval(moments.wr, moments.least_r, moments.largest_r)
    half = np.sqrt(2.0 * variance * n / (n - 1) * log / n) + 7.0 * span * moments.largest_w * log / (3.0 * (n - 1))
    value = shifted + moments.least_r
    low, high = np.clip([value - half, value + half], moments.least_r, moments.largest_r).tolist()
    return Interval(value, low, high)


def _regressed(moments: WeightedMoments) -> tuple[float, float]:
    """Return the mean of w r where w is brought to mean 1, and the variance that w does not explain."""
    variance = moments.ww - moments.w**2
    covariance = moments.wwr - moments.w * moments.wr
    slope = covariance / variance if variance > 1e-12 * moments.ww else 0.0
    unexplained = moments.wwrr - moments.wr**2 - slope * covariance
    return moments.wr + slope * (1.0 - moments.w), unexplained


def _with_call(moments: WeightedMoments, w: float, r: float) -> WeightedMoments:
    """Return the moments with one more call."""
    n = moments.n
    seen = np.array(moments[1:6])
    more = np.array([w, w * w, w * r, w * w * r, w * w * r * r])
    return moments._replace(
        n=n + 1.0, **dict(zip(("w", "ww", "wr", "wwr", "wwrr"), ((n * seen + more) / (n + 1.0)).tolist(), strict=True))
    )
