"""Sums are a commutative group of integers: order, grouping and time of looking change no bit of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.errors import SumsOverflowError
from bandit.evidence import Event, events_of
from bandit.grid import boundaries
from bandit.signals import SCALE, DecisionFacts, Fact, Kind, Outcome, Score, Status, Thumb
from bandit.sums import MAX_COUNT, Moments, RowKey, Sums, add_rows, aggregate, at, merge, record, with_axes

WIDTH_US = 10_000_000

counts = st.none() | st.integers(0, 10**8)
micros = st.none() | st.integers(0, 7 * 86_400_000_000)
facts: st.SearchStrategy[Fact] = st.one_of(
    st.builds(Outcome, st.sampled_from(Status), micros, micros, counts, counts, counts, counts),
    st.builds(Thumb, st.booleans()),
    st.builds(Score, st.sampled_from(["judge", "edit"]), st.integers(0, SCALE)),
)
decisions = st.builds(
    DecisionFacts,
    st.sampled_from(["code", "summarization", "chat"]),
    st.sampled_from(["small", "large"]),
    st.sampled_from(Kind),
    st.integers(0, 5_000 * WIDTH_US),
    counts,
)
lessons = st.lists(st.builds(events_of, decisions, facts), max_size=30)


def empty() -> Sums:
    return Sums.empty(WIDTH_US)


def flat(groups: list[tuple[Event, ...]]) -> list[Event]:
    return [event for group in groups for event in group]


def same_bits(a: Sums, b: Sums) -> bool:
    return (
        (a.categories, a.models, a.signals, a.oldest, a.now) == (b.categories, b.models, b.signals, b.oldest, b.now)
        and a.moments.shape == b.moments.shape
        and a.moments.tobytes() == b.moments.tobytes()
    )


@given(lessons, st.randoms(use_true_random=False), st.integers(1, 5))
def test_order_and_grouping_of_arrivals_change_no_bit(groups, random, parts):
    events = flat(groups)
    at_once = record(empty(), events)
    shuffled = events.copy()
    random.shuffle(shuffled)
    in_parts = empty()
    for part in range(parts):
        in_parts = record(in_parts, shuffled[part::parts])
    assert same_bits(at_once, in_parts)


@given(lessons, lessons, lessons)
def test_merging_replicas_commutes_and_associates(first, second, third):
    a, b, c = (record(empty(), flat(groups)) for groups in (first, second, third))
    assert same_bits(merge(a, b), merge(b, a))
    assert same_bits(merge(merge(a, b), c), merge(a, merge(b, c)))
    assert same_bits(merge(merge(a, b), c), record(empty(), flat(first + second + third)))


@given(lessons, lessons)
def test_taking_events_back_restores_what_was(kept, taken_back):
    before = record(empty(), flat(kept))
    there = record(before, flat(taken_back))
    back = record(there, [event.negated() for event in flat(taken_back)])
    assert back.rows() == at(before, back.now * WIDTH_US).rows()


@given(lessons, st.integers(0, 20_000), st.integers(0, 20_000))
def test_coarsening_commutes_with_adding_and_with_looking_twice(groups, first, later):
    events = flat(groups)
    early, late = sorted((first, first + later))
    coarse_first = record(at(empty(), late * WIDTH_US), events)
    coarse_last = at(record(empty(), events), late * WIDTH_US)
    twice = at(at(record(empty(), events), early * WIDTH_US), late * WIDTH_US)
    assert coarse_first.rows() == coarse_last.rows() == twice.rows()


@given(lessons)
def test_aggregated_rows_add_up_to_the_same_sums(groups):
    events = flat(groups)
    rows = aggregate(events, WIDTH_US)
    assert list(rows) == sorted(rows)
    assert add_rows(empty(), rows).rows() == record(empty(), events).rows()


@given(lessons)
def test_no_count_is_lost_by_coarsening(groups):
    events = flat(groups)
    seen = at(record(empty(), events), 10**9 * WIDTH_US)
    assert int(seen.moments[0].sum()) == len(events)
    assert int(seen.moments[1].sum()) == sum(event.y for event in events)


@given(st.integers(0, 10**7), st.integers(0, 10**6), st.integers(0, 10**7))
def test_boundaries_seen_later_are_a_subset_and_cover_the_oldest(oldest, span, wait):
    now = oldest + span
    earlier, later = boundaries(oldest, now), boundaries(oldest, now + wait)
    assert earlier[0] <= oldest
    assert earlier[-1] == now
    assert (np.diff(earlier) > 0).all()
    within = later[(later >= earlier[0]) & (later <= now)]
    assert set(within.tolist()) <= set(earlier.tolist())


def test_the_number_of_buckets_grows_with_the_logarithm_of_time():
    assert [len(boundaries(0, now)) for now in (450, 1_440, 43_200)] == [20, 24, 35]


def test_more_observations_than_the_integers_can_hold_are_refused():
    key = RowKey("chat", "large", "latency", "", 0)
    full = add_rows(empty(), {key: Moments(MAX_COUNT, 0, 0)})
    with pytest.raises(SumsOverflowError, match="retention"):
        add_rows(full, {key: Moments(1, 0, 0)})


def test_the_largest_values_at_the_largest_count_stay_within_int64():
    slow = DecisionFacts("chat", "large", Kind.SAMPLED, 0, 1)
    fact = Outcome(Status.OK, 10**15, 10**15, 10**8, None, 10**8)
    for event in events_of(slow, fact):
        assert max(abs(event.y), event.yy) * MAX_COUNT < 2**63


def test_widening_the_axes_keeps_every_row():
    decision = DecisionFacts("code", "small", Kind.SAMPLED, 0)
    sums = record(empty(), events_of(decision, Thumb(up=True)))
    wide = with_axes(sums, ["aardvark", "zebra"], ["large"])
    assert wide.categories == ("aardvark", "code", "zebra")
    assert wide.models == ("large", "small")
    assert wide.rows() == sums.rows()
