"""Writes a log to a file, a portion of its rows in memory at a time; every number is read back as it was."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from simulations.errors import LogNotWrittenError, OptionsError
from simulations.logs.invented import InventedLog
from simulations.logs.parquet import write_parquet
from simulations.logs.portions import Portion
from simulations.logs.text_files import write_csv, write_json_lines
from simulations.parallel import Progress, unwatched

PORTION: Final = 100_000
"""Rows in memory at a time."""
WRITERS: Final[Mapping[str, Callable[[Iterable[Portion], Path], None]]] = {
    ".jsonl": write_json_lines,
    ".csv": write_csv,
    ".parquet": write_parquet,
}


def write_log(log: InventedLog, path: Path, progress: Progress = unwatched, portion: int = PORTION) -> None:
    """Write a log to a file with a suffix of `WRITERS`; it has its name when it is complete, and replaces another.

    Raises OptionsError for another suffix, MissingExtraError for Parquet without DuckDB, and LogNotWrittenError.
    """
    write = WRITERS.get(path.suffix.lower())
    if write is None:
        raise OptionsError(f"{path}: cannot write '{path.suffix}'; give a {', '.join(WRITERS)} file")
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        write(_portions(log, portion, progress), unfinished)
        os.replace(unfinished, path)
    except OSError as error:
        raise LogNotWrittenError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _portions(log: InventedLog, size: int, progress: Progress) -> Iterator[Portion]:
    start, settings = 0, log.settings
    for calls in log.batches(size):
        yield Portion(start, calls, settings.session_length)
        start += len(calls)
        progress(start, settings.rows)
