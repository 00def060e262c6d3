"""Limits beside budgets, and what breaks a limit least."""

from dataclasses import replace

import pytest

from bandit.best import best_probabilities
from bandit.budget import Account, Budget, PricedBudget
from bandit.catalogue import Model, Prices
from bandit.modes import MAXIMIZE, Mode, Reason
from bandit.policy import policy
from bandit.posterior import infer
from bandit.priors import InferenceSettings
from bandit.request import Limits, Request
from bandit.signals import Kind
from bandit.snapshot import PolicySettings, Snapshot, snapshot_of
from bandit.sums import Moments, RowKey, Sums, add_rows, with_axes

ONE = 1 << 20
MODELS = (Model("dear", Prices(0.0, 100.0)), Model("new", Prices(0.0, 0.1)), Model("other", Prices(0.0, 0.1)))
FAST = 0.05
"""Mean ln seconds."""
QUICKLY = Request("chat", eligible=0b111, input_tokens=100, limits=Limits(max_latency_s=3.0))


def snapshot(rows: dict[RowKey, Moments], settings: PolicySettings) -> Snapshot:
    sums = with_axes(add_rows(Sums.empty(10**7), rows), ["chat"], [model.id for model in MODELS])
    return snapshot_of(infer(sums, 0, InferenceSettings()), MODELS, settings)


def only_dear_is_known(mode: Mode = MAXIMIZE) -> Snapshot:
    rows = {
        RowKey("chat", "dear", "latency", "", 0): Moments(1000, 0, int(FAST * 1000 * ONE)),
        RowKey("chat", "dear", "error", "", 0): Moments(1000, 0, 0),
    }
    return snapshot(rows, PolicySettings(modes={"default": mode}))


def tight(seen: Snapshot) -> Snapshot:
    """With a budget for which a call of the dear model is too much."""
    standing = Account(0.0, 0, 1e-4, 2.5e-3, 0.0)
    return replace(seen, budgets=(PricedBudget(Budget("b", usd_per_request=1e-4), standing, 5.0),))


def test_where_a_budget_leaves_no_model_that_is_known_to_be_fast_it_is_said():
    assert policy(only_dear_is_known(), QUICKLY).reason is None
    distribution = policy(tight(only_dear_is_known()), QUICKLY)
    assert distribution.reason is Reason.LATENCY_UNKNOWN
    assert distribution.exclusions == {"dear": "budget"}
    assert distribution.probabilities == pytest.approx([0.0, 0.5, 0.5], abs=1e-6)


def test_then_the_least_violation_is_chosen_where_it_is_asked_for():
    request = QUICKLY._replace(limits=Limits(max_latency_s=3.0, least_violation=True))
    distribution = policy(tight(only_dear_is_known()), request)
    assert distribution.reason is Reason.LEAST_VIOLATION
    assert distribution.probabilities[0] == 0.0


def test_a_baseline_whose_latency_is_not_known_does_not_pass_as_known_beside_a_budget():
    distribution = policy(tight(only_dear_is_known(Mode(baseline="new", observe_share=0.0))), QUICKLY)
    assert distribution.reason is Reason.LATENCY_UNKNOWN
    assert distribution.kind is Kind.SAMPLED
    assert distribution.probabilities[2] == pytest.approx(0.5, abs=1e-6)


def test_a_model_that_is_known_to_be_fast_is_kept_if_a_budget_allows_it():
    affordable = tight(only_dear_is_known())
    (budget,) = affordable.budgets
    seen = replace(affordable, budgets=(budget._replace(account=budget.account._replace(largest_usd=1.0)),))
    distribution = policy(seen, QUICKLY)
    assert distribution.reason is None
    assert distribution.probabilities[0] > 0.9


@pytest.mark.parametrize("bound", [0.5, 0.9])
def test_least_violation_of_a_quality_draws_by_what_is_known_of_quality_whatever_the_bound(bound):
    """Calls fail every other time: how sure the answers are is not how sure their quality is."""
    rows = {}
    for model, good in (("dear", 8), ("new", 7), ("other", 6)):
        rows[RowKey("chat", model, "quality", "thumb", 0)] = Moments(20, good * ONE, good * ONE)
        rows[RowKey("chat", model, "error", "", 0)] = Moments(20, 10 * ONE, 10 * ONE)
    seen = snapshot(rows, PolicySettings(exploration=1.0))
    limits = Limits(min_quality=bound, least_violation=True)
    distribution = policy(seen, QUICKLY._replace(limits=limits))
    quality, columns = seen.posterior.quality, [seen.posterior.models.index(model.id) for model in MODELS]
    assert quality.mean[0].max() < bound
    drawn = best_probabilities(quality.mean[0, columns].tolist(), (quality.variance[0, columns] ** 0.5).tolist())
    assert distribution.probabilities == pytest.approx(drawn, abs=1e-3)
    assert max(drawn) < 0.9
