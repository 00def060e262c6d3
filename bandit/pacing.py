"""The price that meets a budget: a multiplier on dollars, from what the posterior expects of the traffic that is.

With a price lambda a model is worth V answer - (1 + lambda) cost - second latency: lambda is the dual variable of the
budget constraint. What would be spent per request at a price,

    S(lambda) = sum over groups g of w_g sum over m of p_gm(lambda) cost_gm,

falls in lambda, so the price is where it meets the target (`bandit.budget`); 0 where S(0) is below it. The weights w
are the shares of billed requests per category and profile, p the policy's own probabilities: with floors, caps and
what stays with a baseline, without the limits of single requests and the guard. So a change of a list price moves the
price of money at once, and what was billed corrects what was expected.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

from bandit.budget import Budget, PricedBudget, account
from bandit.request import Objective
from bandit.shares import with_caps
from bandit.snapshot import Snapshot
from bandit.spend import HOUR, MINUTE_US, Spend

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MAX_GROUPS: Final = 64
"""Groups that prices are computed from, those with the most requests; a budget has at least its own `OWN_GROUPS`."""
OWN_GROUPS: Final = 8
HALF_LIFE_DAYS: Final = 1.0
"""Of a request's weight in the shares of the groups."""
UNSEEN_REQUESTS: Final = 20.0
"""What all categories together weigh before anything was billed."""
ROUNDS: Final = 3
"""Of pricing each budget given the prices of the others."""
LARGEST: Final = 1e12
"""Multiplier on dollars beyond which no price goes."""
_PRECISION: Final = 1e-3
"""Of the logarithm of a multiplier."""
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(12)
_TINY: Final = 1e-300
_SETTLED: Final = 1.01
"""Where not even the largest price meets the target, one that comes this near to what can be met is enough."""


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """The traffic that is, as G groups of requests of typical size; arrays of shape (G, M), weights (G,), caps (M,).

    `worth` is what a model is worth in dollars but for its cost; variances are those of the posterior. `reserved` is
    the share of the requests that a baseline gets whatever the policy would draw.
    """

    groups: tuple[tuple[str, str], ...]
    weights: Floats
    worth: Floats
    worth_variance: Floats
    cost: Floats
    cost_variance: Floats
    reserved: Floats
    caps: Floats
    exploration: float
    floor: float

    def of_groups(self, wanted: Flags) -> "Demand":
        """Return the traffic of some groups; `wanted` has shape (G,)."""
        return replace(
            self,
            groups=tuple(compress(self.groups, wanted)),
            weights=self.weights[wanted],
            worth=self.worth[wanted],
            worth_variance=self.worth_variance[wanted],
            cost=self.cost[wanted],
            cost_variance=self.cost_variance[wanted],
            reserved=self.reserved[wanted],
        )

    def usd_per_request(self, multipliers: Floats, largest: Floats) -> float:
        """Return what a request costs on average where dollars count `multipliers` fold; shapes (G,).

        No call costs more than `largest`, but for the cheapest.
        """
        usd = (self.probabilities(multipliers, largest) * self.cost).sum(axis=1)
        return float(self.weights @ usd / self.weights.sum())

    def probabilities(self, multipliers: Floats, largest: Floats) -> Floats:
        """Return how the policy chooses in each group, shape (G, M); models dearer than `largest` have 0."""
        times = multipliers[:, None]
        reachable = self.cost <= np.maximum(largest[:, None], self.cost.min(axis=1, keepdims=True))
        deviation = self.exploration * np.sqrt(self.worth_variance + times**2 * self.cost_variance)
        best = _best_probabilities(self.worth - times * self.cost, deviation, reachable)
        chosen = self._within_caps(self._with_floors(best, reachable), reachable)
        reserved = self.reserved * reachable
        mixed: Floats = reserved + (1.0 - reserved.sum(axis=1, keepdims=True)) * chosen
        return mixed

    def _with_floors(self, chosen: Floats, reachable: Flags) -> Floats:
        average = (chosen * self.cost).sum(axis=1, keepdims=True)
        floors = self.floor * np.minimum(1.0, average / np.maximum(self.cost, _TINY)) * reachable
        mixed: Floats = floors + (1.0 - floors.sum(axis=1, keepdims=True)) * chosen
        return mixed

    def _within_caps(self, chosen: Floats, reachable: Flags) -> Floats:
        capped = chosen.copy()
        for g in np.flatnonzero(((chosen > self.caps) & (self.caps < 1.0)).any(axis=1)):
            row = reachable[g]
            capped[g, row] = with_caps(chosen[g, row].tolist(), self.caps[row].tolist())
        return capped


