"""What each model is expected to bring a request, in US dollars.

    U = V quality (1 - error) - (1 + price) cost - second_value latency
    cost = p_in (input - cached) E[ratio] + p_cached cached E[ratio] + p_out min(E[output], longest answer)

where price is that of the budgets that pay for the request (`bandit.pacing`), 0 without one.
The variance of U is first order (delta method) in the parameters, whose posteriors are independent.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.request import Request
from bandit.snapshot import Snapshot

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Forecasts:
    """What is expected of each model of the snapshot for one request; arrays of shape (M,).

    `budget_usd` is what `budget_price` adds to each dollar of cost: it counts in the utility, and nobody pays it.
    """

    quality: Floats
    error: Floats
    cost_usd: Floats
    budget_usd: Floats
    latency_s: Floats
    latency_p95_s: Floats
    utility_usd: Floats
    utility_variance: Floats
    budget_price: float = 0.0


def forecast(snapshot: Snapshot, request: Request) -> Forecasts:
    """Return what every model of the snapshot is expected to bring, eligible or not."""
    expected, row = snapshot.expectations, snapshot.row(request.category)
    input_usd, output_usd = _input_usd(snapshot, request, row), _output_usd(snapshot, request, row)
    cost, latency_s = input_usd + output_usd, expected.latency_s[row]
    value, second = request.objective
    price = snapshot.budget_price(request.category, request.profile) if snapshot.budgets else 0.0
    times = 1.0 + price
    variance = (value * value) * expected.answer_variance[row]
    for usd, relative_variance in (
        (times * input_usd, expected.input_variance[row]),
        (times * output_usd, expected.output_variance[row]),
        (second * latency_s, expected.latency_variance[row]),
    ):
        variance += usd * usd * relative_variance
    return Forecasts(
        quality=expected.quality[row],
        error=expected.error[row],
        cost_usd=cost,
        budget_usd=price * cost,
        latency_s=latency_s,
        latency_p95_s=expected.latency_p95_s[row],
        utility_usd=value * expected.answer[row] - times * cost - second * latency_s,
        utility_variance=variance,
        budget_price=price,
    )


def _input_usd(snapshot: Snapshot, request: Request, row: int) -> Floats:
    usd: Floats = snapshot.expectations.input_usd[row] * request.input_tokens
    for index, model in enumerate(snapshot.models if request.cached_model else ()):
        if model.id == request.cached_model:
            cached = min(request.cached_input_tokens, request.input_tokens)
            price, cached_price, _ = snapshot.prices[:, index]
            own_usd = price * (request.input_tokens - cached) + cached_price * cached
            usd[index] = own_usd * snapshot.expectations.input_ratio[row, index]
    return usd


def _output_usd(snapshot: Snapshot, request: Request, row: int) -> Floats:
    if request.max_output_tokens is None:
        usd: Floats = snapshot.expectations.output_usd[row]
    else:
        tokens = np.minimum(snapshot.expectations.output_tokens[row], float(request.max_output_tokens))
        usd = snapshot.prices[2] * tokens
    return usd
