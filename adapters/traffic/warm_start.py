"""The file between a log and a server: what the log taught, in a form that people can read and change.

JSON, a line for each signal of each model in each category: `value` is the mean of quality and of errors (0 to 1), and
the geometric mean of latency (seconds) and of output tokens; `observations` is what it is worth.
"""

import json
import math
import reprlib
from pathlib import Path
from typing import Any, Final

from adapters.traffic import cells
from adapters.traffic.errors import WarmStartError
from adapters.traffic.lessons import MAX_CATEGORIES, SIGNALS, Lessons
from bandit.priors import PastCell

FORMAT: Final = "routeward warm start 1"
MAX_BYTES: Final = 20_000_000
_SHOWN: Final = 80
"""Characters of a wrong value that a message repeats."""
_DIGITS: Final = 6
_LOGARITHMS: Final = ("latency", "output_tokens")
_RANGES: Final = {
    "quality": (0.0, 1.0),
    "error": (0.0, 1.0),
    "latency": (1e-3, 3600.0),
    "output_tokens": (1.0, 1e8),
    "observations": (1e-3, 1e12),
}


def write_warm_start(lessons: Lessons, path: Path) -> None:
    """Write what a log taught. Raises WarmStartError where that cannot be done, or a server would refuse the file."""
    rejected = {reason: one.count for reason, one in lessons.rejected.items()}
    head = {"format": FORMAT, "rows_used": lessons.used, "rows_rejected": rejected}
    lines = ",\n".join(f"  {json.dumps(_written(cell))}" for cell in lessons.cells)
    text = f'{json.dumps(head, indent=1)[:-2]},\n "cells": [\n{lines}\n ]\n}}\n'
    if len(text) > MAX_BYTES:
        raise WarmStartError(f"{path} would be larger than {MAX_BYTES // 1_000_000} MB; leave seldom categories out")
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise WarmStartError(f"{path} cannot be written: {error.strerror}") from error


def read_warm_start(path: Path) -> tuple[PastCell, ...]:
    """Read what was written. Raises WarmStartError with the cell, the field and what is wrong with it."""
    document = _document(path)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise WarmStartError(f"{path} is no warm start; make one with  routeward warm-start LOG")
    cells = document.get("cells")
    if not isinstance(cells, list):
        raise WarmStartError(f"{path} has no list of cells")
    found: dict[tuple[str, str, str], PastCell] = {}
    for number, cell in enumerate(cells, start=1):
        try:
            one = _read(cell)
        except ValueError as error:
            raise WarmStartError(f"{path}, cell {number}: {error}") from error
        if one[:3] in found:
            raise WarmStartError(f"{path}, cell {number}: {one.signal} of {one.model} in {one.category} stands twice")
        found[one[:3]] = one
    if len({category for category, *_ in found}) > MAX_CATEGORIES:
        raise WarmStartError(f"{path} has more than {MAX_CATEGORIES} categories; leave out those that are seldom")
    return tuple(found.values())


def _written(cell: PastCell) -> dict[str, object]:
    value = math.exp(cell.mean) if cell.signal in _LOGARITHMS else cell.mean
    return {
        "category": cell.category,
        "model": cell.model,
        "signal": cell.signal,
        "value": float(f"{value:.{_DIGITS}g}"),
        "observations": float(f"{cell.weight:.{_DIGITS}g}"),
    }


def _document(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise WarmStartError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise WarmStartError(f"{path} is larger than {MAX_BYTES // 1_000_000} MB; it is no warm start")
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise WarmStartError(f"{path} is not JSON: {error}") from error


def _read(cell: object) -> PastCell:
    if not isinstance(cell, dict):
        raise ValueError("not an object with category, model, signal, value and observations")
    category, model = (cells.name(column, cell.get(column)) for column in ("category", "model"))
    signal = next((known for known in SIGNALS if known == cell.get("signal")), None)
    if signal is None:
        raise ValueError(f"signal is {_shown(cell.get('signal'))}; known: {', '.join(SIGNALS)}")
    value, weight = _number(cell, "value", signal), _number(cell, "observations", "observations")
    mean = math.log(value) if signal in _LOGARITHMS else value
    return PastCell(category, model, signal, mean, weight)


def _number(cell: dict[str, object], name: str, rule: str) -> float:
    value, (low, high) = cell.get(name), _RANGES[rule]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{name} is {_shown(value)}; give {low:g} to {high:g}")
    return float(value)


def _shown(value: object) -> str:
    text = reprlib.repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
