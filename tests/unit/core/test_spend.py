"""What was billed adds up to the same bits, whenever and in whatever order it is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.catalogue import Prices
from bandit.signals import Outcome, Status
from bandit.spend import HOUR, LARGEST_BILL, MINUTE_US, Spend, SpendKey, Tally, billed, billed_nano_usd, bucket_of

NOW = 28_333_333
"""A minute, 13 minutes into its hour."""
NOW_US = NOW * MINUTE_US
PRICES = Prices(2.0, 8.0, 0.5)

keys = st.builds(
    SpendKey,
    st.sampled_from(["chat", "code"]),
    st.sampled_from(["", "fast"]),
    st.booleans(),
    st.integers(NOW - 600, NOW),
)
rows = st.dictionaries(keys, st.builds(Tally, st.integers(0, 9), st.integers(0, 10**12)), max_size=8)


def content(spend: Spend) -> tuple[object, ...]:
    return spend.hours, spend.now, spend.groups, spend.tallies.tobytes(), spend.ahead


@given(st.lists(rows, max_size=4), st.lists(st.integers(0, 300), min_size=4, max_size=4))
def test_pieces_told_over_time_add_up_to_what_is_told_at_once_in_the_end(pieces, ages):
    stepwise = Spend.empty(12, NOW_US)
    total: dict[SpendKey, Tally] = {}
    for age, piece in zip(sorted(ages, reverse=True), pieces, strict=False):
        stepwise = billed(stepwise, piece, NOW_US + (300 - age) * MINUTE_US)
        for key, tally in piece.items():
            total[key] = total.get(key, Tally(0, 0)) + tally
    end_us = NOW_US + 300 * MINUTE_US
    at_once = billed(Spend.empty(12, NOW_US), total, end_us)
    assert content(billed(stepwise, {}, end_us)) == content(at_once)


def test_minutes_become_hours_once_the_hour_after_them_is_over():
    spend = billed(
        Spend.empty(12, NOW_US), {SpendKey("chat", "", True, NOW - m): Tally(1, 5) for m in range(3)}, NOW_US
    )
    assert spend.tallies[0, 1, 0].tolist()[-4:] == [0, 1, 1, 1]
    later = billed(spend, {}, NOW_US + 2 * HOUR * MINUTE_US)
    (place,) = later.tallies[0, 1, 0].nonzero()[0]
    assert (later.starts[place], later.tallies[1, 1, 0, place]) == (NOW // HOUR * HOUR, 15)
    assert bucket_of(NOW, later.now) == NOW // HOUR * HOUR
    assert bucket_of(NOW, NOW) == NOW


def test_what_is_too_old_is_left_out():
    spend = billed(Spend.empty(12, NOW_US), {SpendKey("chat", "", False, NOW - 13 * HOUR): Tally(1, 9)}, NOW_US)
    assert content(spend) == content(Spend.empty(12, NOW_US))


def test_what_is_ahead_waits_until_its_time_comes_and_counts_then():
    key = SpendKey("chat", "", False, NOW + 7)
    spend = billed(Spend.empty(12, NOW_US), {key: Tally(1, 5)}, NOW_US)
    assert (spend.groups, spend.ahead) == ((), {key: Tally(1, 5)})
    just_before = billed(spend, {}, NOW_US + 7 * MINUTE_US - 1)
    assert (just_before.groups, just_before.ahead) == ((), {key: Tally(1, 5)})
    due = billed(just_before, {}, NOW_US + 7 * MINUTE_US)
    assert (due.starts[-1], due.tallies[:, 0, 0, -1].tolist(), due.ahead) == (NOW + 7, [1, 5], {})


@pytest.mark.parametrize("minute", [NOW, NOW + 7])
def test_what_was_taken_back_leaves_no_trace(minute):
    key = SpendKey("chat", "", False, minute)
    told = billed(Spend.empty(12, NOW_US), {key: Tally(1, 5)}, NOW_US)
    assert content(billed(told, {key: Tally(-1, -5)}, NOW_US)) == content(Spend.empty(12, NOW_US))


@given(rows, st.integers(0, 300))
def test_a_clock_ahead_changes_nothing_about_what_is_told_over_time_or_at_once(told, minutes):
    """Rows of up to ten hours ahead, learned in memory as they came, and read anew after a restart."""
    ahead = {key._replace(minute=key.minute + 600): tally for key, tally in told.items()}
    later_us = NOW_US + minutes * MINUTE_US
    in_memory = billed(billed(Spend.empty(12, NOW_US), ahead, NOW_US), {}, later_us)
    assert content(in_memory) == content(billed(Spend.empty(12, later_us), ahead, later_us))
    end_us = NOW_US + 600 * MINUTE_US
    assert content(billed(in_memory, {}, end_us)) == content(billed(Spend.empty(12, end_us), ahead, end_us))


@pytest.mark.parametrize(
    ("outcome", "nano_usd"),
    [
        (Outcome(Status.OK, cost_nano_usd=77, input_tokens=1, output_tokens=1), 77),
        (Outcome(Status.OK, cost_nano_usd=0), 0),
        (Outcome(Status.OK, input_tokens=1000, output_tokens=100), 2_800_000),
        (Outcome(Status.OK, input_tokens=1000, cached_input_tokens=400, output_tokens=100), 2_200_000),
        (Outcome(Status.OK, input_tokens=1000, cached_input_tokens=9000, output_tokens=0), 500_000),
        (Outcome(Status.OK, input_tokens=1000), None),
        (Outcome(Status.OK, output_tokens=1000), None),
        (Outcome(Status.ERROR), None),
        (Outcome(Status.OK, cost_nano_usd=10**15), LARGEST_BILL),
    ],
)
def test_a_call_costs_its_bill_or_else_price_times_tokens_and_unknown_is_not_zero(outcome, nano_usd):
    assert billed_nano_usd(outcome, PRICES) == nano_usd


def test_without_a_price_only_a_bill_tells():
    assert billed_nano_usd(Outcome(Status.OK, input_tokens=1, output_tokens=1), None) is None
    assert billed_nano_usd(Outcome(Status.OK, cost_nano_usd=3), None) == 3
