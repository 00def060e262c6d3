"""Time buckets: fine near now, coarser with age, with nested and aligned boundaries.

Fine bucket i covers [i w, (i + 1) w) for a width of w microseconds. Seen from the fine bucket `now`, level
l has width 2^l and covers [cut_l, cut_(l-1)) with cut_l = floor((now - 4 * 2^l) / 2^(l+1)) * 2^(l+1); so
boundaries depend on `now` alone, and those of a later `now` are a subset of those of an earlier one.
Adding therefore commutes with coarsening, and a late event lands in the bucket that covers its time.
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

BUCKETS_PER_LEVEL: Final = 4
"""Fine buckets kept at full resolution; each level keeps between half as many and as many."""


@lru_cache(maxsize=64)
def boundaries(oldest: int, now: int) -> NDArray[np.int64]:
    """Return the first fine bucket of each bucket that covers `oldest` to `now`, ascending; shape (B,)."""
    starts: list[int] = []
    upper, width = now + 1, 1
    while upper > oldest:
        cut = max(0, (now - BUCKETS_PER_LEVEL * width) // (2 * width) * 2 * width)
        starts.extend(range(upper - width, cut - 1, -width))
        upper, width = min(upper, cut), width * 2
    ascending = np.array(starts[::-1], dtype=np.int64)
    covering = ascending[max(0, int(np.searchsorted(ascending, oldest, side="right")) - 1) :]
    covering.setflags(write=False)
    return covering


def midpoints(starts: NDArray[np.int64], now: int) -> NDArray[np.float64]:
    """Return the middle of each bucket in fine buckets; shape (B,)."""
    ends = np.append(starts[1:], now + 1)
    middles: NDArray[np.float64] = (starts + ends) / 2.0
    return middles
