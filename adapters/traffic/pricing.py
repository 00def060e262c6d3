"""What calls cost at list prices."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from adapters.traffic.calls import Calls
from adapters.traffic.failures import failed
from bandit.catalogue import Prices


def priced(calls: Calls, prices: Mapping[str, Prices]) -> Calls:
    """Return calls with their cost at these prices, by model, in dollars.

    It is input tokens times their price, those from the provider's cache at theirs, plus output tokens times theirs.
    A call whose model has no price, or whose input or output tokens are unknown, keeps the cost that was logged. Where
    cached tokens are unknown there were none.
    """
    if not prices.keys() & set(calls.models):
        return calls
    table = np.full((len(calls.models), 3), np.nan)
    for number, model in enumerate(calls.models):
        if (price := prices.get(model)) is not None:
            table[number] = (
                price.input_usd_per_mtok,
                price.cached_or_input_usd_per_mtok,
                price.output_usd_per_mtok,
            )
    fresh_usd, cached_usd, output_usd = table[calls.model].T * 1e-6
    cached = np.minimum(np.nan_to_num(calls.cached_input_tokens), calls.input_tokens)
    cost_usd = (calls.input_tokens - cached) * fresh_usd + cached * cached_usd + calls.output_tokens * output_usd
    cost_usd = np.where(np.isnan(cost_usd), calls.cost_usd, cost_usd)
    # Providers do not bill calls that fail, unless the log says so.
    unbilled = failed(calls.status) & ~(calls.cost_usd > 0.0) & ~np.isnan(table[calls.model, 0])
    return replace(calls, cost_usd=np.where(unbilled, 0.0, cost_usd))
