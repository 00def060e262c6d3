"""Rolling restarts under load: no call fails, and what was acknowledged is kept and counted once."""

import pytest

from benchmarks.rolling import SCENARIOS, run


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_rolling_restarts_fail_no_call_and_lose_or_double_no_signal(scenario, database_url, tmp_path):
    verdict = await run(scenario, database_url, tmp_path, calls=4000, restarts=3)
    assert verdict.failures == ()
    assert verdict.account[1:] == (0, 0, 0)
    assert verdict.account.acknowledged > 1000
    assert len(verdict.restarts_s) == 3
