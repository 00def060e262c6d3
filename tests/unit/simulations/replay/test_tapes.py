"""Tapes play what was logged, once, in order, at its time; then they say so."""

from collections.abc import Callable

import numpy as np
import pytest

from adapters.traffic.calls import Call
from adapters.traffic.log import CallLog
from bandit.signals import Kind, Status
from simulations.replay.course import Course, Player, Stage
from simulations.replay.tapes import LEAST, Reels, blocks, strata
from simulations.replay.unlearning import unlearning

HOUR_US = 3_600_000_000
START_US = 1_700_000_000_000_000 // HOUR_US * HOUR_US
Staged = Callable[..., Stage]


def hourly(counts: list[tuple[str, int, int]], spacing_us: int = 1_000_000) -> CallLog:
    """A log with so many calls of a model in an hour, of one category; the hour is their cost in dollars."""
    calls = [
        Call(
            "chat",
            model,
            START_US + hour * HOUR_US + number * spacing_us,
            kind=Kind.SAMPLED,
            input_tokens=100,
            requested_tokens=100,
            output_tokens=100,
            cost_usd=0.002,
            latency_s=1.0 + hour,
            status=Status.OK,
            quality=1.0,
        )
        for model, hour, count in counts
        for number in range(count)
    ]
    return CallLog(calls)


def test_a_tape_plays_in_order_and_then_again_by_chance(stage: Staged) -> None:
    tapes = stage(hourly([("one", 0, 30)])).tapes
    reels = Reels(tapes)
    zeros = np.zeros(25, np.int64)
    first, dry = reels.next(zeros, np.full(25, 0.5))
    assert tapes.rows[first].tolist() == list(range(25))
    assert not dry.any()
    second, dry = reels.next(zeros[:10], np.linspace(0.0, 0.99, 10))
    assert tapes.rows[second].tolist() == [
        25,
        26,
        27,
        28,
        29,
        *(int(30 * luck) for luck in np.linspace(0, 0.99, 10)[5:]),
    ]
    assert dry.tolist() == [False] * 5 + [True] * 5


def test_tapes_of_several_models_do_not_disturb_each_other(stage: Staged) -> None:
    tapes = stage(hourly([("one", 0, 30), ("two", 0, 30)])).tapes
    played, _ = Reels(tapes).next(np.array([1, 0, 1, 1, 0]), np.zeros(5))
    assert (played - tapes.start[[1, 0, 1, 1, 0]]).tolist() == [0, 0, 1, 2, 1]


def test_an_outcome_is_played_in_the_hour_in_which_it_happened(stage: Staged) -> None:
    ready = stage(hourly([("one", 0, 40), ("one", 1, 40), ("two", 0, 40), ("two", 1, 40)]), drift="hour")
    for seed in range(3):
        course = Course.of(ready, seed)
        hours = (course.time_us - START_US) // HOUR_US
        for name, played in unlearning(ready, course):
            assert np.array_equal(ready.traffic.latency_s[played.outcomes], 1.0 + hours), name
            assert not played.borrowed.any()


def test_a_short_tape_borrows_from_the_nearest_hours_and_says_so(stage: Staged) -> None:
    ready = stage(
        hourly([("one", hour, LEAST) for hour in range(5)] + [("two", 0, LEAST), ("two", 4, 3)]), drift="hour"
    )
    tape = ready.tapes.of[0, ready.traffic.models.index("two"), 4]
    entries = ready.tapes.entries[ready.tapes.start[tape] :][: ready.tapes.length[tape]]
    assert ready.traffic.latency_s[ready.tapes.rows[entries]].tolist() == [5.0] * 3 + [1.0] * LEAST
    course = Course.of(ready, 0, bootstrap=False)
    played = dict(unlearning(ready, course))["fixed:two"]
    hours = (course.time_us - START_US) // HOUR_US
    assert np.array_equal(played.borrowed, ready.traffic.latency_s[played.outcomes] != 1.0 + hours)
    assert played.borrowed[hours == 4].sum() == LEAST


