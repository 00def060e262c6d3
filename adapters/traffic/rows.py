"""A row of a log, whatever file it is in."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

Row = Mapping[str, Any]
BROKEN: Final[Row] = {}
"""Stands for a row that cannot be read."""


class Record(NamedTuple):
    """A row, its line in the file (an element or a row counts as one), and the share of the file read with it.

    `file` is its name where the log has several.
    """

    row: Row
    line: int
    done: float
    file: str = ""
