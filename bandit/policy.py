"""From beliefs to choice probabilities: the second half of a decision is only to draw from them.

The order is fixed (DESIGN section 4): eligibility comes with the request, then service levels, utilities,
P(best) over what is left, floor, caps.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from scipy.special import ndtri

from bandit.best import best_probabilities
from bandit.errors import InfeasibleError
from bandit.request import Limits, Request
from bandit.shares import affordable_floors, with_caps, with_floor, with_floors
from bandit.snapshot import Snapshot
from bandit.utility import Forecasts, forecast

BUDGET: Final = "budget"
"""What excludes a model that is too dear for a budget."""

_UNLIMITED: Final = Limits()


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """Choice probabilities for one request, and everything they were computed from.

    `probabilities` covers every model of the snapshot, 0 for those excluded, and sums to 1. `ranking` lists
    the models that may be chosen by falling expected utility. `exclusions` names the limit that excluded a
    model; `least_violation` says that none met the limits and the nearest one was taken.
    """

    probabilities: tuple[float, ...]
    cumulative: tuple[float, ...]
    ranking: tuple[int, ...]
    forecasts: Forecasts
    exclusions: Mapping[str, str]
    least_violation: bool = False


def policy(snapshot: Snapshot, request: Request) -> Distribution:
    """Return the choice probabilities for `request`.

    Raises InfeasibleError when no model is eligible, or none meets the limits and the request does not ask for the
    least violation.
    """
    forecasts = forecast(snapshot, request)
    eligible = [m for m in range(len(snapshot.models)) if request.eligible >> m & 1]
    if not eligible:
        raise InfeasibleError({})
    left, exclusions = _within_limits(snapshot, request, forecasts, eligible)
    if snapshot.budgets and left:
        left, exclusions = _within_budgets(snapshot, request, forecasts, left, exclusions)
    nearest = not left
    if nearest:
        if not request.limits.least_violation:
            raise InfeasibleError(exclusions)
        left = [_least_violating(snapshot, request, forecasts, eligible)]
    utility = forecasts.utility_usd.tolist()
    costs = forecasts.cost_usd.tolist() if forecasts.budget_price else None
    probabilities = _probabilities(snapshot, utility, forecasts.utility_variance.tolist(), left, costs)
    cumulative = list(accumulate(probabilities))
    cumulative[left[-1] :] = [1.0] * (len(cumulative) - left[-1])
    ranking = tuple(sorted(left, key=utility.__getitem__, reverse=True))
    return Distribution(tuple(probabilities), tuple(cumulative), ranking, forecasts, exclusions, nearest)


def _probabilities(
    snapshot: Snapshot, utility: list[float], variance: list[float], left: list[int], costs: list[float] | None
) -> list[float]:
    """`costs` are given where a budget has a price."""
    settings = snapshot.settings
    deviations = [settings.exploration * math.sqrt(variance[m]) for m in left]
    shares = best_probabilities([utility[m] for m in left], deviations)
    if costs is None:
        shares = with_floor(shares, settings.floor)
    else:
        shares = with_floors(shares, affordable_floors(shares, [costs[m] for m in left], settings.floor))
    if settings.caps:
        shares = with_caps(shares, [settings.caps.get(snapshot.models[m].id, 1.0) for m in left])
    probabilities = [0.0] * len(utility)
    for m, share in zip(left, shares, strict=True):
        probabilities[m] = share
    return probabilities


def _within_limits(
    snapshot: Snapshot, request: Request, forecasts: Forecasts, eligible: Sequence[int]
) -> tuple[list[int], dict[str, str]]:
    if request.limits == _UNLIMITED:
        return list(eligible), {}
    exclusions = {}
    for m in eligible:
        violated = {name: size for name, size in _violations(snapshot, request, forecasts, m) if size > 0}
        if violated:
            exclusions[snapshot.models[m].id] = max(violated, key=lambda name: violated[name])
    return [m for m in eligible if snapshot.models[m].id not in exclusions], exclusions


def _within_budgets(
    snapshot: Snapshot, request: Request, forecasts: Forecasts, left: Sequence[int], exclusions: Mapping[str, str]
) -> tuple[list[int], dict[str, str]]:
    """The cheapest model that is left, and those of which a call costs no more than budgets allow a single one."""
    costs = forecasts.cost_usd.tolist()
    largest = max(min(costs[m] for m in left), snapshot.largest_call_usd(request.category, request.profile))
    dearer = {snapshot.models[m].id: BUDGET for m in left if costs[m] > largest}
    return [m for m in left if costs[m] <= largest], {**exclusions, **dearer}


def _violations(snapshot: Snapshot, request: Request, forecasts: Forecasts, m: int) -> list[tuple[str, float]]:
    """By how much model m violates each limit, relative to its size; at most 0 where it meets it."""
    limits = request.limits
    found = []
    if limits.max_cost_usd is not None:
        found.append(("max_cost_usd", _excess(float(forecasts.cost_usd[m]), limits.max_cost_usd)))
    if limits.max_latency_s is not None:
        tail_s = latency_quantile_s(snapshot, request.category, m, limits.latency_probability)
        found.append(("max_latency", _excess(tail_s, limits.max_latency_s)))
    if limits.min_quality is not None:
        found.append(("min_quality", _excess(limits.min_quality, float(forecasts.quality[m]))))
    return found


def latency_quantile_s(snapshot: Snapshot, category: str, m: int, probability: float) -> float:
    """Return the latency that a call to model m stays below with this probability: the predictive tail."""
    expected, row = snapshot.expectations, snapshot.row(category)
    deviation = float(expected.log_latency_deviation[row, m])
    return math.exp(float(expected.log_latency[row, m]) + float(ndtri(probability)) * deviation)


def _excess(value: float, bound: float) -> float:
    return (value - bound) / max(abs(bound), 1e-12)


def _least_violating(snapshot: Snapshot, request: Request, forecasts: Forecasts, eligible: Sequence[int]) -> int:
    def total(m: int) -> float:
        return sum(max(0.0, size) for _, size in _violations(snapshot, request, forecasts, m))

    return min(eligible, key=total)
