"""Model by category: how good, how sure, how often drawn."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from simulations.page.charts.spec import Spec, label, spec
from simulations.page.result import Cell, Result
from simulations.page.units import UNKNOWN, count, percent, seconds, usd_per_thousand

_GOOD: Final = [[0.0, "#A9C4E6"], [0.5, "#F2F0EA"], [1.0, "#F2B134"]]
_VEIL: Final = [[0.0, "rgba(190,193,198,0)"], [1.0, "rgba(190,193,198,0.95)"]]
_MANY: Final = [[0.0, "#F1F4F7"], [1.0, "#56B4E9"]]
_WIDEST: Final = 0.5
"""Width of an interval that hides a colour altogether."""


def quality_map(result: Result) -> Spec | None:
    """Return quality by model and category under a veil that is thicker the less is known; None without any."""
    if not any(cell.answer is not None for cell in result.cells):
        return None
    grid = _Grid(result)
    colour = {"tickformat": ".0%", "title": {"text": "answer"}, "thickness": 12}
    answers = grid.map(lambda cell: cell.answer)
    known = {"x": grid.models, "y": grid.categories, "type": "heatmap", "xgap": 2, "ygap": 2}
    quality = {**known, "z": answers, "colorscale": _GOOD, "colorbar": colour, "hoverinfo": "skip"}
    veil = {
        **known,
        "z": grid.map(lambda cell: _width(cell, result.deviations)),
        "zmin": 0,
        "zmax": _WIDEST,
        "colorscale": _VEIL,
        "showscale": False,
        "text": grid.map(_text, ""),
        "texttemplate": "%{text}",
        "textfont": {"color": "#16202C"},
        "customdata": grid.map(lambda cell: _words(cell, result.deviations), ""),
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    if not any(cell.answer_se is not None for cell in result.cells):
        veil |= {"z": grid.map(lambda _: 0.0)}  # of none is it known how sure it is
    return spec([quality, veil], xaxis={"type": "category"}, yaxis={"type": "category", "autorange": "reversed"})


def overlap_map(result: Result) -> Spec | None:
    """Return how often each model was drawn in each category; None without cells."""
    rows = _rows_by_category(result.cells)
    if not any(rows.values()):
        return None
    grid = _Grid(result)

    def share(cell: Cell) -> float | None:
        return cell.rows / rows[cell.category] if cell.rows is not None and rows[cell.category] else None

    drawn = {
        "type": "heatmap",
        "x": grid.models,
        "y": grid.categories,
        "z": grid.map(share),
        "text": grid.map(lambda cell: f"{percent(share(cell))}<br>n {count(cell.rows)}", "never"),
        "texttemplate": "%{text}",
        "textfont": {"color": "#16202C"},
        "colorscale": _MANY,
        "zmin": 0,
        "zmax": 1,
        "showscale": False,
        "xgap": 2,
        "ygap": 2,
        "hovertemplate": "%{y}, %{x}: %{text}<extra></extra>",
    }
    return spec([drawn], xaxis={"type": "category"}, yaxis={"type": "category", "autorange": "reversed"})


class _Grid:
    """Cells by category (downwards) and model (to the right)."""

    def __init__(self, result: Result) -> None:
        self._cells = {(cell.category, cell.model): cell for cell in result.cells}
        self._models = list(dict.fromkeys([*result.models, *(cell.model for cell in result.cells)]))
        self._categories = list(dict.fromkeys(cell.category for cell in result.cells))
        self.models = [label(model) for model in self._models]
        self.categories = [label(category) for category in self._categories]

    def map(self, of: Callable[[Cell], Any], missing: Any = None) -> list[list[Any]]:
        return [
            [of(cell) if (cell := self._cells.get((c, m))) else missing for m in self._models] for c in self._categories
        ]


def _rows_by_category(cells: Sequence[Cell]) -> dict[str, float]:
    rows: dict[str, float] = {}
    for cell in cells:
        rows[cell.category] = rows.get(cell.category, 0.0) + (cell.rows or 0.0)
    return rows


def _width(cell: Cell, deviations: float) -> float | None:
    if cell.answer is None:
        return None
    return _WIDEST if cell.answer_se is None else min(2 * deviations * cell.answer_se, _WIDEST)


def _text(cell: Cell) -> str:
    star = "★ " if cell.p_best is not None and cell.p_best >= 0.5 else ""
    return f"{star}{percent(cell.answer)}<br>n {count(cell.rows)}"


def _words(cell: Cell, deviations: float) -> str:
    error = "" if cell.answer_se is None else f" ± {percent(deviations * cell.answer_se)}"
    best = UNKNOWN if cell.p_best is None else percent(cell.p_best)
    return "<br>".join(
        [
            f"<b>{label(cell.model)}</b> at {label(cell.category)}",
            f"answer {percent(cell.answer)}{error}, n {count(cell.rows)}",
            f"P(worth most) {best}, errors {percent(cell.error)}",
            f"{usd_per_thousand(cell.cost_usd)} per 1,000 requests, {seconds(cell.latency_s)} each",
        ]
    )
