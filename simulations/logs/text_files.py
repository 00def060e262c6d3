"""A log as JSON lines, where what is unknown is left out, or as comma-separated values, where it is an empty cell."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bandit.signals import Kind, Status
from simulations.logs.portions import COLUMNS, MEASURED, WHOLE, Portion, call_name, session_name


def write_json_lines(portions: Iterable[Portion], path: Path) -> None:
    """Write an object a line. Raises OSError."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for portion in portions:
            columns = _cells(portion)
            for cells in zip(*columns.values(), strict=True):
                known = {name: cell for name, cell in zip(columns, cells, strict=True) if cell is not None}
                file.write(json.dumps(known) + "\n")


def write_csv(portions: Iterable[Portion], path: Path) -> None:
    """Write a line with the names of the columns, and a line a call; its probabilities are JSON. Raises OSError."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for portion in portions:
            columns = _cells(portion)
            columns["probabilities"] = [json.dumps(row) for row in columns["probabilities"]]
            writer.writerows(zip(*columns.values(), strict=True))


def _cells(portion: Portion) -> dict[str, list[object]]:
    """Return the cells of `COLUMNS`; None is unknown. Equal distributions are one and the same object."""
    start, calls, length = portion
    rows = range(start, start + len(calls))
    distributions = [dict(zip(calls.models, row, strict=True)) for row in calls.probabilities.tolist()]
    return {
        "call_id": [call_name(row) for row in rows],
        "session": [session_name(row // length) if length > 1 else None for row in rows],
        "category": [calls.categories[c] for c in calls.category.tolist()],
        "model": [calls.models[m] for m in calls.model.tolist()],
        "kind": [Kind(kind).name for kind in calls.kind.tolist()],
        "status": [Status(status).name for status in calls.status.tolist()],
        **{name: _whole(getattr(calls, name)) for name in WHOLE},
        **{name: [None if x != x else x for x in getattr(calls, name).tolist()] for name in MEASURED},
        "probabilities": [distributions[row] for row in calls.drawn_from.tolist()],
    }


def _whole(column: NDArray[np.float64] | NDArray[np.int64]) -> list[object]:
    """Return integers; unknown are those below 0, and NaN."""
    integers = np.where(np.isnan(column), -1, column).astype(np.int64)
    return [None if x < 0 else x for x in integers.tolist()]
