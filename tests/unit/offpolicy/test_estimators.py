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
        self.y, self.k = components[usable], known[usable].astype(np.float64)
        slices = calls.time_us[usable] // evaluator.sums.width
        self.slice_ = np.searchsorted(np.unique(slices), slices)
        order = [calls.models.index(model) for model in evaluator.sums.models]
        self.all_p = calls.probabilities[calls.drawn_from[usable]][:, order]
        shape, cells = (len(names), len(order), K), (self.context, self.model)
        self.failed = (self.y[:, 3] == 1.0) & (self.k[:, 3] == 1.0)
        possible, judgements = np.zeros(shape), np.zeros(shape)
        judged = self.k.copy()
        judged[self.failed, 0] = 0.0
        could = np.ones_like(judged)
        could[self.failed, 0] = 0.0
        np.add.at(possible, cells, could)
        np.add.at(judgements, cells, judged)
        # Known calls stand for unknown ones, a failed call's answer for itself.
        self.scale = self.k * np.where(judged > 0, (possible / np.maximum(judgements, 1e-9))[cells], 1.0)
        self.judged = judged
        self.q = self._fits(len(names), len(order))

    def _fits(self, contexts: int, models: int) -> list[Floats]:
        """q of each slice from the calls before it."""
        fits = []
        for s in range(int(self.slice_.max()) + 1):
            before = self.slice_ < s
            total, n = np.zeros((contexts, models, K)), np.zeros((contexts, models, K))
            np.add.at(total, (self.context[before], self.model[before]), (self.y * self.judged)[before])
            np.add.at(n, (self.context[before], self.model[before]), self.judged[before])
            overall = total.sum(axis=(0, 1)) / np.maximum(n.sum(axis=(0, 1)), 1.0)
            by_model = (total.sum(axis=0) + SHRINKAGE * overall) / (n.sum(axis=0) + SHRINKAGE)
            fit = (total + SHRINKAGE * by_model) / (n + SHRINKAGE)
            fit[..., 0] *= 1.0 - fit[..., 3]
            fits.append(fit)
        return fits


def test_inverse_propensity_is_the_mean_of_weighted_calls(calls: Calls, evaluator: Evaluator) -> None:
    rows, pi = Rows(calls, evaluator), policy(evaluator)
    weight = (pi[rows.context, rows.model] / rows.p)[:, None] * rows.scale
    expected = (weight * rows.y).sum(axis=0) / len(rows.p)
    np.testing.assert_allclose(ESTIMATORS["ips"](evaluator, pi).value, expected, rtol=1e-10)
    known = (weight * rows.y).sum(axis=0) / weight.sum(axis=0)
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
        residual = rows.scale[t] * (rows.y[t] - q[x, m])
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


@pytest.mark.parametrize("name", ["ips", "dm", "dr"])
def test_the_value_of_a_mixture_is_the_mixture_of_values(evaluator: Evaluator, name: str) -> None:
    one, other = policy(evaluator, 1), policy(evaluator, 2)
    mixed = ESTIMATORS[name](evaluator, 0.3 * one + 0.7 * other).value
    parts = 0.3 * ESTIMATORS[name](evaluator, one).value + 0.7 * ESTIMATORS[name](evaluator, other).value
    np.testing.assert_allclose(mixed, parts, rtol=1e-10)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_seldom_judgements_beside_failures_do_not_lower_quality(uniform: Calls, name: str) -> None:
    """Every call that did not fail is good, one in twenty is judged, one in five fails: answers are worth .8."""
    rng = np.random.default_rng(3)
    failed = rng.random(len(uniform)) < 0.2
    judged = (rng.random(len(uniform)) < 0.05) & ~failed
    seldom = replace(
        uniform, status=np.where(failed, 2, 1), quality=np.where(judged, 1.0, np.nan), cost_usd=np.ones(len(uniform))
    )
    evaluator = Evaluator(sums_of(seldom))
    alike = np.full((len(evaluator.sums.contexts), 4), 0.25)
    assert ESTIMATORS[name](evaluator, alike).value[0] == pytest.approx(0.8, abs=0.03)
    assert evaluator.logged.value[0] == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_calls_in_which_a_policy_can_choose_nothing_are_left_out_of_its_value(uniform: Calls, name: str) -> None:
    some = np.arange(len(uniform)) % 100 == 0
    restricted = replace(
        uniform,
        probabilities=np.array([[0.25] * 4, [1.0, np.nan, np.nan, np.nan]]),
        drawn_from=some.astype(np.int64),
        model=np.where(some, 0, uniform.model),
        propensity=np.where(some, 1.0, 0.25),
    )
    evaluator = Evaluator(sums_of(restricted))
    able = [len(context.eligible) > 1 for context in evaluator.sums.contexts]
    policy = np.zeros((len(able), 4))
    policy[able, 1] = 1.0
    estimate = ESTIMATORS[name](evaluator, policy)
    truth = uniform.quality[~some & (uniform.model == 1)]
    assert estimate.value[0] == pytest.approx(np.nanmean(np.where(np.isnan(truth), 0.0, truth)), abs=0.03)
    assert np.isfinite(estimate.influence).all()


def test_a_uniform_log_gives_its_own_mean_for_the_uniform_policy(uniform: Calls) -> None:
    evaluator = Evaluator(sums_of(uniform))
    alike = np.full((len(evaluator.sums.contexts), 4), 0.25)
    for name in ("ips", "snips", "dr", "awdr"):
        estimate = ESTIMATORS[name](evaluator, alike)
        np.testing.assert_allclose(estimate.value, evaluator.logged.value, rtol=0.02)
