"""Observations that no model makes twice: one absurd latency or token count teaches nothing.

Sums of y and y^2 cannot be taken apart again, and whether a value is absurd depends on the cell: an hour is, where
answers take a second, and is not, where they take half of one. So what lies outside an ordinary range is counted under
a source of its own, exactly and additively as everything else, and `infer` decides: values of a range whose
mean is further than `REACH` from that of the cell's main range are left out while there is one of them, and
count, all of them, from the second one on.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from math import log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bandit.signals import SCALE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ORDINARY: Final = ""
_RANGES: Final = ("far below", "below", ORDINARY, "above", "far above")
_EDGES: Final[Mapping[str, tuple[float, float, float, float]]] = {
    "latency": (log(0.005), log(0.05), log(20.0), log(300.0)),
    "first_token": (log(0.005), log(0.02), log(10.0), log(120.0)),
    "output_tokens": (0.0, log(4.0), log(4096.0), log(65536.0)),
    "input_ratio": (log(1 / 64), log(0.25), log(4.0), log(64.0)),
}
"""Where the ranges meet; a value on an edge belongs to the upper one."""

REACH: Final[Mapping[str, float]] = {
    "latency": log(20.0),
    "first_token": log(20.0),
    "output_tokens": log(20.0),
    "input_ratio": log(4.0),
}
"""How far from the cell's main range a value is still believed at once."""


def range_of(signal: str, y: float) -> str:
    """Return the source that an observation is counted under: empty for an ordinary one."""
    edges = _EDGES.get(signal)
    return ORDINARY if edges is None else _RANGES[bisect_right(edges, y)]


def believed(signal: str, ordinary: Ints, tails: Sequence[Ints], prior_mean: Floats) -> Ints:
    """Add up the ranges of a signal that are believed, by cell; sums of shape (3, C, M, B).

    `prior_mean` of shape (C, M) stands in for the mean of a cell's main range while that is empty.
    """
    touched = np.any([(tail[0] != 0).any(axis=-1) for tail in tails], axis=0)
    c, m = np.nonzero(touched)
    ranges = np.stack([one[:, c, m] for one in (ordinary, *tails)])
    n, y = ranges[:, 0].sum(axis=-1), ranges[:, 1].sum(axis=-1)
    mean = y / (np.maximum(n, 1) * float(SCALE))
    expected = n.copy()
    expected[0] = np.maximum(n[0], 1)
    main = expected.argmax(axis=0)[None]
    centre = np.where(np.take_along_axis(n, main, 0) > 0, np.take_along_axis(mean, main, 0), prior_mean[touched])
    is_believed = (np.abs(mean - centre) <= REACH[signal]) | (n > 1)
    total = ordinary.copy()
    total[:, c, m] = (ranges * is_believed[:, None, :, None]).sum(axis=0)
    return total
