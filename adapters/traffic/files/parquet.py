"""Rows of Parquet, which DuckDB reads."""

from collections.abc import Iterator, Sequence
from glob import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from adapters.traffic.errors import LogError, MissingExtraError
from adapters.traffic.rows import Record

_FETCHED: Final = 10_000
_ZONED: Final = "TIMESTAMP WITH TIME ZONE"


def parquet(path: Path) -> Iterator[Record]:
    """Yield rows. Raises LogError for a file that is no Parquet, and MissingExtraError without DuckDB."""
    if find_spec("duckdb") is None:
        raise MissingExtraError(
            f"reading {path.name} needs DuckDB: pip install 'routeward[replay]' (or convert the log to .csv)"
        )
    import duckdb

    file = [escape(str(path))]
    with duckdb.connect() as connection:
        try:
            [total] = connection.execute("SELECT count(*) FROM read_parquet(?)", file).fetchone() or (0,)
            described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", file).fetchall()
            found = connection.execute(f"SELECT {_columns(described)} FROM read_parquet(?)", file)  # noqa: S608 -- quoted
            columns, read = [column for column, *_ in described], 0
            while rows := found.fetchmany(_FETCHED):
                for row in rows:
                    read += 1
                    yield Record(dict(zip(columns, row, strict=True)), read, read / total)
        except duckdb.Error as error:
            raise LogError(f"{path} cannot be read as Parquet: {error}") from error


def _columns(described: Sequence[tuple[Any, ...]]) -> str:
    """Return what to select: times with a zone in UTC without one, which DuckDB hands over without further packages."""
    quoted = ((f'"{str(name).replace(chr(34), chr(34) * 2)}"', kind) for name, kind, *_ in described)
    return ", ".join(f"make_timestamp(epoch_us({name}))" if kind == _ZONED else name for name, kind in quoted)
