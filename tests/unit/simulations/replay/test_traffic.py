"""A log becomes columns in order of time; what cannot be used is counted."""

from collections.abc import Callable

import numpy as np
import pytest

from adapters.traffic.calls import Call
from adapters.traffic.log import CallLog
from bandit.catalogue import Model, Prices
from bandit.signals import Kind
from simulations.errors import OptionsError
from simulations.replay.contextual import leanings, size_classes
from simulations.replay.course import Stage
from simulations.replay.offer import Learner, WhatIf, logged_prices, offered
from simulations.replay.stage import finest, stage_of
from simulations.replay.traffic import NO_DELAYS, NO_TIMES, traffic_of

Staged = Callable[..., Stage]
SECOND_US = 1_000_000


def call(time_s: float | None, **changes: object) -> Call:
    known: dict[str, object] = {"category": "chat", "model": "one", "kind": Kind.SAMPLED, "cost_usd": 0.01}
    time_us = None if time_s is None else round(time_s * SECOND_US)
    return Call(**{**known, "time_us": time_us, **changes})  # type: ignore[arg-type]


def test_calls_are_sorted_by_time_and_those_without_are_counted() -> None:
    traffic = traffic_of(CallLog([call(3, latency_s=3), call(None), call(1, latency_s=1), call(2, kind=Kind.FALLBACK)]))
    assert traffic.latency_s.tolist() == [1, 3]
    assert dict(traffic.left_out) == {
        "its time is unknown": 1,
        "a fallback: part of a request that stands in the log already": 1,
    }
    assert traffic.notes == ()


def test_a_log_without_times_is_played_a_request_a_second_and_says_so() -> None:
    traffic = traffic_of(CallLog([call(None, latency_s=n) for n in range(3)]))
    assert traffic.time_us.tolist() == [0, SECOND_US, 2 * SECOND_US]
    assert traffic.latency_s.tolist() == [0, 1, 2]
    assert traffic.notes == (NO_TIMES,)


def test_delays_are_those_of_the_log_their_median_where_unknown_and_else_the_latency() -> None:
    calls = [call(0, answered_us=4 * SECOND_US), call(10, answered_us=16 * SECOND_US), call(20), call(30, latency_s=9)]
    assert (traffic_of(CallLog(calls)).answer_delay_us / SECOND_US).tolist() == [4, 6, 5, 5]
    unknown = traffic_of(CallLog([call(0, latency_s=7), call(1), call(2, latency_s=9)]))
    assert (unknown.answer_delay_us / SECOND_US).tolist() == [7, 8, 9]
    assert unknown.notes == ("1 calls do not tell how long they took: their outcomes are known after 8 s, the median",)
    assert np.array_equal(unknown.judge_delay_us, unknown.answer_delay_us)
    changed = unknown.delayed(1.5, 60)
    assert (changed.answer_delay_us.tolist(), changed.judge_delay_us.tolist()) == ([1_500_000] * 3, [60_000_000] * 3)


def test_a_log_that_never_tells_how_long_a_call_took_says_so() -> None:
    traffic = traffic_of(CallLog([call(0), call(1)]))
    assert traffic.answer_delay_us.tolist() == [0, 0]
    assert traffic.notes == (NO_DELAYS,)


@pytest.mark.parametrize(
    ("calls", "complaint"),
    [([], "no call that can be used"), ([call(1, kind=Kind.FORCED)], "no call whose model was chosen")],
)
def test_a_log_with_nothing_to_decide_is_refused(calls: list[Call], complaint: str) -> None:
    with pytest.raises(OptionsError, match=complaint):
        traffic_of(CallLog(calls))


def test_eligible_models_are_those_of_the_log_within_their_context_and_with_outcomes(stage: Staged) -> None:
    calls = [
        call(1, eligible=("one", "two"), requested_tokens=50),
        call(2, model="two", eligible=("one", "two"), requested_tokens=5000),
        call(3, model="three", eligible=("two", "three")),
        call(4, category="code"),
    ]
    models = [Model(name, Prices(1, 1)) for name in ("one", "two", "three", "new")]
    models[0] = Model("one", Prices(1, 1), context_tokens=1000)
    ready = stage(CallLog(calls), Learner(tuple(models)))
    assert ready.asked.eligible.tolist() == [
        [True, True, False, False],
        [False, True, False, False],
        [False, True, True, False],
        [True, False, False, False],
    ]
    assert set(ready.asked.unseen) == {("chat", "new"), ("code", "two"), ("code", "three"), ("code", "new")}
    assert ready.asked.stream.tolist() == [0, 1, 2, 3]
    assert len({ready.asked.request[n] for n in range(4)}) == 4


def test_requests_that_nobody_on_offer_can_serve_are_not_played(stage: Staged) -> None:
    calls = [call(1), call(2, model="two", eligible=("two",)), call(3, model="two", kind=Kind.FORCED)]
    ready = stage(CallLog(calls), Learner((Model("one", Prices(1, 1)),)))
    assert ready.asked.stream.tolist() == [0]


def logged_by_size(share_of_large: float) -> CallLog:
    """1,200 calls of one category; `large` serves this share of large prompts, and half of the others."""
    rng = np.random.default_rng(3)
    sizes = rng.integers(100, 1000, 1200)
    shares = np.where(sizes > 700, share_of_large, 0.5)
    large = rng.random(1200) < shares
    return CallLog(
        call(n, model="large" if one else "small", requested_tokens=int(size))
        for n, (one, size) in enumerate(zip(large.tolist(), sizes.tolist(), strict=True))
    )


def test_a_logger_that_looks_at_the_size_of_prompts_is_found_and_its_tapes_are_cut_by_size() -> None:
    """A share of .9 instead of .5 is 20 standard errors; the other log is fair, a false alarm in 1 of 8,000 seeds."""
    for share, is_found in ((0.9, True), (0.5, False)):
        traffic = traffic_of(logged_by_size(share))
        classes = size_classes(traffic)
        found = leanings(traffic, classes)
        assert bool(found) is is_found
        assert np.bincount(classes).tolist() == pytest.approx([400, 400, 400], abs=10)
        logged = logged_prices(traffic)
        learner = Learner(offered(traffic, (), WhatIf(), logged))
        stage, cuts = stage_of(traffic, learner, logged)
        assert len(stage.places.bucket) == (3 if is_found else 1)
        assert cuts.leanings == tuple(found)


def test_a_logger_that_learns_is_not_taken_for_one_that_looks_at_sizes(invented: Callable[..., CallLog]) -> None:
    """24 cells at 4 deviations: false alarm in 1 of 600 seeds."""
    traffic = traffic_of(invented(6000, logger="thompson"))
    assert leanings(traffic, size_classes(traffic)) == []


def test_time_is_cut_as_finely_as_tapes_allow() -> None:
    def log(hours: int, per_hour: int) -> CallLog:
        return CallLog(call(3600 * hour + 60 + n) for hour in range(hours) for n in range(per_hour))

    assert finest(traffic_of(log(3, 30))) == "hour"
    assert finest(traffic_of(log(72, 5))) == "day"
    assert finest(traffic_of(log(1, 30))) == "none"
    assert finest(traffic_of(log(3, 5))) == "none"
