"""A log as JSON lines, where what is unknown is left out, or as comma-separated values, where it is an empty cell."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from simulations.logs.portions import COLUMNS, Portion, cells_of


def write_json_lines(portions: Iterable[Portion], path: Path) -> None:
    """Write an object a line. Raises OSError."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for portion in portions:
            columns = _texts_of(portion)
            for cells in zip(*columns.values(), strict=True):
                known = {name: cell for name, cell in zip(columns, cells, strict=True) if cell is not None}
                file.write(json.dumps(known) + "\n")


def write_csv(portions: Iterable[Portion], path: Path) -> None:
    """Write a line with the names of the columns, and a line a call; its probabilities are JSON. Raises OSError."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for portion in portions:
            columns = _texts_of(portion)
            columns["probabilities"] = [json.dumps(row) for row in columns["probabilities"]]
            writer.writerows(zip(*columns.values(), strict=True))


def _texts_of(portion: Portion) -> dict[str, list[Any]]:
    """Return the cells of a portion, with words for kinds and statuses."""
    columns = cells_of(portion)
    return columns | {name: [cell.name for cell in columns[name]] for name in ("kind", "status")}
