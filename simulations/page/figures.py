"""The charts of a document, for the page and for a notebook."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from simulations.page.charts.cells import overlap_map, quality_map
from simulations.page.charts.courses import allocation, spend_over_time, value_over_time
from simulations.page.charts.diagnostics import agreement, calibration, missingness
from simulations.page.charts.front import front
from simulations.page.charts.latency import latency_curves
from simulations.page.charts.spec import Spec
from simulations.page.documents import result_of
from simulations.page.errors import MissingPlotlyError
from simulations.page.result import Result

CHARTS: Final[Mapping[str, Callable[[Result], Spec | None]]] = {
    "value": value_over_time,
    "spend": spend_over_time,
    "allocation": allocation,
    "front": front,
    "quality": quality_map,
    "latency": latency_curves,
    "calibration": calibration,
    "overlap": overlap_map,
    "missingness": missingness,
    "agreement": agreement,
}
"""By the name of the part of the page that shows it, in its order."""


def specs(result: Result) -> dict[str, Spec]:
    """Return every chart that the result has the numbers for, as plotly's JSON."""
    drawn = {name: chart(result) for name, chart in CHARTS.items()}
    return {name: spec for name, spec in drawn.items() if spec is not None}


def figures(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `plotly.graph_objects.Figure` of every chart that a document has the numbers for.

    Raises DocumentError for what is no result, and MissingPlotlyError without the extra.
    """
    result = result_of(document)
    try:
        from plotly.graph_objects import Figure
    except ImportError as error:
        raise missing_plotly("figures") from error
    return {name: Figure(spec) for name, spec in specs(result).items()}


def missing_plotly(what: str) -> MissingPlotlyError:
    """Return the error that says how to get plotly."""
    return MissingPlotlyError(f"{what} need plotly, which is not installed: run  pip install 'routeward[report]'")
