"""Rows of a file of comma-separated values (standard library) or of a Parquet file (DuckDB)."""

import csv
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from simulations.errors import MissingColumnsError, MissingExtraError, OutcomesError

Row = Sequence[object]


def table_rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Yield the cells of `columns` of every row, in this order; None or an empty text is unknown.

    Raises OutcomesError for a file that is not there or of another format, MissingColumnsError,
    and MissingExtraError when Parquet is asked for without DuckDB.
    """
    if not path.is_file():
        raise OutcomesError(f"{path} is not a file")
    match path.suffix.lower():
        case ".csv":
            return _csv_rows(path, columns)
        case ".parquet":
            return _parquet_rows(path, columns)
        case suffix:
            raise OutcomesError(f"{path}: cannot read '{suffix}'; give a .parquet or a .csv file")


def _csv_rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [name.strip() for name in next(reader, [])]
            places = _places(path, header, columns)
            for row in reader:
                yield [row[place] for place in places] if len(row) == len(header) else ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OutcomesError(f"{path} cannot be read as comma-separated UTF-8 text: {error}") from error


def _parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    if find_spec("duckdb") is None:
        raise MissingExtraError(
            f"reading {path.name} needs DuckDB: pip install 'routeward[replay]' (or convert the table to .csv)"
        )
    import duckdb

    with duckdb.connect() as connection:
        try:
            relation = connection.read_parquet(str(path))
            _places(path, relation.columns, columns)
            yield from relation.select(*columns).fetchall()
        except duckdb.Error as error:
            raise OutcomesError(f"{path} cannot be read as Parquet: {error}") from error


def _places(path: Path, header: Sequence[str], columns: Sequence[str]) -> list[int]:
    missing = [column for column in columns if column not in header]
    if missing:
        raise MissingColumnsError(
            f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(header) or 'none'}"
        )
    return [header.index(column) for column in columns]
