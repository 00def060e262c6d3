"""kill -9 under load: what was acknowledged is kept, and counted once."""

import pytest

from benchmarks._postgres import PostgresServer
from benchmarks.kill9 import Plan, Verdict, run


def assert_kept(verdict: Verdict, plan: Plan) -> None:
    assert verdict.account[1:] == (0, 0, 0)
    assert verdict.account.acknowledged > 20 * plan.cycles
    assert len(verdict.restart_to_ready_s) == plan.cycles


@pytest.mark.parametrize("cycles", [3, pytest.param(100, marks=pytest.mark.slow)])
async def test_nothing_acknowledged_is_lost_or_counted_twice(cycles, tmp_path):
    plan = Plan(cycles)
    assert_kept(await run(tmp_path, plan), plan)


@pytest.mark.parametrize(
    "plan",
    [
        Plan(2, seconds=0.3, replicas=2, database_every=2, spools=True),
        *(
            pytest.param(plan, marks=pytest.mark.slow)
            for plan in (
                Plan(30, seconds=0.3),
                Plan(30, seconds=0.3, replicas=2),
                Plan(20, replicas=2, database_every=4),
                Plan(20, replicas=2, database_every=4, spools=True),
            )
        ),
    ],
)
async def test_nothing_is_where_replicas_and_their_database_are_killed_in_turn(plan, tmp_path):
    database = PostgresServer.start()
    try:
        verdict = await run(tmp_path, plan, database)
    finally:
        database.stop()
    assert_kept(verdict, plan)
    assert (verdict.spooled > 0) == plan.spools
