"""One absurd observation teaches nothing; what is slow or long by nature is learned all the same."""

import math
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.evidence import events_of
from bandit.posterior import infer
from bandit.priors import CELLS_ALONE, ModelPrior
from bandit.signals import DecisionFacts, Kind, Outcome, Status
from bandit.snapshot import PolicySettings, snapshot_of
from bandit.sums import Sums, record

SETTINGS = CELLS_ALONE
DECISION = DecisionFacts("chat", "small", Kind.SAMPLED, 0, input_tokens=100)


def of_latencies(seconds, settings=SETTINGS):
    events = [event for one in seconds for event in events_of(DECISION, Outcome(Status.OK, round(one * 1e6)))]
    return infer(record(Sums.empty(10_000_000), events), 0, settings).latency


@given(
    st.lists(st.floats(0.2, 5.0), min_size=2, max_size=60),
    st.sampled_from([0.0, 1e-3, 120.0, 600.0, 3600.0, 1e7]),
)
def test_one_absurd_latency_among_ordinary_ones_moves_nothing(ordinary, absurd):
    quiet, disturbed = of_latencies(ordinary), of_latencies([*ordinary, absurd])
    assert disturbed.mean[0, 0] == quiet.mean[0, 0]
    assert disturbed.variance[0, 0] == quiet.variance[0, 0]
    assert disturbed.spread[0, 0] == quiet.spread[0, 0]


@pytest.mark.parametrize("count", [2, 4, 10, 100])
@pytest.mark.parametrize("centre", [0.1, 0.5, 2.0, 10.0, 60.0])
@pytest.mark.parametrize("factor", [1e-4, 1e-3, 1e3, 1e5])
def test_an_observation_of_the_wrong_unit_moves_no_more_than_an_ordinary_one(count, centre, factor):
    ordinary = (centre * np.exp(np.random.default_rng(count).normal(0.0, 0.3, count))).tolist()
    before, after = of_latencies(ordinary), of_latencies([*ordinary, centre * factor])
    usual = of_latencies([*ordinary, centre * math.exp(0.6)])
    assert abs(after.mean[0, 0] - before.mean[0, 0]) <= abs(usual.mean[0, 0] - before.mean[0, 0])
    assert after.spread[0, 0] <= max(before.spread[0, 0], usual.spread[0, 0])


def test_an_absurd_first_observation_is_not_believed_and_a_second_one_is():
    first, second = of_latencies([900.0]), of_latencies([900.0, 900.0])
    assert first.mean[0, 0] == pytest.approx(SETTINGS.latency.mean)
    assert second.mean[0, 0] > math.log(300.0)


def test_a_model_that_is_slow_by_nature_is_believed_at_once_where_its_latency_is_listed():
    settings = replace(CELLS_ALONE, models={"small": ModelPrior(latency_s=300.0)})
    assert of_latencies([900.0], settings).weight[0, 0] == 1


def test_a_spike_of_ten_times_counts_from_its_first_observation_on():
    calm = of_latencies([2.0] * 30)
    assert of_latencies([2.0] * 30 + [22.0]).weight[0, 0] == calm.weight[0, 0] + 1


@pytest.mark.parametrize("seconds", [0.02, 25.0, 500.0])
def test_models_of_every_speed_are_learned(seconds):
    assert of_latencies([seconds] * 50).mean[0, 0] == pytest.approx(math.log(seconds), abs=0.02)


def test_ranges_of_a_model_at_an_edge_count_together():
    belief = of_latencies([19.0, 21.0] * 20)
    assert belief.weight[0, 0] == 40
    assert belief.mean[0, 0] == pytest.approx(math.log(20.0), abs=0.03)


def test_the_order_of_arrival_decides_nothing():
    beliefs = {of_latencies(one).mean[0, 0] for one in permutations([1.0, 1.2, 3600.0, 0.9])}
    assert len(beliefs) == 1


def test_taking_an_absurd_observation_back_restores_every_bit():
    absurd = events_of(DECISION, Outcome(Status.OK, 10**10))
    calm = record(Sums.empty(10_000_000), events_of(DECISION, Outcome(Status.OK, 10**6)))
    back = record(record(calm, absurd), [event.negated() for event in absurd])
    assert back.rows() == calm.rows()


def test_absurd_tokens_do_not_make_a_model_dear(a_model):
    usual = Outcome(Status.OK, input_tokens=100, output_tokens=200)
    absurd = Outcome(Status.OK, input_tokens=100_000, output_tokens=50_000_000, cost_nano_usd=10**15)
    costs = []
    for outcomes in ([usual] * 10, [*[usual] * 10, absurd]):
        events = [event for one in outcomes for event in events_of(DECISION, one)]
        posterior = infer(record(Sums.empty(10_000_000), events), 0, SETTINGS)
        snapshot = snapshot_of(posterior, [a_model], PolicySettings())
        costs.append((snapshot.expectations.output_usd[0, 0], snapshot.expectations.input_usd[0, 0]))
    assert costs[0] == costs[1]
