"""A log in portions of rows, and the columns that a file has of it: with the names of `Call`."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from adapters.traffic.calls import Call, Calls
from bandit.signals import Kind, Status

TEXTS: Final = ("call_id", "session", "category", "model", "kind", "status")
WHOLE: Final = ("time_us", "answered_us", "judged_us", "requested_tokens", "input_tokens", "output_tokens")
"""Numbers without a fraction."""
MEASURED: Final = (
    "propensity",
    "answer_value_usd",
    "second_value_usd",
    "cost_usd",
    "latency_s",
    "first_token_s",
    "quality",
)
COLUMNS: Final = (*TEXTS, *WHOLE, *MEASURED, "probabilities")


class Portion(NamedTuple):
    """Calls of a log from row `start` on, of which `session_length` in a row are a session; 1 is none."""

    start: int
    calls: Calls
    session_length: int


def call_name(row: int) -> str:
    """Return the id of a call, counted from 0."""
    return f"call-{row}"


def session_name(number: int) -> str:
    """Return the name of a session, counted from 0."""
    return f"session-{number}"


def calls_of(portion: Portion) -> Iterator[Call]:
    """Return the calls of a portion one by one; equal distributions are one and the same object."""
    columns = cells_of(portion)
    for cells in zip(*columns.values(), strict=True):
        named = dict(zip(columns, cells, strict=True))
        yield Call(**named | {"session": named["session"] or ""})


def cells_of(portion: Portion) -> dict[str, list[Any]]:
    """Return the cells of `COLUMNS` as a `Call` has them; None is unknown."""
    start, calls, length = portion
    rows = range(start, start + len(calls))
    distributions = [dict(zip(calls.models, row, strict=True)) for row in calls.probabilities.tolist()]
    return {
        "call_id": [call_name(row) for row in rows],
        "session": [session_name(row // length) if length > 1 else None for row in rows],
        "category": [calls.categories[c] for c in calls.category.tolist()],
        "model": [calls.models[m] for m in calls.model.tolist()],
        "kind": [Kind(kind) for kind in calls.kind.tolist()],
        "status": [Status(status) for status in calls.status.tolist()],
        **{name: _whole(getattr(calls, name)) for name in WHOLE},
        **{name: [None if x != x else x for x in getattr(calls, name).tolist()] for name in MEASURED},
        "probabilities": [distributions[row] for row in calls.drawn_from.tolist()],
    }


def _whole(column: NDArray[np.float64] | NDArray[np.int64]) -> list[int | None]:
    """Return integers; unknown are those below 0, and NaN."""
    integers = np.where(np.isnan(column), -1, column).astype(np.int64)
    return [None if x < 0 else x for x in integers.tolist()]
