"""What is believed, as tables that fit where they are shown."""

from typing import TYPE_CHECKING, Final, NamedTuple

from routeward.cli.output import percent, seconds, usd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.text import Text

    from routeward.v1.admin_service_pb2 import CategoryPosterior, ModelPosterior

NAME_COLUMNS: Final = 16
"""How narrow names of models may be folded before a column is left out."""
GAP: Final = 2
FADED: Final = 0.01
"""How far from whole a count may be by rounding alone."""


class Fitting:
    """A table for each category; where one does not fit, all are without what matters least."""

    def __init__(self, categories: "Sequence[CategoryPosterior]") -> None:
        self._grids = {one.category: _Grid.of(one.models) for one in categories}

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[RenderableType]":
        headings = list(COLUMNS)
        for least in LEAST_FIRST:
            if any(grid.width(headings) > options.max_width for grid in self._grids.values()):
                headings.remove(least)
        for category, grid in self._grids.items():
            yield _table(category, grid, headings)


class _Grid(NamedTuple):
    """The cells of a table: names of models, cells by heading, and a style for each row."""

    names: "Sequence[str]"
    cells: "Mapping[str, Sequence[Text]]"
    styles: "Sequence[str | None]"

    @classmethod
    def of(cls, models: "Iterable[ModelPosterior]") -> "_Grid":
        ranked = sorted(models, key=lambda one: (-one.probability, one.model))
        return cls(
            [f"{one.model} ({one.excluded})" if one.excluded else one.model for one in ranked],
            {heading: [cell(model) for model in ranked] for heading, cell in COLUMNS.items()},
            ["dim" if one.excluded else None for one in ranked],
        )

    @property
    def name_columns(self) -> int:
        """How narrow the names may be folded."""
        return min(NAME_COLUMNS, max(map(len, self.names), default=0))

    def width(self, headings: "Iterable[str]") -> int:
        """Return how wide the table is with these columns, and names folded as far as they may be."""
        widths = [max(len(heading), *map(len, self.cells[heading]), 0) for heading in headings]
        return self.name_columns + sum(GAP + width for width in widths)


def _table(title: str, grid: _Grid, headings: "Sequence[str]") -> "RenderableType":
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0))
    table.add_column("model", overflow="fold", min_width=grid.name_columns)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row, (name, style) in enumerate(zip(grid.names, grid.styles, strict=True)):
        table.add_row(name, *(grid.cells[heading][row] for heading in headings), style=style)
    return Group(Text(title, "bold"), table, "")


def _believed(shown: str, count: float) -> "Text":
    """Set what rests on no observation apart from what does."""
    from rich.text import Text

    return Text(shown) if seen(count) else Text(f"({shown})", "dim")


def seen(count: float) -> bool:
    """Tell whether a count, after forgetting, is shown as more than 0."""
    return round(count) > 0


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
    "quality": lambda one: _believed(f"{one.quality:.3f} ± {one.quality_sd:.3f}", one.quality_count),
    "cost": lambda one: _believed(usd(one.cost_usd), one.outcome_count),
    "latency": lambda one: _believed(seconds(one.latency.ToTimedelta().total_seconds()), one.outcome_count),
    "errors": lambda one: _believed(percent(one.error_rate), one.outcome_count),
    "calls": lambda one: _count(one.outcome_count),
    "votes": lambda one: _count(one.quality_count),
}
LEAST_FIRST: Final = ("votes", "calls", "errors")
