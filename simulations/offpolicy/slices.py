"""Stretches of time, or of rows where no time is known, that a log is cut into: as many as help, aligned everywhere.

Widths come from a ladder on which each divides the next, so sums of a finer grid add up to those of a coarser one, and
logs collapsed on different machines share a grid.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

MOST: Final = 150
"""Slices of a log at most."""

_SECOND: Final = 1_000_000
_HOUR: Final = 3600 * _SECOND
MICROSECONDS: Final = (
    *(1_000, 5_000, 10_000, 50_000, 100_000, 500_000),
    *(_SECOND * seconds for seconds in (1, 5, 10, 30, 60, 300, 600, 1800)),
    *(_HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR),
    *(24 * _HOUR * 2**doubling for doubling in range(16)),
)
"""Widths in time: parts of a second, of a minute, of an hour, of a day, and days."""

ROWS: Final = tuple(16 * 2**doubling for doubling in range(40))
"""Widths in rows."""


def ladder_of(*, timed: bool) -> tuple[int, ...]:
    """Return the widths in the unit of the log."""
    return MICROSECONDS if timed else ROWS


def next_width(width: int, *, timed: bool) -> int:
    """Return the next larger width, of which this one is a part."""
    ladder = ladder_of(timed=timed)
    return ladder[ladder.index(width) + 1]


def fitting_width(places: NDArray[np.int64], least: int, *, timed: bool) -> int:
    """Return the smallest width, at least `least`, by which these times or rows fall into few enough slices."""
    width, span = least, int(np.ptp(places))
    # Most widths are ruled out by a few places already.
    for some in (places[:: len(places) // 1000 + 1], places):
        while span // width >= MOST and len(np.unique(some // width)) > MOST:
            width = next_width(width, timed=timed)
    return width
