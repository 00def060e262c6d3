"""Cost against quality: every policy a point, with the error of each; the front joins those nobody beats."""

from collections.abc import Sequence
from typing import Any, Final

from simulations.page.charts.spec import Spec, axis, label, per_thousand, spec
from simulations.page.palette import QUIET, Look, looks
from simulations.page.result import Point, Result

_UNNAMED: Final = Look(QUIET, symbol="circle-open")


def shown_points(result: Result) -> list[Point]:
    """Return points whose cost and quality are known, without those of refused policies.

    A best choice that comes to the very numbers of a point before it is that point again, and left out.
    """
    known = [p for p in result.front if p.cost_usd is not None and p.answer is not None and result.stands(p.name)]
    seen = set[tuple[float | None, ...]]()
    shown = list[Point]()
    for point in known:
        numbers = point.answer, point.cost_usd, point.latency_s
        if point.answer_value_usd is None or numbers not in seen:
            shown.append(point)
        seen.add(numbers)
    return shown


def named(point: Point) -> str:
    """Return the name of a point, which says so where the best of each category was judged by other calls."""
    return point.name if point.answer_value_usd is None else f"{point.name} (judged by the other half)"


def front(result: Result) -> Spec | None:
    """Return the points, and as last trace the front that joins the best; None without points."""
    points = shown_points(result)
    if not points:
        return None
    look = looks(result)
    traces = [
        _trace(place, point, look.get(point.name, _UNNAMED), result.deviations) for place, point in enumerate(points)
    ]
    best = best_points(points)
    line = {"color": "#8A8F98", "dash": "dot", "shape": "hv", "width": 1.5}
    joined = {
        "x": [per_thousand(point.cost_usd) for point in best],
        "y": [point.answer for point in best],
        "mode": "lines",
        "line": line,
        "name": "front",
        "hoverinfo": "skip",
    }
    cost = axis("dollars per 1,000 requests", tickformat="$,~r", rangemode="tozero")
    return spec(
        [*traces, joined], xaxis=cost, yaxis=axis("answer, share of a good one", tickformat=".0%"), hovermode="closest"
    )


def _trace(place: int, point: Point, look: Look, deviations: float) -> dict[str, Any]:
    """Return a point; those of a sweep (their look is unnamed) are told apart by hovering and by their buttons."""
    return {
        "x": [per_thousand(point.cost_usd)],
        "y": [point.answer],
        "error_x": _bar(per_thousand(point.cost_usd_se), deviations),
        "error_y": _bar(point.answer_se, deviations),
        "mode": "markers",
        "name": label(named(point)),
        "showlegend": look is not _UNNAMED,
        "customdata": [place],
        "marker": {"size": 13, "color": look.colour, "symbol": look.symbol},
        "hovertemplate": "%{y:.1%} of a good answer<br>$%{x:,.2f} per 1,000 requests",
    }


def best_points(points: Sequence[Point]) -> list[Point]:
    """Return points that no other beats in cost without losing quality, cheapest first."""
    found: list[Point] = []
    for point in sorted(points, key=lambda p: (p.cost_usd or 0.0, -(p.answer or 0.0))):
        if not found or (point.answer or 0.0) > (found[-1].answer or 0.0):
            found.append(point)
    return found


def _bar(error: float | None, deviations: float) -> dict[str, object]:
    if error is None:
        return {"visible": False}
    return {"type": "data", "array": [deviations * error], "thickness": 1.2, "width": 4}
