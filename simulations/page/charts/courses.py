"""Over time: value and spend that add up, and who got the requests."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any, Final

from simulations.page.charts.spec import Spec, axis, label, moments, spec
from simulations.page.fields import Numbers
from simulations.page.palette import Look, looks
from simulations.page.result import EVERYWHERE, Change, Course, Result, Timeline

MOMENTS: Final = 100
"""About as many as a picture shows."""


def value_over_time(result: Result) -> Spec | None:
    """Return what policies add up to beyond the baseline, with bands; without a baseline, what they add up to."""
    timeline = result.timeline
    if timeline is None:
        return None
    ran = timeline.courses.get(result.baseline)
    if ran is None or not any(value is not None for value in ran.value):
        return _courses(result, "value", "dollars so far")
    beyond = {name: _beyond(course, ran) for name, course in timeline.courses.items() if name != result.baseline}
    more = replace(result, timeline=replace(timeline, courses=beyond))
    return _courses(more, "value", "dollars beyond what ran")


def spend_over_time(result: Result) -> Spec | None:
    """Return what policies spend; None where nothing is known over time."""
    return _courses(result, "spend", "dollars spent")


def allocation(result: Result) -> Spec | None:
    """Return shares of models over time, a group of traces by whose choices they are and category (`meta`).

    The first group is visible.
    """
    timeline, choices = result.timeline, allocations(result)
    if timeline is None or not choices:
        return None
    first = next((whose, category) for whose, shares in choices.items() for category in shares)
    traces = [
        {**trace, "meta": [whose, category], "visible": (whose, category) == first}
        for whose, shares in choices.items()
        for category, models in shares.items()
        for trace in _stack(result, timeline, models)
    ]
    return spec(
        traces,
        xaxis=_along(timeline),
        yaxis=axis("share of requests", range=[0, 1], tickformat=".0%"),
        hovermode="x unified",
        **_changes(result, "" if first[1] == EVERYWHERE else first[1]),
    )


def allocations(result: Result) -> dict[str, Mapping[str, Mapping[str, Numbers]]]:
    """Return the shares that may be shown, by the policy whose choices they are."""
    if result.timeline is None:
        return {}
    return {whose: shares for whose, shares in result.timeline.shares.items() if shares and result.stands(whose)}


def _courses(result: Result, part: str, title: str) -> Spec | None:
    timeline = result.timeline
    if timeline is None:
        return None
    drawn = {
        n: c for n, c in timeline.courses.items() if result.stands(n) and any(v is not None for v in getattr(c, part))
    }
    if not drawn:
        return None
    look = looks(result)
    traces = [trace for name in drawn for trace in _course(timeline, name, drawn[name], part, look[name])]
    return spec(
        traces, xaxis=_along(timeline), yaxis=axis(title, tickformat="$,~r"), hovermode="x unified", **_changes(result)
    )


def _along(timeline: Timeline) -> dict[str, Any]:
    return {"type": "date"} if timeline.timed else axis("row of the log", rangemode="tozero")


def _beyond(course: Course, ran: Course) -> Course:
    return course._replace(**{part: _less(getattr(course, part), ran.value) for part in ("value", "low", "high")})


def _less(numbers: Numbers, others: Numbers) -> Numbers:
    pairs = zip_longest(numbers, others) if numbers else ()
    return tuple(None if a is None or b is None else a - b for a, b in pairs)


def _course(timeline: Timeline, name: str, course: Course, part: str, look: Look) -> Iterator[dict[str, Any]]:
    x, group = (
        moments(_thinned(timeline.moments), timed=timeline.timed),
        {"legendgroup": label(name), "name": label(name)},
    )
    low, high = (course.low, course.high) if part == "value" else (course.spend_low, course.spend_high)
    if low and high:
        edge = {"x": x, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False, **group}
        yield {**edge, "y": _thinned(low)}
        yield {**edge, "y": _thinned(high), "fill": "tonexty", "fillcolor": look.faint(0.18)}
    yield {
        **group,
        "x": x,
        "y": _thinned(getattr(course, part)),
        "mode": "lines",
        "line": {"color": look.colour, "dash": look.dash, "width": 2},
        "hovertemplate": "%{y:$,.4~s}",
    }


def _thinned(numbers: Numbers) -> list[float | None]:
    """Return about a hundred numbers of more, evenly spread, the last one among them: no picture shows more."""
    step = max(len(numbers) // MOMENTS, 1)
    return list(numbers[::-step][::-1])


def _stack(result: Result, timeline: Timeline, models: Mapping[str, Numbers]) -> Iterator[dict[str, Any]]:
    look = looks(result)
    for model, shares in models.items():
        yield {
            "x": moments(_thinned(timeline.moments), timed=timeline.timed),
            "y": _thinned(shares),
            "name": label(model),
            "mode": "lines",
            "stackgroup": "one",
            "line": {"width": 0.5, "color": look[model].colour},
            "fillcolor": look[model].faint(0.75),
            "fillpattern": {"shape": look[model].pattern, "size": 6},
            "hovertemplate": "%{y:.1%}",
        }


def numbered(changes: Sequence[Change]) -> dict[float, int]:
    """Return the number that stands at each moment at which something happened."""
    return {at: number for number, at in enumerate(sorted({change.at for change in changes}), 1)}


def _changes(result: Result, category: str = "") -> dict[str, Any]:
    """Return rules and their numbers for what happened; those of another category (`name`) are there and hidden."""
    lines: list[dict[str, Any]] = []
    words: list[dict[str, Any]] = []
    numbers = numbered(result.changes)
    for change in {(change.at, change.category): change for change in result.changes}.values():
        [x] = moments([change.at], timed=result.timeline is not None and result.timeline.timed)
        shown = {"visible": not category or change.category in ("", category), "name": change.category}
        dots = {"dash": "dot", "width": 1.5}
        lines.append({"type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, "line": dots, **shown})
        text = {"text": str(numbers[change.at]), "showarrow": False}
        words.append({"x": x, "yref": "paper", "y": 1, "yanchor": "bottom", **text, **shown})
    return {"shapes": lines, "annotations": words}
