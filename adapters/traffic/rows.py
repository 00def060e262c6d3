"""Rows of a log as mappings: comma-separated values, JSON lines (standard library) or Parquet (DuckDB)."""

import csv
import json
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from adapters.traffic.errors import LogError, MissingExtraError

Row = Mapping[str, object]
_FETCHED: Final = 10_000
BROKEN: Final[Row] = {}
"""Stands for a row that cannot be read."""


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


def _lines(path: Path) -> Iterator[tuple[str, float]]:
    size, read = max(path.stat().st_size, 1), 0
    try:
        with path.open("rb") as file:
            for line in file:
                read += len(line)
                yield line.decode("utf-8-sig" if read == len(line) else "utf-8"), read / size
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f"{path} cannot be read as UTF-8 text: {error}") from error


def _csv_rows(path: Path) -> Iterator[tuple[Row, float]]:
    done = 0.0

    def text() -> Iterator[str]:
        nonlocal done
        for line, done in _lines(path):  # noqa: B007 -- `done` is what the rows below are given
            yield line

    reader = csv.DictReader(text(), restkey="")
    try:
        reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
        for row in reader:
            is_whole = "" not in row and None not in row.values()
            yield row if is_whole else BROKEN, done
    except csv.Error as error:
        raise LogError(f"{path} cannot be read as comma-separated values: {error}") from error


def _json_rows(path: Path) -> Iterator[tuple[Row, float]]:
    for line, done in _lines(path):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
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
