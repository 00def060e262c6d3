"""A provider goes down under load: the real service, real sockets, another model that is well."""

import pytest

from benchmarks._gateway.outage import FIRST_CALLS, Plan, outage

CALLS_BEFORE_IT_OPENS = 5 + 8
"""Failures in a row that open a breaker, and calls under way meanwhile."""


@pytest.mark.parametrize("mode", ["refuse", "fault"])
def test_no_caller_notices_that_the_preferred_model_is_down_and_it_is_soon_left_alone(mode: str) -> None:
    told, failed = outage(mode, Plan(down_s=1.5, calm_s=0.5, back_s=0.0, pause_s=0.005))
    assert told.failed == 0, failed[:3]
    assert told.share_before > 0.5, "otherwise nothing is shown"
    later = told.share_later * (told.calls - FIRST_CALLS)
    assert told.attempts_first + later > 0, "otherwise nobody went there"
    assert told.attempts_first <= FIRST_CALLS
    assert later <= CALLS_BEFORE_IT_OPENS
