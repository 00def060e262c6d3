"""Tables of models that fit where they are shown."""

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.text import Text

NAME_COLUMNS: Final = 16
"""How narrow names of models may be folded before a column is left out."""
GAP: Final = 2


class Grid(NamedTuple):
    """The cells of a table: names of models, cells by heading, and a style for each row."""

    names: "Sequence[str]"
    cells: "Mapping[str, Sequence[Text]]"
    styles: "Sequence[str | None]"

    @property
    def name_columns(self) -> int:
        """How narrow the names may be folded."""
        return min(NAME_COLUMNS, max(map(len, self.names), default=0))

    def width(self, headings: "Iterable[str]") -> int:
        """Return how wide the table is with these columns, and names folded as far as they may be."""
        widths = [max(len(heading), *map(len, self.cells[heading]), 0) for heading in headings]
        return self.name_columns + sum(GAP + width for width in widths)


class Fitting:
    """A table for each title; where one does not fit, all are without what matters least."""

    def __init__(self, grids: "Mapping[str, Grid]", least_first: "Sequence[str]") -> None:
        self._grids = grids
        self._least_first = least_first

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[RenderableType]":
        headings = list(next(iter(self._grids.values())).cells)
        for least in self._least_first:
            if least in headings and any(grid.width(headings) > options.max_width for grid in self._grids.values()):
                headings.remove(least)
        for title, grid in self._grids.items():
            yield _table(title, grid, headings)


def _table(title: str, grid: Grid, headings: "Sequence[str]") -> "RenderableType":
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


def believed(shown: str, *counts: float) -> "Text":
    """Set what rests on no observation apart from what does."""
    from rich.text import Text

    return Text(shown) if all(map(seen, counts)) else Text(f"({shown})", "dim")


def seen(count: float) -> bool:
    """Tell whether a count, after forgetting, is shown as more than 0."""
    return round(count) > 0
