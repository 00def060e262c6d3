"""The disk does not fill: what is old goes, and the decision log gives way to feedback."""

from dataclasses import replace
from functools import partial

import pytest

from adapters.ledger import StoreUnavailableError
from adapters.traffic.errors import ExportBusyError, ExportError
from server.archiving import Archiving
from server.decision_log import DecisionLog
from server.settings import StoreSettings
from server.upkeep import ROOM_BYTES, TOKEN_MARGIN_S, Upkeep

DAY_S = 86_400


@pytest.fixture
async def decisions(parts):
    return DecisionLog(parts.store, parts.publisher.namespaces, parts.metrics, parts.log.logger)


@pytest.fixture
def recoveries():
    return []


@pytest.fixture
async def upkeep_of(parts, decisions, recoveries):
    def build(archive=None, **store):
        settings = replace(parts.settings, store=StoreSettings(**store))
        on_recovery = partial(recoveries.append, True)
        archiving = Archiving(archive, parts.metrics.export_failures, parts.log.logger)
        return Upkeep(parts.store, decisions, settings, parts.log.logger, parts.clock, on_recovery, archiving)

    return build


def decided_now(parts):
    async def newest_us():
        return parts.clock()

    return newest_us


async def test_the_decision_log_pauses_while_the_disk_is_nearly_full(decisions, upkeep_of, parts, log, monkeypatch):
    upkeep = upkeep_of(min_free_bytes=1000)
    for free, paused in ((1000, False), (999, True), (5, True), (1001, False), (None, False)):

        async def free_bytes(free=free):
            return free

        monkeypatch.setattr(parts.store, "free_bytes", free_bytes)
        await upkeep.check()
        assert decisions.paused is paused
    assert [event["event"] for event in log.events] == ["disk_short", "disk_recovered"]


@pytest.mark.parametrize(("retention_s", "kept_s"), [(30 * DAY_S, 30 * DAY_S), (DAY_S, 7 * DAY_S + TOKEN_MARGIN_S)])
async def test_signals_are_kept_at_least_as_long_as_feedback_to_their_decision_is_accepted(
    upkeep_of, parts, monkeypatch, retention_s, kept_s
):
    before = []

    async def retain(before_us):
        before.append(before_us)
        return 0

    monkeypatch.setattr(parts.store, "newest_us", decided_now(parts))
    monkeypatch.setattr(parts.store, "retain", retain)
    await upkeep_of(retention_s=retention_s).sweep()
    assert before == [parts.clock() - kept_s * 1_000_000]


async def test_sweeps_that_fail_are_logged_once_and_tried_again_later(upkeep_of, parts, log, monkeypatch):
    async def fail(_before_us):
        raise StoreUnavailableError("busy")

    upkeep = upkeep_of()
    for _ in range(2):
        with monkeypatch.context() as patched:
            patched.setattr(parts.store, "retain", fail)
            assert [await upkeep.sweep() for _ in range(3)] == [False] * 3
        assert await upkeep.sweep()
    assert [event["event"] for event in log.events] == ["sweep_failed", "swept"] * 2


async def test_what_cannot_be_dropped_keeps_nothing_from_being_merged_and_the_other_way_round(
    upkeep_of, parts, log, monkeypatch
):
    tried = []

    async def fail(_time_us):
        tried.append(_time_us)
        raise StoreUnavailableError("busy")

    for name in ("retain", "compact"):
        monkeypatch.setattr(parts.store, name, fail)
    assert not await upkeep_of().sweep()
    assert tried == [parts.clock(), 0]
    assert [event["event"] for event in log.events] == ["sweep_failed", "sweep_failed"]


async def test_a_sweep_merges_the_sums_of_old_time_buckets(upkeep_of, parts, monkeypatch):
    seen = []

    async def compact(now_us):
        seen.append(now_us)

    monkeypatch.setattr(parts.store, "compact", compact)
    await upkeep_of().sweep()
    assert seen == [parts.clock()]


async def test_a_disk_that_cannot_be_read_pauses_the_decision_log_and_ends_nothing(
    decisions, upkeep_of, parts, log, monkeypatch
):
    async def gone():
        raise StoreUnavailableError("the disk is gone")

    monkeypatch.setattr(parts.store, "free_bytes", gone)
    await upkeep_of().check()
    assert decisions.paused
    assert "disk_unknown" in [event["event"] for event in log.events]


