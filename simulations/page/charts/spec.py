"""What all charts share: names are escaped, for plotly reads markup in every text."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from simulations.page.units import moment

Spec = dict[str, Any]
"""A figure of plotly: `data`, `layout`."""


def label(name: str) -> str:
    """Return a name that plotly shows as it is, markup and all."""
    return escape(name, quote=False)


def spec(data: Sequence[Mapping[str, Any]], **layout: Any) -> Spec:
    """Return a figure of these traces; the page adds its theme."""
    return {"data": [dict(trace) for trace in data], "layout": layout}


def moments(found: Sequence[float | None], *, timed: bool) -> list[Any]:
    """Return moments of a timeline as plotly reads them: times, UTC, or rows."""
    return [f"{moment(at):%Y-%m-%dT%H:%M:%S}" if timed and at is not None else at for at in found]


def per_thousand(usd: float | None) -> float | None:
    """Return dollars per 1,000 requests, of dollars per request."""
    return None if usd is None else 1000 * usd


def axis(title: str, **more: Any) -> dict[str, Any]:
    """Return an axis with a title."""
    return {"title": {"text": title}, **more}
