"""Sums whose bits do not depend on what else is on the axes: zeros anywhere on them change nothing.

numpy adds up in pairs along the last axis, and how it pairs depends on the length.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def ordered_sum(values: Floats, axis: int) -> Floats:
    """Return the sum along an axis, one number after the other."""
    # Along any other axis than the innermost, numpy itself adds in order, and faster.
    if axis < values.ndim - 1 and values.shape[-1] > 1:
        fast: Floats = np.add.reduce(values, axis=axis)
        return fast
    total: Floats = np.add.accumulate(values, axis=axis).take(-1, axis=axis)
    return total


def ordered_total(values: Floats) -> float:
    """Return the sum of all of them, rounded once."""
    return math.fsum(values.ravel().tolist())
