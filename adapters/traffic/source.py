"""Where a log lies: one file, or a folder of files that are read in the order of their names."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from adapters.traffic.errors import LogError
from adapters.traffic.files.kinds import SUFFIXES, kind_of, records_of
from adapters.traffic.files.parquet import parquet_columns
from adapters.traffic.rows import Record

LOOKED_AT: Final = 100
"""Rows whose columns say what a file is."""


@dataclass(frozen=True, slots=True)
class LogFile:
    """A file of a log: its columns are those of its first rows, and its share is that of all bytes."""

    path: Path
    name: str
    columns: frozenset[str]
    size: int


@dataclass(frozen=True, slots=True)
class Source:
    """The files of a log."""

    path: Path
    files: tuple[LogFile, ...]

    def records(self, files: tuple[LogFile, ...] | None = None) -> Iterator[Record]:
        """Yield the rows of some files, or of all; `done` is the share of these. Raises LogError."""
        files = self.files if files is None else files
        total, before = max(sum(file.size for file in files), 1), 0
        for file in files:
            for record in records_of(file.path):
                name = file.name if len(self.files) > 1 else ""
                yield Record(record.row, record.line, (before + record.done * file.size) / total, name)
            before += file.size


def source_of(path: Path) -> Source:
    """Look at a file, or at every file of a folder and of the folders in it that a log can be read from.

    Raises LogError for a path that is neither, a folder without such files, and files that cannot be read.
    """
    if not path.is_dir():
        return Source(path, (_looked_at(path, path.name),))
    found = sorted(one for one in path.rglob("*") if one.is_file() and _is_of_a_log(one.relative_to(path)))
    if not found:
        raise LogError(f"{path} is a folder without {', '.join(SUFFIXES)} files")
    return Source(path, tuple(_looked_at(one, str(one.relative_to(path))) for one in found))


def _is_of_a_log(path: Path) -> bool:
    name = path.name.lower().removesuffix(".gz")
    return name.endswith(SUFFIXES) and not any(part.startswith((".", "_")) for part in path.parts)


def _looked_at(path: Path, name: str) -> LogFile:
    if kind_of(path) == "parquet":
        columns = parquet_columns(path)
    else:
        columns = frozenset[str]().union(*(record.row.keys() for record in islice(records_of(path), LOOKED_AT)))
    return LogFile(path, name, columns, path.stat().st_size)
