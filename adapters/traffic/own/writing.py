"""Writing decisions to a file: whole, or not at all, whenever the writing ends.

A file is written under another name, in a hidden folder beside it, and renamed when it is complete and on the disk.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final

from adapters.traffic.errors import ExportBusyError, ExportError
from adapters.traffic.own.decision import LoggedDecision
from adapters.traffic.own.parquet import join_pieces, require_duckdb, write_piece
from adapters.traffic.own.rows import row_of

JSONL: Final = ".jsonl"
PARQUET: Final = ".parquet"
SUFFIXES: Final = (PARQUET, JSONL)
PIECE: Final = 200_000
"""Decisions that lie beside a Parquet file as text while they are written, some 150 MB."""


def write_file(decisions: Iterable[LoggedDecision], path: Path) -> int:
    """Write decisions to a .jsonl or a .parquet file, replacing one that is there; return how many.

    Raises ExportError where that cannot be done, and MissingExtraError.
    """
    with scratch(path.with_name(f".{path.name}.part")) as folder:
        return replace_file(decisions, path, folder)


def replace_file(decisions: Iterable[LoggedDecision], path: Path, scratch_folder: Path) -> int:
    """Do what `write_file` does, with a scratch folder that is there; nothing is left without decisions."""
    whole = scratch_folder / f"whole{path.suffix}"
    rows = iter(decisions)
    with told_as_export_errors(path):
        if path.suffix == PARQUET:
            require_duckdb(f"writing {path.name}", "write .jsonl")
            count = _write_parquet(rows, whole)
        else:
            count = _write_lines(rows, whole)
        _on_disk(whole)
        whole.replace(path)
        _on_disk(path.parent)
    return count


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """Make an empty folder for one export at a time, and remove it afterwards.

    What an export that was killed has left in it is removed first. Raises ExportBusyError while another export has it.
    """
    with told_as_export_errors(folder.parent):
        folder.mkdir(exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor, folder)
        with told_as_export_errors(folder):
            _empty(folder)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)


@contextmanager
def told_as_export_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says into an error that names a path and what to do."""
    try:
        yield
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror}; nothing that was there is lost") from error


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had it removes it at its end: what we opened may be gone, and another one there.
        if os.path.samestat(os.fstat(descriptor), folder.stat()):
            return
    except (BlockingIOError, FileNotFoundError):
        pass
    raise ExportBusyError(f"another export has {folder}; wait until it ends, or write elsewhere")


def _empty(folder: Path) -> None:
    for left in folder.iterdir():
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()


def _write_lines(decisions: Iterable[LoggedDecision], path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for decision in decisions:
            file.write(json.dumps(row_of(decision), ensure_ascii=False, allow_nan=False, separators=(",", ":")))
            file.write("\n")
            count += 1
    return count


def _write_parquet(decisions: Iterator[LoggedDecision], path: Path) -> int:
    text, pieces, total = path.with_suffix(JSONL), list[Path](), 0
    while count := _write_lines(islice(decisions, PIECE), text):
        pieces.append(path.with_name(f"piece-{len(pieces)}{PARQUET}"))
        write_piece(text, pieces[-1])
        total += count
    if not pieces:
        pieces.append(path.with_name(f"piece-0{PARQUET}"))
        write_piece(text, pieces[-1])
    join_pieces(pieces, path)
    text.unlink()
    return total


def _on_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
