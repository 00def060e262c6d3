"""Sums of a log as a file: made anywhere, merged anywhere, read back to the bit."""

import json
import tokenize
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np

from simulations.errors import SimulationError
from simulations.offpolicy.cells import CHOSEN, COUNTS, KEYS, NO_FOLD, VALUES, Cells
from simulations.offpolicy.components import COMPONENTS
from simulations.offpolicy.slices import ladder_of
from simulations.offpolicy.sums import FOLDS, LATENCY_EDGES_S, PROBABILITY_EDGES, SQUARES, Context, LogSums

FORMAT: Final = "routeward log sums 2"
SUFFIX: Final = ".sums"

_HEAD: Final = "head"
_DAMAGE: Final = (
    *(ValueError, KeyError, EOFError, NotImplementedError, MemoryError, RecursionError),
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)
"""What numpy and zipfile raise for files that were cut or changed."""


class SumsFileError(SimulationError):
    """A file of sums cannot be read or written."""


def write_sums(sums: LogSums, path: Path) -> None:
    """Write sums; a file that was there is replaced at once or not at all. Raises SumsFileError."""
    head = {
        "format": FORMAT,
        "contexts": [[category, list(eligible)] for category, eligible in sums.contexts],
        "models": list(sums.models),
        "timed": sums.timed,
        "width": sums.width,
        "rows": sums.rows,
        "undistributed": sums.undistributed,
        "in_sessions": sums.in_sessions,
        "unusable": dict(sums.unusable),
    }
    arrays: dict[str, Any] = {_HEAD: np.array(json.dumps(head))} | {name: getattr(sums, name) for name in _arrays(sums)}
    arrays |= {"keys": sums.cells.keys, "counts": sums.cells.counts, "values": sums.cells.values}
    partial = path.with_name(path.name + ".part")
    try:
        with partial.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise SumsFileError(f"{path} cannot be written: {error.strerror}") from error


def is_sums(path: Path) -> bool:
    """Return whether a file is one of sums, by its content."""
    try:
        with zipfile.ZipFile(path) as archive:
            return f"{_HEAD}.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def content_of(path: Path) -> frozenset[tuple[str, int, int]]:
    """Return what tells the sums in one file from those in another, whenever they were written. Raises SumsFileError.

    It is each part with its size and its CRC.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return frozenset((part.filename, part.file_size, part.CRC) for part in archive.infolist())
    except OSError as error:
        raise SumsFileError(f"{path} cannot be read: {error.strerror or error}") from error
    except zipfile.BadZipFile as error:
        raise SumsFileError(f"{path} holds no sums of a log; make some with  routeward collapse LOG") from error


def read_sums(path: Path) -> LogSums:
    """Read what was written. Raises SumsFileError for what is no such file, or a damaged one."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            head = json.loads(str(archive[_HEAD]))
            arrays = {name: archive[name] for name in archive.files if name != _HEAD}
    except OSError as error:
        raise SumsFileError(f"{path} cannot be read: {error.strerror or error}") from error
    except _DAMAGE as error:
        raise SumsFileError(f"{path} holds no sums of a log; make some with  routeward collapse LOG") from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise SumsFileError(f"{path} is of another version; make it anew with  routeward collapse LOG")
    try:
        return _checked(head, arrays)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise SumsFileError(f"{path} is damaged: {error}") from error


def _arrays(sums: LogSums) -> dict[str, tuple[int, ...]]:
    """Return the arrays that are no cells, with the shapes that they must have."""
    shape = len(sums.contexts), len(sums.models)
    return {
        "squares": (*shape, SQUARES),
        "largest": shape,
        "latencies": (*shape, 2, len(LATENCY_EDGES_S) + 1),
        "calibration": (len(sums.models), len(PROBABILITY_EDGES) - 1, 4),
        "extremes": (2, len(COMPONENTS)),
    }


def _checked(head: dict[str, Any], arrays: dict[str, Any]) -> LogSums:
    cells = Cells(*(arrays.pop(part) for part in ("keys", "counts", "values")))
    sums = LogSums(
        contexts=tuple(Context(category, tuple(eligible)) for category, eligible in head["contexts"]),
        models=tuple(head["models"]),
        timed=bool(head["timed"]),
        width=int(head["width"]),
        cells=cells,
        rows=int(head["rows"]),
        undistributed=int(head["undistributed"]),
        in_sessions=int(head["in_sessions"]),
        unusable=Counter({str(reason): int(count) for reason, count in head["unusable"].items()}),
        **arrays,
    )
    wrong = [name for name, shape in _arrays(sums).items() if getattr(sums, name).shape != shape]
    wrong += [name for name in _arrays(sums) if getattr(sums, name).dtype != np.float64]
    wrong += [*_wrong_cells(sums), *_wrong_names(sums)]
    if wrong or sums.width not in ladder_of(timed=sums.timed):
        raise ValueError(f"{', '.join(wrong) or 'its slices'} do not fit its head")
    return sums


def _wrong_cells(sums: LogSums) -> Iterator[str]:
    cells, size = sums.cells, len(sums.cells.keys)
    shapes = (cells.keys.shape, cells.counts.shape, cells.values.shape)
    if shapes != ((size, KEYS), (size, COUNTS), (size, VALUES)):
        yield "cells"
        return
    if [array.dtype.str for array in (cells.keys, cells.counts, cells.values)] != ["<i8", "<i8", "<f8"]:
        yield "types of cells"
        return
    latest = np.iinfo(np.int64).max // sums.width
    low, high = (0, NO_FOLD, 0, 0), (latest, FOLDS, len(sums.contexts), len(sums.models))
    if ((cells.keys < low) | (cells.keys >= high)).any():
        yield "keys"
    finite = (cells.values, sums.squares, sums.largest, sums.latencies, sums.calibration)
    if not all(np.isfinite(array).all() for array in finite):
        yield "numbers"
    if (cells.counts < 0).any() or int(cells.counts[:, CHOSEN].sum()) != sums.rows:
        yield "counts"


def _wrong_names(sums: LogSums) -> Iterator[str]:
    texts = [*sums.models, *(context.category for context in sums.contexts)]
    if not all(isinstance(text, str) for text in texts) or len(set(sums.models)) < len(sums.models):
        yield "names"
    elif len(set(sums.contexts)) < len(sums.contexts) or any(
        set(one.eligible) - set(sums.models) for one in sums.contexts
    ):
        yield "contexts"
