"""Floors and caps on choice probabilities."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NOTHING: Final = 1e-12
"""Probabilities that add up to less give no proportion to share by; the caps do then."""


def with_floor(probabilities: Floats, floor: float) -> Floats:
    """Return eps + (1 - K eps) p, with eps the floor or 1 / K, whichever is smaller; shape (K,)."""
    count = len(probabilities)
    eps = min(floor, 1.0 / count)
    return eps + (1.0 - count * eps) * probabilities


def with_caps(probabilities: Floats, caps: Floats) -> Floats:
    """Return the probabilities, none above its cap, by water-filling; shapes (K,).

    What exceeds a cap goes to the uncapped in proportion. Where every cap is reached, the caps are scaled to 1.
    """
    if caps.sum() <= 1.0 + _NOTHING:
        return caps / caps.sum() if caps.any() else np.full(len(caps), 1.0 / len(caps))
    shares, capped = probabilities, np.zeros(len(caps), dtype=bool)
    while (shares > caps).any():
        capped |= shares >= caps
        rest = 1.0 - float(caps[capped].sum())
        weights = np.where(capped, 0.0, probabilities)
        if weights.sum() < _NOTHING:
            weights = np.where(capped, 0.0, caps)
        shares = np.where(capped, caps, rest * weights / weights.sum())
    return shares
