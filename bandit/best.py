"""Probability that each of several independent normal quantities is the largest.

    P_m = integral of phi((x - mu_m) / sd_m) / sd_m * product over j != m of Phi((x - mu_j) / sd_j) dx

on one panel grid common to all: breakpoints where any of the quantities changes, merged where they are closer
than its own scale, six Gauss-Legendre nodes per panel. One product serves all. Unlike Gauss-Hermite
nodes per quantity, this stays exact when deviations differ by orders of magnitude.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]

_OFFSETS: Final = np.array([-6.0, -3.0, -1.5, -0.5, 0.5, 1.5, 3.0, 6.0])
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(6)
_INVERSE_SQRT_TAU: Final = 1.0 / np.sqrt(2.0 * np.pi)
_SMALLEST_DEVIATION: Final = 1e-9
"""Relative to the spread of the means: a smaller deviation is certainty for every purpose."""


def best_probabilities(means: Floats, deviations: Floats) -> Floats:
    """Return P(m is the largest) for means and standard deviations of shape (K,), K >= 1; they sum to 1."""
    scale = float(np.ptp(means)) + float(deviations.max())
    sd = np.maximum(deviations, _SMALLEST_DEVIATION * scale if scale > 0 else 1.0)
    low = float((means - 6.0 * sd).max())
    alive = np.flatnonzero(means + 6.0 * sd > low)
    probabilities = np.zeros(len(means))
    probabilities[alive] = _integrated(means[alive], sd[alive], low)
    return probabilities / probabilities.sum()


def _integrated(means: Floats, sd: Floats, low: float) -> Floats:
    if len(means) == 1:
        return np.ones(1)
    edges = _edges(means, sd, low)
    half = np.diff(edges)[:, None] / 2.0
    x = ((edges[:-1, None] + half) + half * _NODES).ravel()
    weights = (half * _WEIGHTS).ravel()
    z = (x - means[:, None]) / sd[:, None]
    below = np.maximum(ndtr(z), 1e-300)
    density = np.exp(-0.5 * z * z)
    mass: Floats = (density / below) @ (weights * below.prod(axis=0)) * _INVERSE_SQRT_TAU / sd
    return mass


def _edges(means: Floats, sd: Floats, low: float) -> Floats:
    points = means[:, None] + sd[:, None] * _OFFSETS
    above = points > low
    values = points[above]
    gaps = np.broadcast_to(0.4 * sd[:, None], points.shape)[above]
    order = np.argsort(values)
    edges = [low]
    last = low
    for value, gap in zip(values[order].tolist(), gaps[order].tolist(), strict=True):
        if value - last > gap:
            edges.append(value)
            last = value
    edges[-1] = max(edges[-1], float(values.max()))
    return np.array(edges)
