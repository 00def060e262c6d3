"""Probability that each of several independent normal quantities is the largest.

    P_m = integral of phi((x - mu_m) / sd_m) / sd_m * product over j != m of Phi((x - mu_j) / sd_j) dx

on one panel grid common to all: breakpoints where any of the quantities changes, merged where they are closer
than its own scale, ten Gauss-Legendre nodes per panel. One product serves all. Unlike Gauss-Hermite
nodes per quantity, this stays exact when deviations differ by orders of magnitude: the tests hold it to 1e-5 against a
fine grid.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]

_REACH: Final = 5.0
_BEND: Final = 1.8
_MERGED: Final = 0.8
"""Breakpoints nearer to the last kept one than this many of their own deviations are left out."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)
_FROM_LEFT: Final = 1.0 + _NODES
_SMALLEST_DEVIATION: Final = 1e-9
"""Relative to the spread of the means: a smaller deviation is certainty for every purpose."""
_INVERSE_ROOT_2_PI: Final = 0.3989422804014327
_RESOLUTION: Final = 1e-12
"""Relative to the means: a smaller deviation drowns in their rounding."""


def best_probabilities(means: Sequence[float], deviations: Sequence[float]) -> list[float]:
    """Return P(m is the largest) for K >= 1 means and standard deviations; they sum to 1."""
    smallest = _smallest_deviation(means, deviations)
    sd = [max(deviation, smallest) for deviation in deviations]
    low = max([mean - _REACH * s for mean, s in zip(means, sd, strict=True)])
    alive = [m for m, mean in enumerate(means) if mean + _REACH * sd[m] > low]
    probabilities = [0.0] * len(sd)
    if len(alive) == 1:
        probabilities[alive[0]] = 1.0
        return probabilities
    masses = _masses([means[m] for m in alive], [sd[m] for m in alive], low).tolist()
    total = sum(masses)
    for m, mass in zip(alive, masses, strict=True):
        probabilities[m] = mass / total
    return probabilities


def within_probabilities(means: Sequence[float], deviations: Sequence[float], margin: float) -> list[float]:
    """Return P(m is at least the largest of the others minus `margin`) for K >= 1 means; margin > 0.

    The same integral with the density of m moved up by the margin, for each m on its own: they sum to 1 or more.
    """
    smallest = max(_smallest_deviation(means, deviations), _SMALLEST_DEVIATION * margin)
    sd = [max(deviation, smallest) for deviation in deviations]
    low = max([mean - _REACH * s for mean, s in zip(means, sd, strict=True)])
    alive = [m for m, mean in enumerate(means) if mean + margin + _REACH * sd[m] > low]
    probabilities = [0.0] * len(sd)
    if len(alive) == 1:
        probabilities[alive[0]] = 1.0
        return probabilities
    mass = _masses([means[m] for m in alive], [sd[m] for m in alive], low, margin)
    for m, probability in zip(alive, mass.tolist(), strict=True):
        probabilities[m] = min(probability * _INVERSE_ROOT_2_PI, 1.0)
    return probabilities


def _smallest_deviation(means: Sequence[float], deviations: Sequence[float]) -> float:
    largest, least = max(means), min(means)
    smallest = max(
        _SMALLEST_DEVIATION * (largest - least + max(deviations)), _RESOLUTION * max(abs(largest), abs(least))
    )
    return smallest if smallest > 0.0 else 1.0


def _masses(means: list[float], sd: list[float], low: float, margin: float = 0.0) -> Floats:
    """Integrate each quantity's density times everyone's distribution function, up to a common factor.

    With a margin each density, but no distribution function, is moved up by it.
    """
    edges = np.array(_edges(means, sd, low, margin))
    half = ((edges[1:] - edges[:-1]) * 0.5)[:, None]
    x = (edges[:-1, None] + half * _FROM_LEFT).ravel()
    scale = 1.0 / np.array(sd)
    z = x - np.array(means)[:, None]
    z *= scale[:, None]
    # Every quantity's z is at least -5 on this grid, so none of these is near zero.
    below = ndtr(z)
    if margin:
        z -= margin * scale[:, None]
    z *= z
    z *= -0.5
    relative_density = np.exp(z, out=z)
    relative_density /= below
    masses: Floats = relative_density @ ((half * _WEIGHTS).ravel() * np.multiply.reduce(below))
    masses *= scale
    return masses


def _edges(means: list[float], sd: list[float], low: float, margin: float) -> list[float]:
    points = [
        point
        for mean, s in zip(means, sd, strict=True)
        for point in ((mean - _REACH * s, s), (mean - _BEND * s, s), (mean + _BEND * s, s), (mean + _REACH * s, s))
    ]
    if margin:
        points += [(point + margin, s) for point, s in points]
    points.sort()
    edges, last = [low], low
    for point, s in points:
        if point - last > _MERGED * s:
            edges.append(point)
            last = point
    edges[-1] = max(last, points[-1][0])
    return edges
