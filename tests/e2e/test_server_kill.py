"""kill -9 under load: what was acknowledged is kept, and counted once."""

import pytest

from benchmarks.kill9 import run


@pytest.mark.parametrize("cycles", [3, pytest.param(25, marks=pytest.mark.slow)])
async def test_nothing_acknowledged_is_lost_or_counted_twice(cycles, tmp_path):
    verdict = await run(tmp_path, cycles, seconds=0.5)
    assert verdict.account[1:] == (0, 0, 0)
    assert verdict.account.acknowledged > 40 * cycles
    assert len(verdict.restart_to_ready_s) == cycles
