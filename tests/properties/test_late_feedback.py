"""Feedback that is late or partial: it counts where the decision was made, and teaches what it says and no more."""

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit.evidence import Signal, events_of
from bandit.posterior import infer
from bandit.priors import CELLS_ALONE
from bandit.signals import DecisionFacts, Kind, Outcome, Score, Status, Thumb
from bandit.sums import Sums, at, record

WIDTH_US = 10_000_000
DAY_US = 86_400_000_000
SIGNALS: tuple[Signal, ...] = ("quality", "error", "latency", "first_token", "output_tokens", "input_ratio")
SETTINGS = replace(
    CELLS_ALONE,
    half_lives_s=dict.fromkeys(SIGNALS, 3600.0),
    quality_sources={"code": "thumb+score:judge", "mail": "score:judge"},
)
EMPTY = Sums.empty(WIDTH_US)

facts = st.one_of(
    st.builds(Thumb, st.booleans()),
    st.builds(Score, st.just("judge"), st.integers(0, 1 << 20)),
    st.builds(
        Outcome,
        st.sampled_from(Status),
        st.none() | st.integers(1, 10**10),
        st.none() | st.integers(1, 10**8),
        st.none() | st.integers(1, 10**5),
        st.none(),
        st.none() | st.integers(0, 10**5),
        st.none(),
    ),
)
decisions = st.builds(
    DecisionFacts,
    st.sampled_from(["chat", "code", "mail"]),
    st.sampled_from(["large", "small"]),
    st.sampled_from([Kind.SAMPLED, Kind.FALLBACK]),
    st.integers(0, DAY_US),
    st.none() | st.integers(1, 10**5),
)
reports = st.lists(st.tuples(decisions, facts), min_size=1, max_size=20)


def bits(posterior):
    return b"".join(
        getattr(getattr(posterior, signal), array).tobytes()
        for signal in SIGNALS
        for array in ("mean", "variance", "spread", "weight")
    )


def learned(told):
    return record(EMPTY, chain.from_iterable(events_of(decision, fact) for decision, fact in told))


@settings(max_examples=30)
@given(reports, st.randoms(use_true_random=False))
def test_feedback_counts_by_the_time_of_its_decision_whenever_it_arrives(told, order):
    shuffled = order.sample(told, len(told))
    at_once, late = EMPTY, EMPTY
    for decision, fact in sorted(told, key=lambda one: one[0].decided_us):
        at_once = record(at(at_once, decision.decided_us), events_of(decision, fact))
    late = at(late, 2 * DAY_US)
    for decision, fact in shuffled:
        late = record(late, events_of(decision, fact))
    assert bits(infer(late, 2 * DAY_US, SETTINGS)) == bits(infer(at_once, 2 * DAY_US, SETTINGS))


@settings(max_examples=20)
@given(reports)
def test_every_signal_is_learned_whatever_else_is_still_to_come(told):
    """Each fact alone teaches of its signals exactly what it teaches beside the others."""
    whole = infer(learned(told), DAY_US, SETTINGS)
    for kinds, signals in (((Outcome,), SIGNALS[1:]), ((Thumb, Score), SIGNALS[:1])):
        part = [one for one in told if isinstance(one[1], kinds)]
        for signal in signals if part else ():
            alone = infer(learned(part), DAY_US, SETTINGS)
            rows = [whole.categories.index(name) for name in alone.categories]
            columns = [whole.models.index(name) for name in alone.models]
            for array in ("mean", "variance", "weight"):
                ours, beside = (getattr(getattr(one, signal), array) for one in (alone, whole))
                assert ours[:-1].tobytes() == beside[np.ix_(rows, columns)].tobytes()


@pytest.mark.parametrize(
    ("fact", "taught"),
    [
        (Outcome(Status.OK), {"error"}),
        (Outcome(Status.OK, latency_us=10**6), {"error", "latency"}),
        (Outcome(Status.OK, output_tokens=80), {"error", "output_tokens"}),
        (Outcome(Status.OK, 10**6, 10**5, 100, None, 80), {*SIGNALS} - {"quality"}),
        (Outcome(Status.CANCELLED), set()),
        (Thumb(up=False), {"quality"}),
        (Score("judge", 0), set()),
    ],
)
def test_a_pending_decision_teaches_what_is_known_of_it_and_of_the_rest_nothing_moves(fact, taught):
    told = learned([(DecisionFacts("chat", "small", Kind.SAMPLED, 0, 100), fact)])
    posterior = infer(told, 0, SETTINGS)
    assert {signal for signal in SIGNALS if (getattr(posterior, signal).weight > 0).any()} == taught
    for signal in {*SIGNALS} - taught:
        mean = getattr(posterior, signal).mean
        assert (mean == mean[-1]).all()
