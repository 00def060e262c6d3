"""Whether the numbers can be believed: calibration of propensities, what is missing, whether estimators agree."""

import math
from collections.abc import Sequence
from typing import Any, Final

from simulations.page.charts.spec import Spec, axis, label, per_thousand, spec
from simulations.page.fields import Interval
from simulations.page.palette import COLOURS, QUIET
from simulations.page.result import Bin, Result

PARTS: Final = {"answer": "judged", "cost_usd": "cost known", "latency_s": "latency known", "error": "status known"}
_WIDE: Final = ("bernstein",)
"""Bounds so wide that nothing else could be seen beside them; they are among the numbers."""
ESTIMATORS: Final = {
    "on_policy": "on-policy mean",
    "ips": "IPS",
    "snips": "SNIPS",
    "dm": "DM (model-based)",
    "dr": "DR",
    "awdr": "adaptively weighted DR",
    "cressie_read": "Cressie-Read",
}


def calibration(result: Result) -> Spec | None:
    """Return how often models were drawn against how often they should have been; None where that is unknown."""
    bins = [b for b in result.calibration if b.expected is not None and b.chosen is not None]
    if not bins:
        return None
    bar = {"type": "data", "array": [_spread(b, result.deviations) for b in bins], "thickness": 1.2, "width": 4}
    found = {
        "x": [b.expected for b in bins],
        "y": [b.chosen for b in bins],
        "error_y": bar,
        "mode": "markers",
        "marker": {"color": COLOURS[0], "size": 9},
        "name": "drawn",
        "customdata": [b.n for b in bins],
        "hovertemplate": "expected %{x:.1%}, drawn %{y:.1%}, n %{customdata:,}",
    }
    straight = {
        "x": [0, 1],
        "y": [0, 1],
        "mode": "lines",
        "name": "as logged",
        "line": {"color": QUIET, "dash": "dot"},
        "hoverinfo": "skip",
    }
    share = {"tickformat": ".0%", "range": [-0.03, 1.03]}
    return spec([straight, found], xaxis=axis("logged propensity", **share), yaxis=axis("share drawn", **share))


def missingness(result: Result) -> Spec | None:
    """Return which share of each model's calls was judged, and what else is not known of all; None where unknown."""
    if not result.missingness:
        return None
    models = [label(model) for model in result.missingness]
    shares_of = result.missingness.values()
    parts = list(dict.fromkeys(part for shares in shares_of for part in shares))
    parts = [part for part in parts if part == "answer" or any(shares.get(part) != 1.0 for shares in shares_of)]
    traces = [
        {
            "type": "bar",
            "x": models,
            "y": [shares.get(part) for shares in result.missingness.values()],
            "name": PARTS.get(part, label(part)),
            "marker": {"color": COLOURS[place % len(COLOURS)], "pattern": {"shape": ("", "/", ".", "x")[place % 4]}},
            "hovertemplate": "%{y:.1%}",
        }
        for place, part in enumerate(parts)
    ]
    return spec(traces, barmode="group", xaxis={"type": "category"}, yaxis=axis("share of calls", tickformat=".0%"))


def agreement(result: Result) -> Spec | None:
    """Return what each estimator says of each policy that stands; None without estimates."""
    traces = []
    estimators = [name for name in ESTIMATORS if any(name in p.estimates for p in result.policies.values())]
    estimators += sorted({name for p in result.policies.values() for name in p.estimates} - {*ESTIMATORS, *_WIDE})
    standing = [policy for policy in result.policies.values() if result.stands(policy.name)]
    for place, estimator in enumerate(estimators):
        drawn = [(p.name, p.estimates[estimator]) for p in standing if estimator in p.estimates]
        drawn = [(name, interval) for name, interval in drawn if interval.value is not None]
        if drawn:
            traces.append(_estimates(estimator, place, drawn))
    if not traces:
        return None
    drawn_of = [interval for policy in standing for name, interval in policy.estimates.items() if name not in _WIDE]
    across = {"type": "category", "categoryarray": [label(p.name) for p in standing], "categoryorder": "array"}
    usd = axis("dollars per 1,000 requests", tickformat="$,~r", range=_span(drawn_of))
    return spec(traces, scattermode="group", scattergap=0.35, xaxis=across, yaxis=usd, hovermode="closest")


def _estimates(estimator: str, place: int, drawn: list[Any]) -> dict[str, Any]:
    bars = {
        "type": "data",
        "symmetric": False,
        "array": [_distance(i.high, i.value) for _, i in drawn],
        "arrayminus": [_distance(i.value, i.low) for _, i in drawn],
        "thickness": 1.2,
        "width": 3,
    }
    symbols = ("circle", "square", "diamond", "triangle-up", "x", "star", "cross")
    return {
        "x": [label(name) for name, _ in drawn],
        "y": [per_thousand(interval.value) for _, interval in drawn],
        "error_y": bars,
        "mode": "markers",
        "name": ESTIMATORS.get(estimator, label(estimator)),
        "marker": {"color": COLOURS[place % len(COLOURS)], "symbol": symbols[place % len(symbols)], "size": 9},
        "hovertemplate": "$%{y:,.2f}",
    }


def _distance(upper: float | None, lower: float | None) -> float | None:
    return None if upper is None or lower is None else 1000 * (upper - lower)


def _span(intervals: Sequence[Interval]) -> list[float]:
    """Return the ends of an axis that holds every interval; plotly would begin it at zero."""
    ends = [1000 * end for interval in intervals for end in interval if end is not None]
    margin = 0.06 * (max(ends) - min(ends)) or 1.0
    return [min(ends) - margin, max(ends) + margin]


def _spread(each: Bin, deviations: float) -> float | None:
    if not each.n or each.expected is None:
        return None
    return deviations * math.sqrt(max(each.expected * (1 - each.expected), 0.0) / each.n)
