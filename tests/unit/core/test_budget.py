"""What a request may cost now, from what was billed."""

import pytest

from bandit.budget import CREDIT, DEBT, LARGEST_CALL, LEAST, SETTLING_REQUESTS, Budget, account
from bandit.errors import OutOfRangeError
from bandit.spend import HOUR, MINUTE_US, Spend, SpendKey, Tally, billed

DAY_US = 86_400_000_000
NOON_US = 19_675 * DAY_US + DAY_US // 2
NOON = NOON_US // MINUTE_US
CENT = Budget("cent", usd_per_request=0.01)
DAILY = Budget("daily", usd_per_period=10.0, on_exhausted="refuse")


def spend(*bills: tuple[int, int, float], priced: bool = True, category: str = "chat", profile: str = "") -> Spend:
    """What was billed: minutes before noon, number of calls, dollars."""
    rows = {SpendKey(category, profile, priced, NOON - age): Tally(n, round(usd * 1e9)) for age, n, usd in bills}
    return billed(Spend.empty(168, NOON_US), rows, NOON_US)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({}, "give usd_per_request or usd_per_period"),
        ({"usd_per_request": 1.0, "usd_per_period": 1.0}, "and not both"),
        ({"usd_per_request": 0.0}, "give one above 0"),
        ({"usd_per_request": -1.0}, "give one above 0"),
        ({"usd_per_period": float("nan")}, "give one above 0"),
        ({"usd_per_period": float("inf")}, "give one above 0"),
        ({"usd_per_period": 1.0, "period_s": 5400}, "whole hours"),
        ({"usd_per_period": 1.0, "period_s": 0}, "whole hours"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused_with_its_name_and_the_reason(wrong, reason):
    with pytest.raises(OutOfRangeError, match=f"budget odd: .*{reason}"):
        Budget("odd", **wrong)


def test_a_budget_pays_for_its_category_and_its_profile_only():
    both = Budget("b", category="chat", profile="fast", usd_per_request=1.0)
    assert [both.covers(*group) for group in [("chat", "fast"), ("chat", ""), ("code", "fast")]] == [True, False, False]
    assert CENT.covers("anything", "whatever")
    told = spend((1, 10, 1.0), category="code")
    assert account(Budget("b", category="chat", usd_per_request=1.0), told, NOON_US).requests == 0


def test_without_a_bill_a_request_may_cost_the_allowance():
    standing = account(CENT, spend(), NOON_US)
    assert (standing.usd, standing.requests, standing.target_usd, standing.owed_requests) == (0.0, 0, 0.01, 0.0)
    assert standing.largest_usd == pytest.approx(LARGEST_CALL * SETTLING_REQUESTS * 0.01)


def test_what_was_spent_above_the_allowance_is_owed_and_lowers_the_target():
    standing = account(CENT, spend((10, 100, 1.5)), NOON_US)
    assert standing.owed_requests == pytest.approx(50.0)
    assert standing.target_usd == pytest.approx(0.01 * (1 - 50 / SETTLING_REQUESTS))


def test_a_debt_is_repaid_by_spending_less_and_then_forgotten():
    standing = account(CENT, spend((10, 100, 1.5), (9, 100, 0.5)), NOON_US)
    assert standing.owed_requests == pytest.approx(0.0)
    assert standing.target_usd == pytest.approx(0.01)


def test_what_was_saved_while_there_was_a_price_may_be_spent():
    assert account(CENT, spend((10, 100, 0.5)), NOON_US).owed_requests == pytest.approx(-50.0)


def test_what_was_left_while_there_was_no_price_is_no_credit_but_repays_debts():
    assert account(CENT, spend((10, 100, 0.5), priced=False), NOON_US).owed_requests == 0.0
    rows = {SpendKey("chat", "", True, NOON - 9): Tally(100, 1_500_000_000)}
    in_debt = billed(spend((5, 30, 0.0), priced=False), rows, NOON_US)
    assert account(CENT, in_debt, NOON_US).owed_requests == pytest.approx(20.0)


def test_debts_and_credits_have_limits_so_that_one_absurd_bill_does_not_stop_everything_for_long():
    ruined = account(CENT, spend((10, 1, 1e6)), NOON_US)
    assert ruined.owed_requests == DEBT * SETTLING_REQUESTS
    assert ruined.target_usd == pytest.approx(LEAST * 0.01)
    assert account(CENT, spend((10, 10**6, 0.0)), NOON_US).owed_requests == -CREDIT * SETTLING_REQUESTS


def test_at_a_high_rate_debts_are_settled_over_more_requests():
    standing = account(CENT, spend((1, 60_000, 660.0)), NOON_US)
    assert standing.target_usd == pytest.approx(0.01 * (1 - 6_000 / 60_000))


def test_a_period_spreads_what_is_left_over_the_requests_that_are_expected():
    # 100 requests in the half day that is over; 100 more should come in the other half.
    standing = account(DAILY, spend((12 * HOUR, 100, 4.0)), NOON_US)
    assert (standing.usd, standing.requests, standing.exhausted) == (4.0, 100, False)
    assert standing.ends_us == NOON_US + DAY_US // 2
    assert standing.owed_requests == 0.0
    assert standing.target_usd == pytest.approx(0.06)


def test_a_period_that_is_ahead_of_its_time_has_debts():
    standing = account(DAILY, spend((12 * HOUR, 100, 6.0)), NOON_US)
    owed = 6.0 / 0.04 - 100
    assert standing.owed_requests == pytest.approx(owed)
    assert standing.target_usd == pytest.approx(0.04 * (1 - owed / SETTLING_REQUESTS))


def test_what_the_last_period_spent_counts_for_the_pace_and_not_for_the_money():
    standing = account(DAILY, spend((13 * HOUR, 300, 9.0)), NOON_US)
    assert (standing.usd, standing.requests) == (0.0, 0)
    assert standing.target_usd == pytest.approx(10.0 / (300 / 13 * 12))


def test_a_period_is_exhausted_when_its_money_is_spent_and_the_next_one_begins_anew():
    told = spend((10, 100, 10.0))
    assert account(DAILY, told, NOON_US).exhausted
    midnight_us = NOON_US + DAY_US // 2
    assert not account(DAILY, billed(told, {}, midnight_us), midnight_us).exhausted
    assert account(DAILY, billed(told, {}, midnight_us), midnight_us).ends_us == midnight_us + DAY_US


def test_a_burst_of_a_minute_is_no_pace_for_the_rest_of_a_week():
    weekly = Budget("weekly", usd_per_period=400.0, period_s=7 * 86_400)
    standing = account(weekly, spend((1, 1500, 2.15)), NOON_US)
    assert standing.owed_requests == 0.0
    assert standing.target_usd > 2.15 / 1500