def priced(
    snapshot: Snapshot,
    budgets: Sequence[Budget],
    spend: Spend,
    now_us: int,
    *,
    objectives: Mapping[str, Objective],
    input_tokens: Mapping[str, int],
) -> tuple[PricedBudget, ...]:
    """Return the budgets with their prices at `now_us`, a pure function of its arguments.

    `objectives` by profile have that of requests without one under ""; `input_tokens` is the typical prompt of each
    category, with that of others under "". Budgets share the burden: each is priced given the prices of the others.
    """
    if not budgets:
        return ()
    demand = demand_of(snapshot, budgets, spend, now_us, objectives, input_tokens)
    accounts = [account(budget, spend, now_us) for budget in budgets]
    covered = np.array([[budget.covers(*group) for group in demand.groups] for budget in budgets], dtype=np.bool_)
    largest = np.array([standing.largest_usd for standing in accounts])[:, None]
    largest_of_group = np.where(covered, largest, np.inf).min(axis=0)
    demands = [demand.of_groups(wanted) for wanted in covered]
    prices = np.zeros(len(budgets))
    for _ in range(ROUNDS if (covered.sum(axis=0) > 1).any() else 1):
        for b, (wanted, standing) in enumerate(zip(covered, accounts, strict=True)):
            prices[b] = 0.0
            own = Share(demands[b], 1.0 + (prices @ covered)[wanted], largest_of_group[wanted])
            prices[b] = own.price(standing.target_usd)
    return tuple(map(PricedBudget, budgets, accounts, prices.tolist()))


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """What one budget pays for of the demand, beside the multipliers of the others; arrays of shape (G,)."""

    demand: Demand
    multipliers: Floats
    largest: Floats

    def usd_per_request(self, price: float) -> float:
        """Return what is spent on average at a price."""
        return self.demand.usd_per_request(self.multipliers + price, self.largest)

    def price(self, target_usd: float) -> float:
        """Return the price at which the target is spent; 0 where less is spent without one."""
        if not self.demand.weights.any():
            return 0.0
        target = max(target_usd, _SETTLED * self.usd_per_request(LARGEST))
        if self.usd_per_request(0.0) <= target:
            return 0.0

        def excess(log_multiplier: float) -> float:
            return math.log(self.usd_per_request(math.expm1(log_multiplier)) / target)

        return math.expm1(float(brentq(excess, 0.0, math.log(LARGEST), xtol=_PRECISION)))


