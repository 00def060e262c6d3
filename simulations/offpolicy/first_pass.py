"""A first pass over Parquet by DuckDB: the sums that `collapse` gives, an order of magnitude sooner.

Files are cut into chunks of so many rows, each added up by itself on one thread, and chunks are added up in their
order: equal files give equal bits on any number of cores.
"""

from functools import partial
from typing import Final

import numpy as np

from adapters.traffic.columnar.files import Chunk, ColumnarLog, columnar, connected
from adapters.traffic.columnar.window import Told, UncertainError, opened
from adapters.traffic.formats import FileLog
from adapters.traffic.log import Log, LogReport, Progress
from bandit.signals import Kind
from simulations.engines import Engine
from simulations.offpolicy.collapse import LEAST
from simulations.offpolicy.slices import fitting_width, ladder_of
from simulations.offpolicy.sums import LogSums, merge
from simulations.offpolicy.window_sums import sums_of_window

CHUNK: Final = 1 << 20
"""Rows of a chunk."""
PER_MILLE: Final = 1000
_TIMES: Final = 100_000
"""Distinct times, at most, from which the width of slices is found."""


def first_pass(log: Log, engine: Engine, progress: Progress | None = None) -> LogSums | None:
    """Add up a log of Parquet files, and complete its report.

    None where that cannot be done exactly: `collapse` can do it then, and its reader says what is wrong with a row.
    """
    if not isinstance(log, FileLog) or (found := columnar(log)) is None:
        return None
    import duckdb

    chunks = tuple(found.chunks(CHUNK))
    sums, told = LogSums.empty(), Told()
    try:
        work = partial(_sums_of_chunk, width=_width(found))
        for done, (part, told_of_part) in enumerate(engine.map(work, chunks), start=1):
            sums, told = merge(sums, part), told.plus(told_of_part)
            if progress is not None:
                progress(done * PER_MILLE // len(chunks), PER_MILLE)
    except (UncertainError, duckdb.Error):
        return None
    _tell(log, told)
    return sums


def _sums_of_chunk(chunk: Chunk, width: int) -> tuple[LogSums, Told]:
    with opened(chunk) as window:
        return sums_of_window(window, width), window.told


def _width(log: ColumnarLog) -> int:
    """Return the width of slices of the whole log, or a smaller one: no chunk has more slices than it will keep."""
    with connected() as connection:
        used = f"({log.source} WHERE propensity >= {LEAST!r} AND {_was_drawn(log)} AND time_us IS NOT NULL)"
        [(first, last)] = connection.execute(f"SELECT min(time_us), max(time_us) FROM {used}").fetchall()  # noqa: S608 -- only of own and quoted names
        ladder = ladder_of(timed=True)
        if first is None:
            return ladder[0]
        step = next(width for width in ladder if (last - first) // width < _TIMES)
        found = connection.execute(f"SELECT DISTINCT time_us // {step} AS place FROM {used}").fetchnumpy()["place"]  # noqa: S608 -- only of own and quoted names
    width = fitting_width(np.asarray(found, np.int64) * step, step, timed=True)
    return width if width > step else ladder[0]


def _was_drawn(log: ColumnarLog) -> str:
    drawn = f"'{Kind.SAMPLED.name}', '{Kind.BASELINE.name}'"
    return f"coalesce(kind IN ({drawn}), true)" if "kind" in log.columns else "true"


def _tell(log: FileLog, told: Told) -> None:
    log.report = LogReport(log.reader.name, told.used, knows=told.knows, sources=told.sources, notes=told.notes())
