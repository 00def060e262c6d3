"""The chain of levels, against the sum over every path that it averages."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.levels import Hazards, level_beliefs, transitions

SLAB = np.array([0.7, 0.3])
HAZARDS = Hazards(onset=1e-3, recovery=5e-3)
INITIAL = np.array([0.98, 0.014, 0.006])
elapsed = st.lists(st.floats(0.0, 1e4), min_size=1, max_size=3).map(np.array)


@given(elapsed)
def test_from_every_level_some_level_follows(elapsed_s):
    moves = transitions(SLAB, elapsed_s, HAZARDS)
    assert np.all(moves >= 0.0)
    assert moves.sum(axis=-1) == pytest.approx(1.0)


def test_in_no_time_nothing_changes_and_in_the_long_run_the_past_is_forgotten():
    now, later = transitions(SLAB, np.array([0.0, 1e9]), HAZARDS)
    assert now.tolist() == np.eye(3).tolist()
    assert later[1] == pytest.approx(later[2])


@given(elapsed, st.integers(0, 2**32 - 1))
def test_beliefs_are_those_of_the_sum_over_all_paths(elapsed_s, seed):
    buckets = len(elapsed_s) + 1
    evidence = np.random.default_rng(seed).normal(0.0, 3.0, (buckets, 1, 3))
    moves = transitions(SLAB, elapsed_s, HAZARDS)
    usual, now, total = np.zeros(buckets), np.zeros(3), 0.0
    for path in product(range(3), repeat=buckets):
        steps = np.prod([moves[b][a, z] for b, (a, z) in enumerate(pairwise(path))])
        weight = INITIAL[path[0]] * steps * np.exp(sum(evidence[b, 0, level] for b, level in enumerate(path)))
        total += weight
        now[path[-1]] += weight
        usual += weight * (np.array(path) == 0)
    beliefs = level_beliefs(evidence, moves, INITIAL)
    assert beliefs[:, 0, 0] == pytest.approx(usual / total, rel=1e-9)
    assert beliefs[-1, 0] == pytest.approx(now / total, rel=1e-9)


@given(st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_other_chains_change_no_bit_of_one(others, seed):
    evidence = np.random.default_rng(seed).normal(0.0, 30.0, (5, others + 1, 3))
    moves = transitions(SLAB, np.full(4, 10.0), HAZARDS)
    alone, among = (level_beliefs(one, moves, INITIAL) for one in (evidence[:, :1], evidence))
    assert alone[:, 0].tobytes() == among[:, 0].tobytes()


def test_overwhelming_evidence_gives_no_nan():
    evidence = np.array([[[0.0, -1e6, -1e6]], [[-1e6, 0.0, -1e6]]] * 40)
    beliefs = level_beliefs(evidence, transitions(SLAB, np.full(79, 1.0), HAZARDS), INITIAL)
    assert beliefs[:, 0, 0] == pytest.approx([1.0, 0.0] * 40)
    assert np.isfinite(beliefs).all()
