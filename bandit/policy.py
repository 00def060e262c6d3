"""From beliefs to choice probabilities: the second half of a decision is only to draw from them.

The order is fixed (DESIGN section 4): eligibility comes with the request, then service levels, utilities, what the
mode of the category prefers of what is left, floor, caps; at last what stays with the baseline.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final

import numpy as np

from bandit.baseline import guard_allows, observed
from bandit.best import best_probabilities
from bandit.cheapest import Preference, cheapest_within
from bandit.errors import InfeasibleError
from bandit.limits import Kept, within_budgets, within_limits
from bandit.modes import Mode, Reason
from bandit.request import Request
from bandit.shares import affordable_floors, with_caps, with_floor, with_floors
from bandit.signals import Kind
from bandit.snapshot import Snapshot
from bandit.utility import Forecasts, forecast

_TRIED: Final = 0.5
"""Share of a latency limit's tolerance that is spent on models whose latency is not known yet."""


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """Choice probabilities for one request, and everything they were computed from.

    `probabilities` covers every model of the snapshot, 0 for those excluded, and sums to 1. `ranking` lists the models
    that may be chosen by falling preference: expected utility, or what the mode of the category prefers. `exclusions`
    names the limit that excluded a model, `reason` what is out of the ordinary. `kind` is BASELINE where the baseline
    is played whatever the policy would do. `intended` is what it would have done; None where it does so.
    """

    probabilities: tuple[float, ...]
    cumulative: tuple[float, ...]
    ranking: tuple[int, ...]
    forecasts: Forecasts
    exclusions: Mapping[str, str]
    reason: Reason | None = None
    kind: Kind = Kind.SAMPLED
    intended: tuple[float, ...] | None = None


def policy(snapshot: Snapshot, request: Request) -> Distribution:
    """Return the choice probabilities for `request`.

    Raises InfeasibleError when no model is eligible, or none meets the limits and the request does not ask for the
    least violation.
    """
    forecasts = forecast(snapshot, request)
    eligible = [m for m in range(len(snapshot.models)) if request.eligible >> m & 1]
    if not eligible:
        raise InfeasibleError({})
    kept = within_budgets(snapshot, request, forecasts, within_limits(snapshot, request, forecasts, eligible))
    mode = snapshot.settings.mode(request.category)
    preference = _preference(snapshot, request, forecasts, kept, mode)
    models = kept.models + kept.undecided
    probabilities = [0.0] * len(snapshot.models)
    for m, share in zip(models, _shares(snapshot, request, forecasts, kept, preference.shares), strict=True):
        probabilities[m] = share
    ranking = *[kept.models[place] for place in preference.order], *kept.undecided
    drawn = Distribution(
        tuple(probabilities), _cumulative(probabilities), ranking, forecasts, kept.exclusions, kept.reason
    )
    return _beside_baseline(snapshot, request, kept, mode, drawn) if mode.baseline else drawn


def _preference(snapshot: Snapshot, request: Request, forecasts: Forecasts, kept: Kept, mode: Mode) -> Preference:
    """Return what is best of the models that keep the limits, before floor and caps."""
    models = kept.models
    if kept.shares is not None:
        return Preference(kept.shares, sorted(range(len(models)), key=kept.shares.__getitem__, reverse=True))
    if mode.cheapest_within is not None:
        row, expected, cost = snapshot.row(request.category), snapshot.expectations, forecasts.cost_usd.tolist()
        answer, variance = expected.answer[row].tolist(), expected.answer_variance[row].tolist()
        return cheapest_within(
            [answer[m] for m in models],
            [math.sqrt(variance[m]) for m in models],
            [cost[m] for m in models],
            mode.cheapest_within,
        )
    means, variance = forecasts.utility_usd.tolist(), forecasts.utility_variance.tolist()
    doubt = snapshot.expectations.doubt[snapshot.row(request.category)].tolist()
    value, exploration = request.objective.answer_value_usd, snapshot.settings.exploration
    shares = best_probabilities(
        [means[m] - value * doubt[m] for m in models], [exploration * math.sqrt(variance[m]) for m in models]
    )
    return Preference(shares, sorted(range(len(models)), key=lambda place: means[models[place]], reverse=True))


def _shares(
    snapshot: Snapshot, request: Request, forecasts: Forecasts, kept: Kept, preferred: list[float]
) -> list[float]:
    """Return the probabilities of the models kept and of those undecided, within floor and caps."""
    shares = preferred
    if kept.undecided:
        tried = _TRIED * (1.0 - request.limits.latency_probability)
        each = tried / len(kept.undecided)
        shares = [*((1.0 - tried) * share for share in preferred), *(each for _ in kept.undecided)]
    if kept.reason is None:
        shares = _with_floors(shares, snapshot.settings.floor, forecasts, kept.models + kept.undecided)
    if snapshot.caps:
        shares = with_caps(shares, [snapshot.caps[m] for m in kept.models + kept.undecided])
    return shares


def _with_floors(shares: list[float], floor: float, forecasts: Forecasts, models: list[int]) -> list[float]:
    if not forecasts.budget_price:
        return with_floor(shares, floor)
    costs = forecasts.cost_usd.tolist()
    return with_floors(shares, affordable_floors(shares, [costs[m] for m in models], floor))


def _beside_baseline(snapshot: Snapshot, request: Request, kept: Kept, mode: Mode, drawn: Distribution) -> Distribution:
    """Give the baseline what observation and guard leave to it. One that cannot serve the request gets nothing."""
    baseline = next((m for m in kept.models if snapshot.models[m].id == mode.baseline), None)
    if baseline is None or kept.reason is not None:
        return replace(drawn, reason=kept.reason or Reason.BASELINE_EXCLUDED)
    share, forecasts = mode.observe_share, drawn.forecasts
    if mode.guard and not guard_allows(
        mode.guard,
        baseline,
        snapshot.expectations.outcomes[snapshot.row(request.category)],
        forecasts.utility_usd,
        np.sqrt(forecasts.utility_variance),
        drawn.probabilities,
    ):
        share = 0.0
    if share == 1.0:
        return drawn
    mixed = observed(drawn.probabilities, baseline, share)
    return replace(
        drawn,
        probabilities=tuple(mixed),
        cumulative=_cumulative(mixed),
        kind=Kind.SAMPLED if share else Kind.BASELINE,
        intended=drawn.probabilities if tuple(mixed) != drawn.probabilities else None,
    )


def _cumulative(probabilities: Sequence[float]) -> tuple[float, ...]:
    """Add up; the last model that can be drawn gets what rounding leaves over."""
    cumulative, last = list(accumulate(probabilities)), len(probabilities) - 1
    while probabilities[last] <= 0.0:
        last -= 1
    cumulative[last:] = [1.0] * (len(cumulative) - last)
    return tuple(cumulative)
