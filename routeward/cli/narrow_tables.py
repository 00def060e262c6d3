"""Tables that stay readable where there is little room: they go without columns before they break names."""

from collections.abc import Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.table import Table

READABLE: Final = 24
"""Columns in which a name can be told from others."""
GAPS: Final = (2, 1)


def fitting(
    head: str,
    names: Sequence[str],
    columns: MutableMapping[str, list[str]],
    width: int,
    dispensable: Sequence[str],
) -> "tuple[Table, int]":
    """Return an empty table of names and columns, by their heads, and the room for a name.

    Where it would be wider than `width`, gaps are narrowed first, then dispensable columns are taken out of `columns`.
    """
    from rich.table import Table

    wanted = max(len(head), *map(len, names))
    gap = next((gap for gap in GAPS if _room(columns, width, gap) >= wanted), GAPS[-1])
    for column in dispensable:
        if _room(columns, width, gap) < min(wanted, READABLE):
            columns.pop(column)
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    table.add_column(head, no_wrap=True, vertical="bottom")
    for column in columns:
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    return table, max(_room(columns, width, gap), len(head))


def shortened(name: str, room: int) -> str:
    """Return a name, with an ellipsis in its middle where it is longer than its room: its ends tell it from others."""
    if len(name) <= room:
        return name
    tail = (room - 1) // 2
    return f"{name[: room - 1 - tail]}…{name[len(name) - tail :]}"


def _room(columns: Mapping[str, list[str]], width: int, gap: int) -> int:
    taken = (max(map(len, [*head.split("\n"), *cells])) + gap for head, cells in columns.items())
    return width - sum(taken)
