"""The engine does what the plain loop does: the same choices, the same sums to the bit."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from adapters.traffic.calls import Call
from adapters.traffic.log import CallLog
from bandit import Event, Sums, draw, infer, policy, record, snapshot_of
from bandit.signals import Kind, Status
from bandit.sums import with_axes
from simulations.replay.course import Course, Stage
from simulations.replay.engine import learned
from simulations.replay.lessons import events_of_row
from simulations.replay.offer import Learner

Staged = Callable[..., Stage]


class Numbers:
    """Gives numbers that were drawn before."""

    def __init__(self, number: float) -> None:
        self.number = number

    def random(self) -> float:
        return self.number


def plainly(stage: Stage, course: Course) -> tuple[list[int], Sums]:
    """Replay one request after the other with the four verbs, as they are written down in DESIGN."""
    learner, traffic, tapes = stage.learner, stage.traffic, stage.tapes
    period_us, graded = round(learner.refresh_s * 1e6), traffic.graded
    sums = with_axes(
        Sums.empty(round(learner.bucket_s * 1e6), int(course.time_us[0])),
        traffic.categories,
        [model.id for model in learner.models],
    )
    unreported: list[tuple[int, int, Event]] = []
    played, outcomes, published = dict.fromkeys(range(len(tapes.length)), 0), list[int](), None
    for place, (row, now_us) in enumerate(zip(course.rows.tolist(), course.time_us.tolist(), strict=True)):
        period = (now_us // period_us, 0) if period_us else (now_us, place)
        if period != published:
            published, publish_us = period, (period[0] * period_us if period_us else now_us)
            known = [event for arrives_us, _, event in unreported if arrives_us <= publish_us]
            unreported = [one for one in unreported if one[0] > publish_us]
            sums = record(sums, known)
            snapshot = snapshot_of(infer(sums, publish_us, learner.inference), learner.models, learner.policy)
        category = int(traffic.category[row])
        if traffic.forced[row]:
            outcome = row
        else:
            request = stage.asked.requests[stage.asked.request[row]]
            model = draw(policy(snapshot, request), Numbers(float(course.uniforms[place]))).position
            tape = int(tapes.of[category, stage.asked.served[model], stage.places.of_row[row]])
            turn, length = played[tape], int(tapes.length[tape])
            played[tape] += 1
            turn = turn if turn < length else int(course.luck[place] * length)
            outcome = int(course.reel[tapes.entries[tapes.start[tape] + turn]])
        outcomes.append(outcome)
        for event in events_of_row(traffic, outcome, graded=bool(graded[category])):
            delays = traffic.judge_delay_us if event.signal == "quality" else traffic.answer_delay_us
            unreported.append((now_us + int(delays[outcome]), place, event._replace(time_us=now_us)))
    return outcomes, sums


def awkward_log() -> CallLog:
    """Three models, two categories: forced calls, failures, what is unknown, graded quality, late judgements."""
    rng = np.random.default_rng(5)
    calls = []
    for number in range(240):
        category = ("chat", "code")[number % 2]
        model = ("one", "two", "three")[int(rng.integers(3))]
        time_us = 1_700_000_000_000_000 + number * 7_000_000 + int(rng.integers(3)) * 1_000_000
        quality = float(rng.integers(2)) if category == "chat" else round(float(rng.random()), 3)
        status = [Status.OK, Status.OK, Status.OK, Status.ERROR, Status.TIMEOUT, None][int(rng.integers(6))]
        calls.append(
            Call(
                category,
                model,
                time_us,
                kind=Kind.FORCED if number % 11 == 0 else Kind.SAMPLED,
                eligible=("one", "two", "three") if number % 5 else ("one", "two", model),
                answer_value_usd=(0.05, 0.5, None)[number % 3],
                requested_tokens=int(rng.integers(50, 900)) if number % 7 else None,
                input_tokens=int(rng.integers(50, 900)),
                output_tokens=int(rng.integers(1, 900)) if number % 13 else None,
                cost_usd=float(rng.random() * 0.01),
                latency_s=float(rng.lognormal()) if number % 17 else None,
                first_token_s=0.2,
                status=status,
                quality=quality if number % 3 else None,
                answered_us=time_us + 2_000_000,
                judged_us=time_us + int(rng.integers(1, 90)) * 1_000_000,
            )
        )
    return CallLog(calls)


@pytest.mark.parametrize("refresh_s", [0, 1, 30, 700, 1e6])
@pytest.mark.parametrize("bootstrap", [False, True])
def test_choices_and_sums_are_those_of_the_plain_loop(stage: Staged, refresh_s: float, bootstrap: bool) -> None:
    log = awkward_log()
    if refresh_s <= 1:
        log = CallLog([*log.calls()][:25])
    ready = stage(log, Learner(refresh_s=refresh_s), drift="hour")
    course = Course.of(ready, 3, bootstrap=bootstrap)
    run = learned(ready, course)
    outcomes, sums = plainly(ready, course)
    assert run.played.outcomes.tolist() == outcomes
    assert run.sums.rows() == sums.rows()
    assert (run.sums.oldest, run.sums.now) == (sums.oldest, sums.now)
    assert np.array_equal(run.sums.moments, sums.moments)
    assert run.sums.rows() or refresh_s == 1e6


def test_the_plain_loop_and_the_engine_agree_on_an_invented_log(
    stage: Staged, invented: Callable[..., CallLog]
) -> None:
    ready = stage(invented(500), Learner(refresh_s=7200.0))
    course = Course.of(ready, 1)
    run = learned(ready, course)
    outcomes, sums = plainly(ready, course)
    assert run.played.outcomes.tolist() == outcomes
    assert np.array_equal(run.sums.moments, sums.moments)


def test_equal_seeds_give_equal_runs_and_others_do_not(stage: Staged, invented: Callable[..., CallLog]) -> None:
    ready = stage(invented(300), Learner(refresh_s=20_000.0))
    first, again, other = (learned(ready, Course.of(ready, seed)).played.outcomes for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_run_that_stops_when_dry_ends_before_the_first_outcome_that_would_be_played_again(
    stage: Staged, invented: Callable[..., CallLog]
) -> None:
    ready = stage(invented(300), Learner(refresh_s=20_000.0))
    course = Course.of(ready, 1, bootstrap=False)
    whole = learned(ready, course).played
    stopped = learned(ready, course, stops_when_dry=True).played
    first_dry = int(whole.resampled.argmax())
    assert 0 < first_dry == stopped.end < len(course.rows)
    assert np.array_equal(stopped.outcomes[:first_dry], whole.outcomes[:first_dry])
    assert (stopped.outcomes[first_dry:] == -1).all()
    assert not stopped.resampled.any()


def test_nothing_is_known_before_it_was_reported(stage: Staged, invented: Callable[..., CallLog]) -> None:
    ready = stage(invented(200), Learner(refresh_s=600.0))
    course = Course.of(ready, 0)
    assert learned(ready, course).sums.rows()
    delay_us = np.full(len(ready.traffic), 10**12)
    late = replace(ready, traffic=replace(ready.traffic, answer_delay_us=delay_us, judge_delay_us=delay_us))
    assert learned(late, course).sums.rows() == {}
