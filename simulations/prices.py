"""List prices from what calls cost: money is price x tokens, so two prices explain every row."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from bandit.catalogue import Prices

Floats = NDArray[np.float64]

_MTOK: Final = 1e6
_DIGITS: Final = 5
"""Significant digits of a price: beyond what single-precision costs can tell."""


def recovered_prices(cost_usd: Floats, input_tokens: Floats, output_tokens: Floats) -> Prices | None:
    """Return the prices whose costs fit best, by least squares of relative errors; none is negative.

    Arrays have one entry per call, NaN where unknown. None where no call has all three known.
    """
    tokens = np.stack([input_tokens, output_tokens], axis=1)
    known = np.isfinite(cost_usd) & np.isfinite(tokens).all(axis=1)
    if not known.any():
        return None
    cost = cost_usd[known, None]
    scale = np.where(cost > 0, cost, max(float(cost.mean()), 1e-12))
    fitted, _ = nnls(tokens[known] / _MTOK / scale, (cost / scale)[:, 0])
    return Prices(*(float(f"{price:.{_DIGITS}g}") for price in fitted))
