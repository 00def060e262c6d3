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
_REACH: Final = 6.0
_MERGED: Final = 0.4
"""Breakpoints nearer to the last kept one than this many of their own deviations are left out."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(6)
_SMALLEST_DEVIATION: Final = 1e-9
"""Relative to the spread of the means: a smaller deviation is certainty for every purpose."""
_RESOLUTION: Final = 1e-12
"""Relative to the means: a smaller deviation drowns in their rounding."""


def best_probabilities(means: Floats, deviations: Floats) -> Floats:
    """Return P(m is the largest) for means and standard deviations of shape (K,), K >= 1; they sum to 1."""
    scale = float(means.max() - means.min()) + float(deviations.max())
    smallest = max(_SMALLEST_DEVIATION * scale, _RESOLUTION * float(np.abs(means).max()))
    sd = np.maximum(deviations, smallest if smallest > 0 else 1.0)
    reach = _REACH * sd
    low = float((means - reach).max())
    alive = (means + reach > low).nonzero()[0]
    mass = _masses(means[alive], sd[alive], low)
    probabilities = np.zeros(len(means))
    probabilities[alive] = mass / mass.sum()
    return probabilities


def _masses(means: Floats, sd: Floats, low: float) -> Floats:
    """Integrate each quantity's density times everyone's distribution function, up to a common factor."""
    if len(means) == 1:
        return np.ones(1)
    edges = _edges(means, sd, low)
    half = ((edges[1:] - edges[:-1]) * 0.5)[:, None]
    x = (edges[:-1, None] + half + half * _NODES).ravel()
    z = x - means[:, None]
    z /= sd[:, None]
    below = ndtr(z)
    np.maximum(below, 1e-300, out=below)
    z *= z
    z *= -0.5
    relative_density = np.exp(z, out=z)
    relative_density /= below
    masses: Floats = relative_density @ ((half * _WEIGHTS).ravel() * below.prod(axis=0))
    masses /= sd
    return masses


def _edges(means: Floats, sd: Floats, low: float) -> Floats:
    points = (means[:, None] + sd[:, None] * _OFFSETS).ravel()
    order = points.argsort()
    order = order[points[order].searchsorted(low, side="right") :]
    values = points[order].tolist()
    gaps = (_MERGED * sd)[order // len(_OFFSETS)].tolist()
    edges = [low]
    for value, gap in zip(values, gaps, strict=True):
        if value - edges[-1] > gap:
            edges.append(value)
    edges[-1] = max(edges[-1], values[-1])
    return np.array(edges)
