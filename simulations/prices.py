"""List prices from what calls cost: money is price x tokens, so two prices explain every row.

Where prompts are cached, three do.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from bandit.catalogue import Prices

Floats = NDArray[np.float64]

_MTOK: Final = 1e6
_DIGITS: Final = 5
"""Significant digits of a price: beyond what single-precision costs can tell."""


def recovered_prices(
    cost_usd: Floats, input_tokens: Floats, output_tokens: Floats, cached_input_tokens: Floats | None = None
) -> Prices | None:
    """Return the prices whose costs fit best, by least squares of relative errors; none is negative.

    Arrays have one entry per call, NaN where unknown. None where no call has cost and tokens known. There is a price of
    cached prompt tokens where some call has them; a call that does not tell has none.
    """
    cached = np.minimum(np.nan_to_num(0.0 if cached_input_tokens is None else cached_input_tokens), input_tokens)
    tokens = np.stack([input_tokens - cached, output_tokens, cached], axis=1)
    known = np.isfinite(cost_usd) & np.isfinite(tokens).all(axis=1)
    if not known.any():
        return None
    kinds = 3 if (cached[known] > 0).any() else 2
    cost = cost_usd[known, None]
    scale = np.where(cost > 0, cost, max(float(cost.mean()), 1e-12))
    fitted, _ = nnls(tokens[known, :kinds] / _MTOK / scale, (cost / scale)[:, 0])
    return Prices(*(float(f"{price:.{_DIGITS}g}") for price in fitted))
