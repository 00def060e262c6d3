"""Rows of Parquet, which DuckDB reads."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from adapters.traffic.errors import LogError, MissingExtraError
from adapters.traffic.rows import Record

_FETCHED: Final = 10_000


def parquet(path: Path) -> Iterator[Record]:
    """Yield rows. Raises LogError for a file that is no Parquet, and MissingExtraError without DuckDB."""
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
                for row in rows:
                    read += 1
                    yield Record(dict(zip(columns, row, strict=True)), read, read / total)
        except duckdb.Error as error:
            raise LogError(f"{path} cannot be read as Parquet: {error}") from error
