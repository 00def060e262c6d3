"""When the requests of a run come."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Arrivals:
    """Times of T requests in microseconds from the start of a run, ascending; shape (T,).

    `size_ranks` of shape (T,), where it is given, tells in [0, 1) how long the prompt of each is among all of them.
    """

    time_us: Ints
    size_ranks: Floats | None = None


def evenly(steps: int, requests_per_second: float) -> Arrivals:
    """Return arrivals at one pace, from time 0 on."""
    return Arrivals(np.rint(np.arange(steps) * 1e6 / requests_per_second).astype(np.int64))
