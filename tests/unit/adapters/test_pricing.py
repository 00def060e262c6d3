"""Costs at list prices."""

import math

import pytest

from adapters.traffic.calls import Call, Names, batches, columns_of
from adapters.traffic.pricing import priced
from bandit.catalogue import Prices
from bandit.signals import Status

PRICES = {"m": Prices(2.0, 10.0, 0.5), "plain": Prices(2.0, 10.0)}


@pytest.mark.parametrize(
    ("call", "cost_usd"),
    [
        (Call("c", "m", input_tokens=1000, output_tokens=100), 0.003),
        (Call("c", "m", input_tokens=1000, output_tokens=100, cost_usd=7.0), 0.003),
        (Call("c", "m", input_tokens=1000, cached_input_tokens=800, output_tokens=100), 0.0018),
        (Call("c", "m", input_tokens=1000, cached_input_tokens=2000, output_tokens=0), 0.0005),
        (Call("c", "plain", input_tokens=1000, cached_input_tokens=800, output_tokens=100), 0.003),
        (Call("c", "m", input_tokens=1000, cost_usd=7.0), 7.0),
        (Call("c", "m", output_tokens=10, cost_usd=7.0), 7.0),
        (Call("c", "m", requested_tokens=1000, output_tokens=10), math.nan),
        (Call("c", "other", input_tokens=1000, output_tokens=100, cost_usd=7.0), 7.0),
    ],
)
def test_a_call_costs_its_tokens_where_they_and_their_price_are_known_else_what_was_logged(
    call: Call, cost_usd: float
) -> None:
    [calls] = batches([Call("c", "m", input_tokens=1, output_tokens=1), call])
    assert priced(calls, PRICES).cost_usd[1] == pytest.approx(cost_usd, nan_ok=True)


def test_without_prices_calls_stay_as_they_are() -> None:
    [calls] = batches([Call("c", "m", input_tokens=1, output_tokens=1, cost_usd=3.0)])
    assert priced(calls, {}) is calls


def test_a_failed_call_costs_nothing_unless_the_log_says_so() -> None:
    failed = Call("c", "m", status=Status.ERROR, input_tokens=1000, output_tokens=100)
    calls = columns_of(
        [failed, failed._replace(cost_usd=0.0), failed._replace(cost_usd=0.5), failed._replace(status=Status.OK)],
        Names(),
        Names(),
    )
    assert priced(calls, {"m": Prices(1.0, 10.0)}).cost_usd.tolist() == pytest.approx([0.0, 0.0, 0.002, 0.002])
