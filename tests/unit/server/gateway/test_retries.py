"""How much is repeated."""

import random

from server.gateway.retries import FIRST_WAIT_S, LONGEST_WAIT_S, RESERVE, SHARE, RetryBudget, wait_s


def test_in_the_long_run_a_fifth_of_the_calls_is_repeated_at_most():
    budget, granted, calls = RetryBudget(), 0, 10_000
    for _ in range(calls):
        budget.earn()
        granted += budget.spend()
        granted += budget.spend()
    assert granted <= SHARE * calls + RESERVE
    assert granted >= SHARE * calls * 0.99


def test_nothing_is_saved_up_beyond_the_reserve():
    budget = RetryBudget()
    for _ in range(1000):
        budget.earn()
    assert sum(budget.spend() for _ in range(1000)) == RESERVE


def test_waits_double_up_to_the_longest_and_are_spread_from_zero():
    assert [wait_s(retry, lambda: 1.0) for retry in range(3)] == [FIRST_WAIT_S, 2 * FIRST_WAIT_S, 4 * FIRST_WAIT_S]
    assert wait_s(20, lambda: 1.0) == LONGEST_WAIT_S
    draws = [wait_s(1, random.Random(5).random) for _ in range(1)] + [wait_s(1, lambda: 0.0)]  # noqa: S311
    assert 0.0 == draws[1] < draws[0] < 2 * FIRST_WAIT_S