def test_forced_calls_are_on_no_tape(stage: Staged) -> None:
    calls = [
        call._replace(kind=Kind.FORCED if number % 3 == 0 else Kind.SAMPLED)
        for number, call in enumerate(hourly([("one", 0, 60), ("two", 0, 60)]).calls())
    ]
    ready = stage(CallLog(calls))
    assert not ready.traffic.forced[ready.tapes.rows].any()
    assert len(ready.tapes.rows) == 80
    _, logged = next(unlearning(ready, Course.of(ready, 0)))
    assert logged is not None


def scarce() -> CallLog:
    """A request a minute for fifty hours; every tenth goes to `two`, six an hour, which is good nine times in ten."""
    calls, rng = hourly([("one", hour, 60) for hour in range(50)], 60_000_000).calls(), np.random.default_rng(6)
    good = rng.permutation(np.arange(300) >= 30)
    return CallLog(
        call if number % 10 else call._replace(model="two", quality=float(good[number // 10]))
        for number, call in enumerate(calls)
    )


def test_an_outcome_that_was_played_already_is_played_again_whichever_tape_it_is_on(stage: Staged) -> None:
    ready = stage(scarce(), drift="hour")
    assert len(ready.tapes.entries) > len(ready.tapes.rows)  # tapes have outcomes in common
    played = dict(unlearning(ready, Course.of(ready, 0, bootstrap=False)))["fixed:two"]
    _, first = np.unique(played.outcomes, return_index=True)
    assert np.flatnonzero(~played.resampled).tolist() == sorted(first.tolist())
    assert played.resampled.sum() == 2700


def test_tapes_with_outcomes_in_common_show_the_spread_of_the_outcomes_there_are(stage: Staged) -> None:
    """Of 300 outcomes it is .0173. 100 bootstraps tell it to 7 %: the limits are 4 such errors away."""
    ready = stage(scarce(), drift="hour")
    two = np.ones(3000, np.int64)  # offered models are sorted by name
    courses = (Course.of(ready, seed) for seed in range(100))
    means = [ready.traffic.quality[Player(ready, course).play(0, two).outcomes].mean() for course in courses]
    assert np.std(means) == pytest.approx((0.9 * 0.1 / 300) ** 0.5, rel=0.28)


@pytest.mark.parametrize(
    ("counts", "stretches"),
    [
        ([LEAST, LEAST + 1], [LEAST, LEAST + 1]),
        ([3], [3]),
        ([5] * 9, [LEAST, LEAST + 5]),
        ([3, LEAST, 4], [3, LEAST, 4]),
        ([12, 12, 5, LEAST, 1, 2], [29, LEAST, 3]),
    ],
)
def test_neighbours_that_hold_little_are_one_stretch(counts: list[int], stretches: list[int]) -> None:
    assert strata(np.array(counts)) == stretches


def test_blocks_keep_the_length_of_each_sequence_and_its_neighbours() -> None:
    lengths = np.array([1, 27, 1000])
    ends = np.cumsum(lengths)
    drawn = np.split(blocks(lengths, np.random.default_rng(1)), ends[:-1])
    drawn = [positions - first for positions, first in zip(drawn, ends - lengths, strict=True)]
    for length, positions in zip(lengths.tolist(), drawn, strict=True):
        assert len(positions) == length
        assert positions.min() >= 0
        assert positions.max() < length
    neighbours = (np.diff(drawn[2]) % 1000) == 1
    assert neighbours.mean() == pytest.approx(0.9, abs=0.02)  # blocks of ten: nine of ten steps lead to the next


def test_blocks_draw_every_position_equally_often() -> None:
    """4 standard deviations of a mean over 400 bootstraps: false alarm in 1 of 16,000."""
    rng = np.random.default_rng(2)
    counts = np.mean([np.bincount(blocks(np.array([64]), rng), minlength=64) for _ in range(400)], axis=0)
    assert np.abs(counts - 1.0).max() < 4 * 1.1 / 400**0.5 * 1.5
