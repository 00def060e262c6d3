"""Service levels: which models keep the limits of a request, judged by the unscaled posterior.

Expected cost and mean quality are known of every model, if only from the prior. Whether a latency holds with
probability p is not: the predictive tail of a model that was never called is long. Such a model is neither known to
keep a limit on latency nor to break it, so it is undecided: it gets a small share until it is decided.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from scipy.special import ndtri

from bandit.best import best_probabilities
from bandit.errors import InfeasibleError
from bandit.modes import Reason
from bandit.request import Limits, Request
from bandit.snapshot import Snapshot
from bandit.utility import Forecasts

UNLIMITED: Final = Limits()

BUDGET: Final = "budget"
"""What excludes a model that is too dear for a budget."""

_FAVOURABLE: Final = 2.3263478740408408
"""One-sided 99 % bound of the mean log latency: a model that breaks a limit even there is known to."""


class Kept(NamedTuple):
    """Positions of models that keep the limits, and of those that may; `exclusions` names what the others break.

    With a `reason` nothing is known to keep them, and `shares` are the probabilities of `models`, the nearest ones.
    """

    models: list[int]
    undecided: list[int]
    exclusions: dict[str, str]
    reason: Reason | None = None
    shares: list[float] | None = None


class _Excess(NamedTuple):
    """By how much a limit is broken, relative to its size, at most 0 where it is kept; and how unsure that is.

    Cost is sure: it is mostly prices, and nobody should pay for exploring what is too dear already.
    """

    limit: str
    size: float
    deviation: float


def within_limits(snapshot: Snapshot, request: Request, forecasts: Forecasts, eligible: Sequence[int]) -> Kept:
    """Return which of the eligible models keep the limits of the request.

    Raises InfeasibleError where none does or may, and the request does not ask for the least violation.
    """
    if request.limits == UNLIMITED:
        return Kept(list(eligible), [], {})
    exclusions: dict[str, str] = {}
    kept, undecided, excesses = [], [], {}
    for m in eligible:
        excesses[m] = _excesses(snapshot, request, forecasts, m)
        broken = [excess for excess in excesses[m] if excess.size > 0.0]
        if not broken:
            kept.append(m)
        elif [excess.limit for excess in broken] == ["max_latency"] and _may_be_fast(snapshot, request, m):
            undecided.append(m)
        else:
            exclusions[snapshot.models[m].id] = max(broken, key=lambda excess: excess.size).limit
    if kept:
        return Kept(kept, undecided, exclusions)
    if request.limits.least_violation:
        exclusions |= {snapshot.models[m].id: "max_latency" for m in undecided}
        return _nearest(excesses, exclusions, Reason.LEAST_VIOLATION, snapshot.settings.exploration)
    if undecided:
        candidates = {m: excesses[m] for m in undecided}
        return _nearest(candidates, exclusions, Reason.LATENCY_UNKNOWN, snapshot.settings.exploration)
    raise InfeasibleError(exclusions)


def within_budgets(snapshot: Snapshot, request: Request, forecasts: Forecasts, kept: Kept) -> Kept:
    """Keep the cheapest of these models, and those of which a call costs no more than budgets allow a single one.

    Where none of those known to keep the limits is left, the undecided are judged by themselves, which gives a reason.
    """
    if not snapshot.budgets:
        return kept
    costs = forecasts.cost_usd.tolist()
    candidates = kept.models + kept.undecided
    allowed = snapshot.largest_call_usd(request.category, request.profile)
    largest = max(allowed, min(costs[m] for m in candidates))
    dearer = {snapshot.models[m].id: BUDGET for m in candidates if costs[m] > largest}
    if not dearer:
        return kept
    exclusions = {**kept.exclusions, **dearer}
    undecided = [m for m in kept.undecided if costs[m] <= largest]
    affordable = [place for place, m in enumerate(kept.models) if costs[m] <= largest]
    if not affordable:
        rejudged = within_limits(snapshot, request, forecasts, undecided)
        return rejudged._replace(exclusions={**exclusions, **rejudged.exclusions})
    models = [kept.models[place] for place in affordable]
    shares = None if kept.shares is None else _rescaled([kept.shares[place] for place in affordable])
    return Kept(models, undecided, exclusions, kept.reason, shares)


def latency_quantile_s(snapshot: Snapshot, category: str, m: int, probability: float) -> float:
    """Return the latency that a call to model m stays below with this probability: the predictive tail."""
    expected, row = snapshot.expectations, snapshot.row(category)
    deviation = float(expected.log_latency_deviation[row, m])
    return math.exp(float(expected.log_latency[row, m]) + float(ndtri(probability)) * deviation)


def _excesses(snapshot: Snapshot, request: Request, forecasts: Forecasts, m: int) -> list[_Excess]:
    limits, expected, row = request.limits, snapshot.expectations, snapshot.row(request.category)
    found = []
    if limits.max_cost_usd is not None:
        cost, bound = float(forecasts.cost_usd[m]), _positive(limits.max_cost_usd)
        found.append(_Excess("max_cost_usd", (cost - bound) / bound, 0.0))
    if limits.max_latency_s is not None:
        tail_s = latency_quantile_s(snapshot, request.category, m, limits.latency_probability)
        bound = _positive(limits.max_latency_s)
        relative = math.sqrt(float(expected.latency_variance[row, m]))
        found.append(_Excess("max_latency", (tail_s - bound) / bound, tail_s * relative / bound))
    if limits.min_quality is not None:
        bound = _positive(limits.min_quality)
        quality, deviation = float(forecasts.quality[m]), math.sqrt(_quality_variance(snapshot, row, m))
        found.append(_Excess("min_quality", (limits.min_quality - quality) / bound, deviation / bound))
    return found


def _quality_variance(snapshot: Snapshot, row: int, m: int) -> float:
    return float(snapshot.posterior.quality.variance[row, snapshot.posterior.models.index(snapshot.models[m].id)])


def _rescaled(shares: list[float]) -> list[float]:
    total = sum(shares)
    return [share / total for share in shares]


def _positive(bound: float) -> float:
    return max(bound, 1e-12)


def _may_be_fast(snapshot: Snapshot, request: Request, m: int) -> bool:
    """Whether the limit on latency holds if the mean of this model is as low as it may be; any, if never called."""
    limits, expected, row = request.limits, snapshot.expectations, snapshot.row(request.category)
    if snapshot.posterior.latency.weight[row, snapshot.posterior.models.index(snapshot.models[m].id)] == 0.0:
        return True
    uncertainty = float(expected.latency_variance[row, m])
    spread = max(float(expected.log_latency_deviation[row, m]) ** 2 - uncertainty, 0.0)
    favourable = float(expected.log_latency[row, m]) - _FAVOURABLE * math.sqrt(uncertainty)
    tail = favourable + float(ndtri(limits.latency_probability)) * math.sqrt(spread)
    return limits.max_latency_s is not None and tail <= math.log(_positive(limits.max_latency_s))


def _nearest(
    excesses: dict[int, list[_Excess]], exclusions: dict[str, str], reason: Reason, exploration: float
) -> Kept:
    """Draw by the probability of breaking the limits least, so that what is unknown comes to be known."""
    models = list(excesses)
    broken = [[excess for excess in excesses[m] if excess.size > 0.0] for m in models]
    totals = [-sum(excess.size for excess in one) for one in broken]
    deviations = [exploration * math.hypot(*(excess.deviation for excess in one)) for one in broken]
    shares = best_probabilities(totals, deviations)
    near = [place for place, share in enumerate(shares) if share > 0.0]
    return Kept([models[place] for place in near], [], exclusions, reason, [shares[place] for place in near])