async def test_a_clock_that_runs_ahead_drops_nothing(upkeep_of, parts, monkeypatch):
    before = []

    async def newest_us():
        return parts.clock() - 400 * DAY_S * 1_000_000

    async def retain(before_us):
        before.append(before_us)
        return 0

    monkeypatch.setattr(parts.store, "newest_us", newest_us)
    monkeypatch.setattr(parts.store, "retain", retain)
    await upkeep_of(retention_s=30 * DAY_S).sweep()
    assert before == [parts.clock() - 430 * DAY_S * 1_000_000]


async def test_while_writes_succeed_nothing_is_tried(upkeep_of, recoveries, log):
    upkeep = upkeep_of()
    await upkeep.check()
    upkeep.note_write(False)
    upkeep.note_write(True)
    await upkeep.check()
    assert (recoveries, log.events) == ([], [])


async def test_after_a_refused_write_a_written_sweep_is_told_once_the_store_takes_it(
    upkeep_of, parts, recoveries, monkeypatch
):
    upkeep, down = upkeep_of(), [True, False]

    async def compact(_now_us):
        if down.pop(0):
            raise StoreUnavailableError("no space left")

    monkeypatch.setattr(parts.store, "compact", compact)
    upkeep.note_write(False)
    await upkeep.check()
    assert recoveries == []
    await upkeep.check()
    assert recoveries == [True]


async def test_a_write_refused_while_the_sweep_runs_counts_more_than_the_sweep(
    upkeep_of, parts, recoveries, monkeypatch
):
    upkeep = upkeep_of()

    async def compact(_now_us):
        upkeep.note_write(False)

    monkeypatch.setattr(parts.store, "compact", compact)
    upkeep.note_write(False)
    await upkeep.check()
    assert recoveries == []


@pytest.mark.parametrize(("free_bytes", "told"), [(ROOM_BYTES - 1, []), (ROOM_BYTES, [True]), (None, [True])])
async def test_a_disk_without_room_for_a_batch_is_no_recovery_though_a_sweep_fits(
    free_bytes, told, upkeep_of, parts, recoveries, monkeypatch
):
    async def measured():
        return free_bytes

    monkeypatch.setattr(parts.store, "free_bytes", measured)
    upkeep = upkeep_of(min_free_bytes=0)
    upkeep.note_write(False)
    await upkeep.check()
    assert recoveries == told


class Archive:
    """Exports whole days, or fails."""

    def __init__(self, error=None):
        self.error = error

    async def keep(self, before_us):
        if self.error:
            raise self.error
        return before_us - before_us % (DAY_S * 1_000_000)


@pytest.mark.parametrize(
    ("error", "whole_days", "events"),
    [
        (None, True, ["swept"]),
        (ExportError("disk full"), False, ["export_failed", "swept"]),
        (ExportBusyError("another worker has it"), False, ["swept"]),
    ],
)
async def test_only_what_was_exported_is_dropped_and_what_another_exports_is_no_failure(
    upkeep_of, parts, log, monkeypatch, error, whole_days, events
):
    before = []

    async def retain(before_us):
        before.append(before_us)
        return 0

    monkeypatch.setattr(parts.store, "retain", retain)
    monkeypatch.setattr(parts.store, "newest_us", decided_now(parts))
    await upkeep_of(Archive(error), retention_s=30 * DAY_S).sweep()
    day_us = DAY_S * 1_000_000
    limit_us = parts.clock() - 30 * day_us
    assert before == [limit_us - limit_us % day_us if whole_days else 0]
    assert [event["event"] for event in log.events] == events
    assert parts.metrics.export_failures._value.get() == events.count("export_failed")


async def test_where_nothing_was_decided_yet_a_wrong_clock_sets_no_mark(upkeep_of, parts, monkeypatch):
    before = []

    async def retain(before_us):
        before.append(before_us)
        return 0

    monkeypatch.setattr(parts.store, "retain", retain)
    await upkeep_of(retention_s=30 * DAY_S).sweep()
    assert before == [0]
