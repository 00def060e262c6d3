"""Rows of a log as mappings: comma-separated values, JSON lines (standard library) or Parquet (DuckDB)."""

import csv
import json
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from adapters.traffic.errors import LogError, MissingExtraError

Row = Mapping[str, object]
_FETCHED: Final = 10_000
BROKEN: Final[Row] = {}
"""Stands for a row that cannot be read."""
MAX_LINE_BYTES: Final = 1_000_000
"""A longer line is no row of a log, and is never held in memory as a whole."""
_STAND_INS: Final = ("-\n", '"\n')
"""For a line with an even and with an odd number of quotes: a cell over several lines still ends where it did."""


class _Line(NamedTuple):
    """A line, what is read of the file with it, and whether it was too long: its text only stands for it then."""

    text: str
    done: float
    is_too_long: bool = False


def log_rows(path: Path) -> Iterator[tuple[Row, float]]:
    """Yield every row with the fraction of the file read so far; `BROKEN` stands for one that cannot be read.

    Raises LogError for a file that is not there, of another format or not readable, and MissingExtraError.
    """
    if not path.is_file():
        raise LogError(f"{path} is not a file")
    match path.suffix.lower():
        case ".csv":
            return _csv_rows(path)
        case ".jsonl" | ".ndjson":
            return _json_rows(path)
        case ".parquet":
            return _parquet_rows(path)
        case suffix:
            raise LogError(f"{path}: cannot read '{suffix}'; give a .jsonl, a .csv or a .parquet file")


def _lines(path: Path) -> Iterator[_Line]:
    size, read = max(path.stat().st_size, 1), 0
    try:
        with path.open("rb") as file:
            while line := file.readline(MAX_LINE_BYTES + 1):
                encoding = "utf-8" if read else "utf-8-sig"
                read += len(line)
                if len(line) <= MAX_LINE_BYTES:
                    yield _Line(line.decode(encoding), read / size)
                else:
                    rest, quotes = _skipped(file, line)
                    read += rest
                    yield _Line(_STAND_INS[quotes % 2], read / size, is_too_long=True)
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f"{path} cannot be read as UTF-8 text: {error}") from error


def _skipped(file: BinaryIO, line: bytes) -> tuple[int, int]:
    """Read on to the end of a line; return the bytes that this took, and the quotes in the whole line."""
    rest, quotes = 0, line.count(b'"')
    while line and not line.endswith(b"\n"):
        line = file.readline(MAX_LINE_BYTES)
        rest, quotes = rest + len(line), quotes + line.count(b'"')
    return rest, quotes


def _csv_rows(path: Path) -> Iterator[tuple[Row, float]]:
    done, is_cut = 0.0, False

    def text() -> Iterator[str]:
        nonlocal done, is_cut
        for line in _lines(path):
            done, is_cut = line.done, is_cut or line.is_too_long
            yield line.text

    reader = csv.DictReader(text(), restkey="")
    try:
        reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
        if is_cut:
            raise LogError(f"{path}: the line with the names of columns is longer than {MAX_LINE_BYTES:,} bytes")
        for row in reader:
            is_whole = not is_cut and "" not in row and None not in row.values()
            yield row if is_whole else BROKEN, done
            is_cut = False
    except csv.Error as error:
        raise LogError(f"{path} cannot be read as comma-separated values: {error}") from error


def _json_rows(path: Path) -> Iterator[tuple[Row, float]]:
    for text, done, is_too_long in _lines(path):
        if not text.strip():
            continue
        try:
            row = BROKEN if is_too_long else json.loads(text)
        except (ValueError, RecursionError):
            row = BROKEN
        yield row if isinstance(row, dict) else BROKEN, done


def _parquet_rows(path: Path) -> Iterator[tuple[Row, float]]:
    if find_spec("duckdb") is None:
        raise MissingExtraError(
            f"reading {path.name} needs DuckDB: pip install 'routeward[replay]' (or convert the log to .csv)"
        )
    import duckdb

    with duckdb.connect() as connection:
        try:
            [total] = connection.execute("SELECT count(*) FROM read_parquet(?)", [str(path)]).fetchone() or (0,)
            found = connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
            columns, read = [column for column, *_ in found.description or ()], 0
            while rows := found.fetchmany(_FETCHED):
                read += len(rows)
                for row in rows:
                    yield dict(zip(columns, row, strict=True)), read / total
        except duckdb.Error as error:
            raise LogError(f"{path} cannot be read as Parquet: {error}") from error
