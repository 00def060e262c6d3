"""Which calls failed, and what answers were worth: one rule for all that is computed from a log.

A failed call answered nothing, whether or not somebody judged it. A cancelled one tells neither answer nor error.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from adapters.traffic.calls import UNKNOWN
from bandit.signals import Status

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FAILED: Final = (Status.ERROR, Status.TIMEOUT, Status.RATE_LIMITED)


def failed(status: Ints) -> Bools:
    """Return which calls failed; numbers of `Status`, -1 where unknown, shape (n,)."""
    return np.isin(status, FAILED)


def errors(status: Ints) -> Floats:
    """Return 1 for a call that failed, 0 for one that did not, NaN where nothing tells; shape (n,)."""
    tells_nothing = (status == UNKNOWN) | (status == Status.CANCELLED)
    return np.where(tells_nothing, np.nan, failed(status))


def answers(status: Ints, quality: Floats) -> Floats:
    """Return what each call's answer was worth in [0, 1], NaN where nothing tells; shapes (n,)."""
    judged = np.where(status == Status.CANCELLED, np.nan, quality)
    return np.where(failed(status), 0.0, judged)
