"""Intervals are as wide as their formulas say, found here in other ways."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, stats

from adapters.traffic.calls import Calls
from bandit.request import Objective
from simulations.offpolicy.collapse import sums_of
from simulations.offpolicy.components import observed, weights_of
from simulations.offpolicy.estimators import Evaluator
from simulations.offpolicy.intervals import (
    WeightedMoments,
    bernstein,
    cressie_read,
    quantile,
    simultaneous_ratio,
    standard_error,
    student,
)
from simulations.offpolicy.moments import moments_of

Floats = NDArray[np.float64]
RNG = np.random.default_rng(11)


def moments(w: Floats, r: Floats) -> WeightedMoments:
    means = [float(x.mean()) for x in (w, w * w, w * r, w * w * r, w * w * r * r)]
    return WeightedMoments._make((float(len(w)), *means, float(w.max()), 0.0, 1.0))


def test_the_student_interval_of_a_mean_is_the_textbook_one() -> None:
    values = RNG.normal(3.0, 2.0, 40)
    influence = (values - values.mean()) / len(values)
    found = student(float(values.mean()), influence, 0.05)
    half = stats.sem(values) * quantile(influence, 0.05)
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half))
    assert standard_error(influence) == pytest.approx(stats.sem(values))


def test_a_few_large_influences_make_the_interval_wider() -> None:
    even, uneven = np.tile([1.0, -1.0], 50), np.r_[np.full(98, 0.01), 7.0, -7.0]
    assert quantile(even, 0.05) == pytest.approx(stats.t.ppf(0.975, 99))
    assert quantile(uneven, 0.05) > 1.3 * quantile(even, 0.05)


def test_one_influence_tells_nothing_of_a_spread() -> None:
    assert not np.isfinite(standard_error(np.array([0.0])))


def test_equal_policies_need_no_wider_intervals_and_independent_ones_need_those_of_bonferroni() -> None:
    one = RNG.normal(size=60)
    assert simultaneous_ratio(np.stack([one] * 20), 0.05, np.random.default_rng(1)) == pytest.approx(1.0, abs=0.03)
    independent = RNG.normal(size=(20, 400))
    bonferroni = stats.norm.isf(0.05 / 40) / stats.norm.isf(0.025)
    found = simultaneous_ratio(independent, 0.05, np.random.default_rng(1))
    assert found == pytest.approx(bonferroni, rel=0.05)
    assert found <= bonferroni


def best_reweighted(w: Floats, r: Floats, sign: float, radius: float) -> float:
    """The least (sign 1) or the largest mean of w r over reweightings near the calls, by a general optimizer."""
    least, value = (1.0 - w.mean()) ** 2 / w.var(), w * r

    def objective(d: Floats) -> float:
        return float(sign * (value * (1.0 + d)).mean())

    constraints: list[Any] = [
        {"type": "eq", "fun": lambda d: d.mean()},
        {"type": "eq", "fun": lambda d: (w * (1.0 + d)).mean() - 1.0},
        {"type": "ineq", "fun": lambda d: least + radius - (d**2).mean()},
    ]
    found = optimize.minimize(
        objective, np.zeros(len(w)), constraints=constraints, options={"maxiter": 500, "ftol": 1e-12}
    )
    assert found.success, found.message
    return float(sign * found.fun)


def test_cressie_read_is_the_best_reweighting_near_the_calls_and_one_that_nobody_saw() -> None:
    n = 40
    w, r = np.where(RNG.random(n) < 0.3, 3.0, 0.2), RNG.random(n)
    seen = moments(w, r)
    found, radius = cressie_read(seen, 0.05), float(stats.f.ppf(0.95, 1, n - 1)) / n
    unseen = np.r_[w, seen.ww / seen.w]
    assert found.low == pytest.approx(best_reweighted(unseen, np.r_[r, 0.0], 1.0, radius), abs=1e-4)
    assert found.high == pytest.approx(best_reweighted(unseen, np.r_[r, 1.0], -1.0, radius), abs=1e-4)


def test_bernstein_has_the_width_of_its_theorem() -> None:
    w, r = np.where(RNG.random(5000) < 0.5, 2.0, 0.0), RNG.random(5000)
    found = bernstein(moments(w, r), 0.05)
    x, n, log = w * r, 5000, np.log(4.0 / 0.05)
    half = np.sqrt(2.0 * x.var(ddof=1) * log / n) + 7.0 * 2.0 * log / (3.0 * (n - 1))
    assert found.high - found.low == pytest.approx(2.0 * half, rel=1e-6)


def test_moments_are_those_of_a_loop_over_the_calls(calls: Calls) -> None:
    evaluator = Evaluator(sums_of(calls))
    arms, objective = evaluator.arms, Objective()
    policy = RNG.dirichlet(np.ones(4), len(evaluator.sums.contexts))
    usable = np.isin(calls.kind, (-1, 1, 2)) & np.isfinite(calls.propensity)
    components, known = observed(calls)
    names = [context.category for context in evaluator.sums.contexts]
    found = np.zeros(5)
    for t in np.flatnonzero(usable):
        x = names.index(calls.categories[calls.category[t]])
        m = evaluator.sums.models.index(calls.models[calls.model[t]])
        w = policy[x, m] / calls.propensity[t]
        scale = known[t, :3] / arms.known[arms.category[x], m, :3]
        r = float((components[t, :3] * scale) @ weights_of(objective)[:3])
        found += (w, w * w, w * r, w * w * r, w * w * r * r)
    np.testing.assert_allclose(moments_of(evaluator, policy, objective)[1:6], found / usable.sum(), rtol=1e-9)
