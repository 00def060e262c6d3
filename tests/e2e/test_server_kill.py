"""kill -9 under load: what was acknowledged is kept, and counted once."""

import pytest

from benchmarks._postgres import PostgresServer
from benchmarks._processes import executed
from benchmarks.kill9 import Plan, Verdict, run
from tests import forked


def assert_kept(verdict: Verdict, plan: Plan) -> None:
    assert verdict.account[1:] == (0, 0, 0)
    assert verdict.account.acknowledged > 20 * plan.cycles
    assert len(verdict.restart_to_ready_s) == plan.cycles


@pytest.mark.parametrize(
    ("plan", "begin"),
    [(Plan(10, seconds=0.4), forked.service), pytest.param(Plan(100), executed, marks=pytest.mark.slow)],
)
async def test_nothing_acknowledged_is_lost_or_counted_twice(plan, begin, tmp_path):
    assert_kept(await run(tmp_path, plan, begin=begin), plan)


@pytest.mark.parametrize(
    ("plan", "begin"),
    [
        (Plan(10, seconds=0.2, replicas=2, database_every=5, spools=True), forked.service),
        *(
            pytest.param(plan, executed, marks=pytest.mark.slow)
            for plan in (
                Plan(30, seconds=0.3),
                Plan(30, seconds=0.3, replicas=2),
                Plan(20, replicas=2, database_every=4),
                Plan(20, replicas=2, database_every=4, spools=True),
            )
        ),
    ],
)
async def test_nothing_is_where_replicas_and_their_database_are_killed_in_turn(plan, begin, tmp_path):
    database = PostgresServer.start()
    try:
        verdict = await run(tmp_path, plan, database, begin)
    finally:
        database.stop()
    assert_kept(verdict, plan)
    assert (verdict.spooled > 0) == plan.spools