def demand_of(
    snapshot: Snapshot,
    budgets: Sequence[Budget],
    spend: Spend,
    now_us: int,
    objectives: Mapping[str, Objective],
    input_tokens: Mapping[str, int],
) -> Demand:
    """Return the traffic as it was billed; before anything was, each known category counts the same."""
    weights = _weights(snapshot, budgets, spend, now_us)
    groups = _heaviest(weights, budgets)
    rows = [snapshot.row(category) for category, _ in groups]
    enabled = [m for m, model in enumerate(snapshot.models) if model.enabled]
    values = np.array([objectives.get(profile, objectives[""]) for _, profile in groups])
    tokens = np.array([[float(input_tokens.get(category, input_tokens[""]))] for category, _ in groups])
    at, expected = np.ix_(rows, enabled), snapshot.expectations
    answer_usd, second_usd = values[:, :1], values[:, 1:]
    waiting_usd = second_usd * expected.latency_s[at]
    input_usd, output_usd = expected.input_usd[at] * tokens, expected.output_usd[at]
    return Demand(
        groups=groups,
        weights=np.array([weights[group] for group in groups]),
        worth=answer_usd * (expected.answer[at] - expected.doubt[at]) - waiting_usd,
        worth_variance=answer_usd**2 * expected.answer_variance[at] + waiting_usd**2 * expected.latency_variance[at],
        cost=input_usd + output_usd,
        cost_variance=input_usd**2 * expected.input_variance[at] + output_usd**2 * expected.output_variance[at],
        reserved=_reserved(snapshot, groups, enabled),
        caps=np.array([snapshot.caps[m] for m in enabled] if snapshot.caps else [1.0] * len(enabled)),
        exploration=snapshot.settings.exploration,
        floor=snapshot.settings.floor,
    )


def _reserved(snapshot: Snapshot, groups: Sequence[tuple[str, str]], enabled: Sequence[int]) -> Floats:
    modes = [snapshot.settings.mode(category) for category, _ in groups]
    ids = [snapshot.models[m].id for m in enabled]
    return np.array([[(1.0 - mode.observe_share) * (id_ == mode.baseline) for id_ in ids] for mode in modes])


def _weights(snapshot: Snapshot, budgets: Sequence[Budget], spend: Spend, now_us: int) -> dict[tuple[str, str], float]:
    categories = {*snapshot.rows, *(budget.category for budget in budgets if budget.category)} or {""}
    known = [(category, profile) for category in categories for profile in {budget.profile for budget in budgets}]
    weights = dict.fromkeys(known, UNSEEN_REQUESTS / len(known))
    age_days = (now_us // MINUTE_US - spend.starts) / (24.0 * HOUR)
    recent = spend.tallies[0].sum(axis=0) @ np.exp2(-np.maximum(age_days, 0.0) / HALF_LIFE_DAYS)
    for group, requests in zip(spend.groups, recent.tolist(), strict=True):
        weights[group] = weights.get(group, 0.0) + requests
    return weights


def _heaviest(weights: Mapping[tuple[str, str], float], budgets: Sequence[Budget]) -> tuple[tuple[str, str], ...]:
    """Return the groups with the most requests, overall and of each budget, heaviest first."""
    ranked = sorted(sorted(weights), key=weights.__getitem__, reverse=True)
    own = (group for budget in budgets for group in [one for one in ranked if budget.covers(*one)][:OWN_GROUPS])
    kept = {*ranked[:MAX_GROUPS], *own}
    return tuple(group for group in ranked if group in kept)


def _best_probabilities(means: Floats, deviations: Floats, reachable: Flags) -> Floats:
    """Return P(m is the largest of the reachable) in each row, to about a percent: Gauss-Hermite nodes of each."""
    # What is out of reach must not set the scale: far below the others, it would blur all that tells them apart.
    means, deviations = np.where(reachable, means, 0.0), np.where(reachable, deviations, 0.0)
    sd = np.maximum(deviations, 1e-9 * (np.abs(means).max(axis=1, keepdims=True) + _TINY))
    means, sd = means.T, sd.T
    nodes = means[..., None] + sd[..., None] * _NODES
    below = np.ones_like(nodes)
    for mean, deviation, rival in zip(means, sd, reachable.T, strict=True):
        z = nodes - mean[:, None]
        z /= deviation[:, None]
        np.multiply(below, ndtr(z, out=z), out=below, where=rival[:, None])
    # Its own distribution function, which is a factor too, is that of the nodes.
    mass = (below @ (_WEIGHTS / ndtr(_NODES)) + _TINY) * reachable.T
    shares: Floats = (mass / mass.sum(axis=0)).T
    return shares
