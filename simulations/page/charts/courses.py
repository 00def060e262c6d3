"""Over time: value and spend that add up, and who got the requests."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from simulations.page.charts.spec import Spec, axis, label, spec, times
from simulations.page.fields import Numbers
from simulations.page.palette import Look, looks
from simulations.page.result import Course, Result, Timeline


def value_over_time(result: Result) -> Spec | None:
    """Return what policies add up to beyond the baseline, with bands; without a baseline, what they add up to."""
    timeline = result.timeline
    if timeline is None:
        return None
    ran = timeline.courses.get(result.baseline)
    if ran is None or not any(value is not None for value in ran.value):
        return _courses(result, "value", "worth so far, dollars")
    beyond = {name: _beyond(course, ran) for name, course in timeline.courses.items() if name != result.baseline}
    more = replace(result, timeline=replace(timeline, courses=beyond))
    return _courses(more, "value", "worth more than what ran so far, dollars")


def spend_over_time(result: Result) -> Spec | None:
    """Return what policies spend; None where nothing is known over time."""
    return _courses(result, "spend", "spent so far, dollars")


def allocation(result: Result) -> Spec | None:
    """Return shares of models over time, a group of traces for each category (`meta`), the first one visible."""
    timeline = result.timeline
    if timeline is None or not timeline.shares:
        return None
    first = next(iter(timeline.shares))
    traces = [
        {**trace, "meta": category, "visible": category == first}
        for category in timeline.shares
        for trace in _stack(result, timeline, category)
    ]
    return spec(
        traces,
        xaxis={"type": "date"},
        yaxis=axis("share of requests", range=[0, 1], tickformat=".0%"),
        hovermode="x unified",
        **_changes(result, first),
    )


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
        traces, xaxis={"type": "date"}, yaxis=axis(title, tickprefix="$"), hovermode="x unified", **_changes(result)
    )


def _beyond(course: Course, ran: Course) -> Course:
    return course._replace(**{part: _less(getattr(course, part), ran.value) for part in ("value", "low", "high")})


def _less(numbers: Numbers, others: Numbers) -> Numbers:
    pairs = zip_longest(numbers, others) if numbers else ()
    return tuple(None if a is None or b is None else a - b for a, b in pairs)


def _course(timeline: Timeline, name: str, course: Course, part: str, look: Look) -> Iterator[dict[str, Any]]:
    x, group = times(timeline.times_us), {"legendgroup": label(name), "name": label(name)}
    if part == "value" and course.low and course.high:
        edge = {"x": x, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False, **group}
        yield {**edge, "y": list(course.low)}
        yield {**edge, "y": list(course.high), "fill": "tonexty", "fillcolor": look.faint(0.18)}
    yield {
        **group,
        "x": x,
        "y": list(getattr(course, part)),
        "mode": "lines",
        "line": {"color": look.colour, "dash": look.dash, "width": 2},
        "hovertemplate": "%{y:$,.4~s}",
    }


def _stack(result: Result, timeline: Timeline, category: str) -> Iterator[dict[str, Any]]:
    look = looks(result)
    for model, shares in timeline.shares[category].items():
        yield {
            "x": times(timeline.times_us),
            "y": list(shares),
            "name": label(model),
            "mode": "lines",
            "stackgroup": "one",
            "line": {"width": 0.5, "color": look[model].colour},
            "fillcolor": look[model].faint(0.75),
            "fillpattern": {"shape": look[model].pattern, "size": 6},
            "hovertemplate": "%{y:.1%}",
        }


def _changes(result: Result, category: str = "") -> dict[str, Any]:
    """Return rules and their words for what happened; those of another category (`name`) are there and hidden."""
    lines, words = [], []
    for change, x in zip(result.changes, times([change.time_us for change in result.changes]), strict=True):
        shown = {"visible": not category or change.category in ("", category), "name": change.category}
        dots = {"dash": "dot", "width": 1.5}
        lines.append({"type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, "line": dots, **shown})
        text = {"text": label(f"{change.what} {change.model}".strip()), "showarrow": False}
        words.append({"x": x, "yref": "paper", "y": 1, "yanchor": "bottom", **text, **shown})
    return {"shapes": lines, "annotations": words}
