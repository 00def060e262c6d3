"""Estimators from sums give what a loop over the calls gives."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from adapters.traffic.calls import Calls
from simulations.offpolicy.arms import SHRINKAGE
from simulations.offpolicy.cells import K
from simulations.offpolicy.collapse import sums_of
from simulations.offpolicy.components import observed
from simulations.offpolicy.estimators import ESTIMATORS, Evaluator

Floats = NDArray[np.float64]


@pytest.fixture(scope="module")
def evaluator(calls: Calls) -> Evaluator:
    return Evaluator(sums_of(calls))


def policy(evaluator: Evaluator, seed: int = 2) -> Floats:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(len(evaluator.sums.models)), len(evaluator.sums.contexts))


class Rows:
    """The usable calls one by one, in the numbers of the evaluator."""

    def __init__(self, calls: Calls, evaluator: Evaluator) -> None:
        usable = np.isin(calls.kind, (-1, 1, 2)) & np.isfinite(calls.propensity)
        names = [context.category for context in evaluator.sums.contexts]
        self.context = np.array([names.index(calls.categories[c]) for c in calls.category[usable]])
        self.model = np.array([evaluator.sums.models.index(calls.models[m]) for m in calls.model[usable]])
        self.p = calls.propensity[usable]
        components, known = observed(calls)
        self.y, self.k = components[usable], known[usable].astype(float)
        slices = calls.time_us[usable] // evaluator.sums.width
        self.slice_ = np.searchsorted(np.unique(slices), slices)
        order = [calls.models.index(model) for model in evaluator.sums.models]
        self.all_p = calls.probabilities[calls.drawn_from[usable]][:, order]
        cells = self.context, self.model
        counts, known_counts = np.zeros((len(names), len(order), 1)), np.zeros((len(names), len(order), K))
        np.add.at(counts, cells, 1.0)
        np.add.at(known_counts, cells, self.k)
        self.share = (known_counts / np.maximum(counts, 1.0))[cells]
        self.q = self._fits(len(names), len(order))

    def _fits(self, contexts: int, models: int) -> list[Floats]:
        """q of each slice from the calls before it."""
        fits = []
        for s in range(int(self.slice_.max()) + 1):
            before = self.slice_ < s
            total, n = np.zeros((contexts, models, K)), np.zeros((contexts, models, K))
            np.add.at(total, (self.context[before], self.model[before]), (self.y * self.k)[before])
            np.add.at(n, (self.context[before], self.model[before]), self.k[before])
            overall = total.sum(axis=(0, 1)) / np.maximum(n.sum(axis=(0, 1)), 1.0)
            by_model = (total.sum(axis=0) + SHRINKAGE * overall) / (n.sum(axis=0) + SHRINKAGE)
            fits.append((total + SHRINKAGE * by_model) / (n + SHRINKAGE))
        return fits


def test_inverse_propensity_is_the_mean_of_weighted_calls(calls: Calls, evaluator: Evaluator) -> None:
    rows, pi = Rows(calls, evaluator), policy(evaluator)
    weight = (pi[rows.context, rows.model] / rows.p)[:, None] / rows.share
    expected = (weight * rows.y).sum(axis=0) / len(rows.p)
    np.testing.assert_allclose(ESTIMATORS["ips"](evaluator, pi).value, expected, rtol=1e-10)
    known = (weight * rows.y).sum(axis=0) / (weight * rows.k).sum(axis=0)
    np.testing.assert_allclose(ESTIMATORS["snips"](evaluator, pi).value, known, rtol=1e-10)


@pytest.mark.parametrize("name", ["dr", "awdr"])
def test_doubly_robust_values_and_influences_are_those_of_a_loop_over_the_calls(
    calls: Calls, evaluator: Evaluator, name: str
) -> None:
    rows, pi = Rows(calls, evaluator), policy(evaluator)
    n, contexts = len(rows.p), len(evaluator.sums.contexts)
    gamma = np.zeros((n, K))
    for t in range(n):
        q, x, m = rows.q[rows.slice_[t]], rows.context[t], rows.model[t]
        residual = rows.k[t] * (rows.y[t] - q[x, m]) / rows.share[t]
        gamma[t] = pi[x] @ q[x] + pi[x, m] / rows.p[t] * residual
    weights = np.ones(n)
    if name == "awdr":
        variance = (pi[rows.context] ** 2 / rows.all_p).sum(axis=1)
        for s in np.unique(rows.slice_):
            for x in range(contexts):
                here = (rows.slice_ == s) & (rows.context == x)
                weights[here] = 1.0 / np.sqrt(variance[here].mean()) if here.any() else 0.0
    value = np.zeros(K)
    for x in range(contexts):
        here = rows.context == x
        value += here.mean() * (weights[here, None] * gamma[here]).sum(axis=0) / weights[here].sum()
    estimate = ESTIMATORS[name](evaluator, pi)
    np.testing.assert_allclose(estimate.value, value, rtol=1e-10)
    np.testing.assert_allclose(estimate.influence.sum(axis=0), 0.0, atol=1e-12)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_values_are_linear_in_the_parts_that_sums_hold(evaluator: Evaluator, name: str) -> None:
    if name == "awdr":  # its weights go by the policy
        return
    one, other = policy(evaluator, 1), policy(evaluator, 2)
    mixed = ESTIMATORS[name](evaluator, 0.3 * one + 0.7 * other).value
    if name == "snips":
        assert not np.allclose(mixed, 0.0)
        return
    parts = 0.3 * ESTIMATORS[name](evaluator, one).value + 0.7 * ESTIMATORS[name](evaluator, other).value
    np.testing.assert_allclose(mixed, parts, rtol=1e-10)


def test_a_uniform_log_gives_its_own_mean_for_the_uniform_policy(calls: Calls) -> None:
    models = len(calls.models)
    uniform = replace(
        calls,
        propensity=np.full(len(calls), 1.0 / models),
        probabilities=np.full((1, models), 1.0 / models),
        drawn_from=np.zeros(len(calls), np.int64),
    )
    evaluator = Evaluator(sums_of(uniform))
    same = np.full((len(evaluator.sums.contexts), models), 1.0 / models)
    logged = evaluator.logged
    estimate = ESTIMATORS["ips"](evaluator, same)
    np.testing.assert_allclose(estimate.value[3], logged.value[3], rtol=1e-9)
    assert np.abs(estimate.value - logged.value).max() < 0.05 * np.abs(logged.value).max()
