"""What is believed, as tables."""

from typing import TYPE_CHECKING, Final

from routeward.cli.grids import Grid, believed
from routeward.cli.output import percent, seconds, usd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from rich.text import Text

    from routeward.v1.admin_service_pb2 import ModelPosterior

FADED: Final = 0.01
"""How far from whole a count may be by rounding alone."""


def grid_of(models: "Iterable[ModelPosterior]") -> Grid:
    """Return what is believed of the models of a category, the largest share first."""
    ranked = sorted(models, key=lambda one: (-one.probability, one.model))
    return Grid(
        [f"{one.model} ({one.excluded})" if one.excluded else one.model for one in ranked],
        {heading: [cell(model) for model in ranked] for heading, cell in COLUMNS.items()},
        ["dim" if one.excluded else None for one in ranked],
    )


def faded(count: float) -> bool:
    """Tell whether a count can only stem from forgetting: what is not forgotten counts as a whole."""
    return abs(count - round(count)) > FADED


def _count(value: float) -> "Text":
    from rich.text import Text

    return Text(f"{value:,.0f}")


def _share(model: "ModelPosterior") -> "Text":
    from rich.text import Text

    return Text(percent(model.probability))


COLUMNS: "Final[Mapping[str, Callable[[ModelPosterior], Text]]]" = {
    "share": _share,
    "quality": lambda one: believed(f"{one.quality:.3f} ± {one.quality_sd:.3f}", one.quality_count),
    "cost": lambda one: believed(usd(one.cost_usd), one.outcome_count),
    "latency": lambda one: believed(seconds(one.latency.ToTimedelta().total_seconds()), one.outcome_count),
    "errors": lambda one: believed(percent(one.error_rate), one.outcome_count),
    "calls": lambda one: _count(one.outcome_count),
    "votes": lambda one: _count(one.quality_count),
}
LEAST_FIRST: Final = ("votes", "calls", "errors")
