"""How patiently a worker that keeps ending is restarted."""

import pytest

from server.workers.slot import LONGEST_WAIT_S, wait_s


def test_the_first_restart_is_at_once_and_each_further_one_waits_twice_as_long():
    assert [wait_s(failures, 1.0) for failures in range(5)] == [0.0, 0.5, 1.0, 2.0, 4.0]


def test_no_wait_is_longer_than_half_a_minute():
    assert wait_s(10_000, 1.0) == LONGEST_WAIT_S


@pytest.mark.parametrize("failures", [1, 5, 50])
def test_chance_takes_up_to_half_of_a_wait_away(failures):
    assert wait_s(failures, 0.0) == wait_s(failures, 1.0) / 2
