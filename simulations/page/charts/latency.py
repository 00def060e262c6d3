"""How long answers take: the share that is there after a time, on a logarithmic axis."""

import math
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Final

from simulations.page.charts.spec import Spec, axis, label, spec
from simulations.page.fields import Numbers
from simulations.page.palette import looks
from simulations.page.result import Result

QUANTILES: Final = (0.50, 0.95, 0.99)


def latency_curves(result: Result) -> Spec | None:
    """Return the distributions of policies and of models (`meta`), one kind visible; without them, spans per policy.

    None where no latency is known.
    """
    found, kinds = result.latencies, latency_kinds(result)
    if found is None or not kinds:
        return _spans(result)
    look, first = looks(result), next(iter(kinds))
    traces = [
        {
            "x": list(found.edges_s),
            "y": _shares(counts),
            "name": label(name),
            "meta": [kind],
            "visible": kind == first,
            "mode": "lines",
            "line": {"color": look[name].colour, "dash": look[name].dash, "width": 2},
            "hovertemplate": "%{y:.1%} within %{x:.3~g} s",
        }
        for kind, drawn in kinds.items()
        for name, counts in drawn.items()
    ]
    reach = _reach(found.edges_s, (counts for drawn in kinds.values() for counts in drawn.values()))
    return spec(
        traces,
        xaxis=axis("seconds", type="log", range=reach, **_ticks(found.edges_s)),
        yaxis=axis("share of answers there", tickformat=".0%", range=[0, 1.02]),
        hovermode="closest",
    )


def latency_kinds(result: Result) -> dict[str, dict[str, Numbers]]:
    """Return the histograms that hold something: of policies that stand, and of models."""
    if result.latencies is None:
        return {}
    policies = {name: counts for name, counts in result.latencies.policies.items() if result.stands(name)}
    kinds = {"policies": _filled(policies), "models": _filled(result.latencies.models)}
    return {kind: found for kind, found in kinds.items() if found}


def _filled(histograms: Mapping[str, Numbers]) -> dict[str, Numbers]:
    return {name: counts for name, counts in histograms.items() if sum(count or 0.0 for count in counts) > 0}


def spans(result: Result) -> dict[str, tuple[float, float]]:
    """Return p50 and p95 of each policy that stands and has both."""
    found = {
        name: (policy.components.get("latency_p50_s"), policy.components.get("latency_p95_s"))
        for name, policy in result.policies.items()
        if result.stands(name) and not policy.refused
    }
    return {name: (p50, p95) for name, (p50, p95) in found.items() if p50 is not None and p95 is not None}


def _spans(result: Result) -> Spec | None:
    found, look = spans(result), looks(result)
    if not found:
        return None
    traces = [
        {
            "x": list(span),
            "y": [label(name)] * 2,
            "name": label(name),
            "mode": "lines+markers",
            "showlegend": False,
            "line": {"color": look[name].colour, "width": 3},
            "marker": {"color": look[name].colour, "symbol": ["circle", "line-ns-open"], "size": 11},
            "hovertemplate": "%{x:.3~g} s",
        }
        for name, span in found.items()
    ]
    ends = tuple(end for span in found.values() for end in span if end > 0)
    across = axis(
        "seconds, from p50 to p95", type="log", **_ticks((min(ends) / 2, *ends, max(ends) * 2) if ends else ())
    )
    return spec(traces, xaxis=across, yaxis={"type": "category", "autorange": "reversed"}, hovermode="closest")


def distributions(result: Result) -> dict[str, Numbers]:
    """Return histograms of models, and of policies whose numbers stand."""
    found = result.latencies
    if found is None:
        return {}
    return {**found.models, **{name: counts for name, counts in found.policies.items() if result.stands(name)}}


def quantile(edges_s: Numbers, counts: Numbers, share: float) -> float | None:
    """Return the latency within which a share of the answers is there, straight between edges on a log axis.

    None for an empty histogram, or where an edge is unknown.
    """
    below = _shares(counts)
    for place, reached in enumerate(below[1:]):
        if reached is not None and reached >= share and below[place] is not None:
            low, high, before = edges_s[place], edges_s[place + 1], below[place] or 0.0
            if low is None or high is None:
                return None
            part = (share - before) / (reached - before) if reached > before else 1.0
            return high if low <= 0 else math.exp(math.log(low) + part * (math.log(high) - math.log(low)))
    return None


def _reach(edges_s: Numbers, drawn: Iterable[Numbers]) -> list[float] | None:
    """Return the axis (powers of ten) on which all but a thousandth at either end is; None for all of it."""
    ends = [(quantile(edges_s, counts, 0.001), quantile(edges_s, counts, 0.999)) for counts in drawn]
    low, high = (min((a for a, _ in ends if a), default=0.0), max((b for _, b in ends if b), default=0.0))
    return [math.log10(low), math.log10(high)] if 0 < low < high else None


def _ticks(edges_s: Numbers) -> dict[str, object]:
    """Return ticks at 1, 2 and 5 of each decade."""
    known = [edge for edge in edges_s if edge is not None and edge > 0]
    decades = range(math.floor(math.log10(min(known))), math.ceil(math.log10(max(known))) + 1) if known else ()
    ticks = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
    shown = [tick for tick in ticks if min(known) <= tick <= max(known)]
    return {"tickvals": shown, "ticktext": [f"{tick:g}" for tick in shown]}


def _shares(counts: Numbers) -> list[float | None]:
    total = sum(count or 0.0 for count in counts)
    if total <= 0:
        return [None] * (len(counts) + 1)
    return [sum_ / total for sum_ in accumulate((count or 0.0 for count in counts), initial=0.0)]
