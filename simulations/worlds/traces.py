"""Arrival times from a trace: a file with a row for each request, which knows when it came."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulations.arrivals import Arrivals
from simulations.errors import OutcomesError
from simulations.tables import Row, table_rows
from simulations.worlds.schema import ArrivalsTable

Floats = NDArray[np.float64]

_LATEST_S: Final = 1e10


def arrivals_of(table: ArrivalsTable, path: Path) -> Arrivals:
    """Read a trace, from time 0 on.

    Raises OutcomesError for a file that cannot be read or has no such rows, and for a row whose time is unknown, or
    before the one above it, or whose size is unknown.
    """
    columns = [table.column]
    columns += [table.trace_column] if table.trace is not None else []
    columns += [table.size_column] if table.size_column is not None else []
    times: list[float] = []
    sizes: list[float] = []
    for number, row in _chosen(table, table_rows(path, columns)):
        seconds = _number(row[0])
        if not (times[-1] if times else 0.0) <= seconds <= _LATEST_S:
            raise OutcomesError(
                f"{path}, row {number}: {table.column} is {row[0]}; give seconds from the start, in ascending order"
            )
        times.append(seconds)
        if table.size_column is not None:
            sizes.append(_number(row[-1]))
            if not sizes[-1] >= 0:
                raise OutcomesError(f"{path}, row {number}: {table.size_column} is {row[-1]}; give tokens, 0 or more")
    if not times:
        wanted = f"no row whose {table.trace_column} is '{table.trace}'" if table.trace is not None else "no rows"
        raise OutcomesError(f"{path} has {wanted}")
    arrived = spread(np.array(times)) / table.speed
    return Arrivals(np.rint((arrived - arrived[0]) * 1e6).astype(np.int64), _ranks(np.array(sizes)) if sizes else None)


def spread(times: Floats) -> Floats:
    """Spread requests of one time evenly over the step that the clock of the trace has: its smallest difference.

    A trace in steps of three seconds would otherwise have all of its requests in bursts. Where it is shorter, the time
    to the next request is taken.
    """
    distinct, counts = np.unique(times, return_counts=True)
    if len(distinct) < 2 or len(distinct) == len(times):
        return times
    gaps = np.diff(distinct)
    step = np.minimum(np.append(gaps, gaps.min()), gaps.min())
    within = np.arange(len(times)) - np.repeat(np.cumsum(counts) - counts, counts)
    spread_out: Floats = times + np.repeat(step / counts, counts) * within
    return spread_out


def _chosen(table: ArrivalsTable, rows: Iterator[Row]) -> Iterator[tuple[int, Row]]:
    """Yield the rows of the wanted trace with their numbers, counted from 1."""
    for number, row in enumerate(rows, start=1):
        cells = row or [None] * 3
        if table.trace is None or str(cells[1]) == table.trace:
            yield number, cells


def _number(cell: object) -> float:
    try:
        return float(str(cell))
    except ValueError:
        return float("nan")


def _ranks(sizes: Floats) -> Floats:
    """Return which share of the requests is shorter, or as long and earlier."""
    ranks = np.empty(len(sizes))
    ranks[np.argsort(sizes, kind="stable")] = np.arange(len(sizes)) / len(sizes)
    return ranks
