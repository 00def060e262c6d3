"""Rows of Parquet, which DuckDB reads."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from glob import escape
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from adapters.traffic.errors import LogError, MissingExtraError
from adapters.traffic.rows import Record

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FETCHED: Final = 10_000
_DESCRIBE: Final = "DESCRIBE SELECT * FROM read_parquet(?)"
_ZONED: Final = "TIMESTAMP WITH TIME ZONE"


def parquet(path: Path) -> Iterator[Record]:
    """Yield rows. Raises LogError for a file that is no Parquet, and MissingExtraError without DuckDB."""
    with _connected(path) as (connection, file):
        [total] = connection.execute("SELECT count(*) FROM read_parquet(?)", file).fetchone() or (0,)
        described = connection.execute(_DESCRIBE, file).fetchall()
        found = connection.execute(f"SELECT {_columns(described)} FROM read_parquet(?)", file)  # noqa: S608 -- quoted
        columns, read = [column for column, *_ in described], 0
        while rows := found.fetchmany(_FETCHED):
            for row in rows:
                read += 1
                yield Record(dict(zip(columns, row, strict=True)), read, read / total)


def parquet_columns(path: Path) -> frozenset[str]:
    """Return the names of columns, without reading a row. Raises what `parquet` raises."""
    with _connected(path) as (connection, file):
        return frozenset(name for name, *_ in connection.execute(_DESCRIBE, file).fetchall())


@contextmanager
def _connected(path: Path) -> "Iterator[tuple[DuckDBPyConnection, list[str]]]":
    if find_spec("duckdb") is None:
        raise MissingExtraError(
            f"reading {path.name} needs DuckDB: pip install 'routeward[replay]' (or convert the log to .csv)"
        )
    import duckdb

    with duckdb.connect() as connection:
        try:
            yield connection, [escape(str(path))]
        except duckdb.Error as error:
            raise LogError(f"{path} cannot be read as Parquet: {error}") from error


def _columns(described: Sequence[tuple[Any, ...]]) -> str:
    """Return what to select: times with a zone in UTC without one, which DuckDB hands over without further packages."""
    quoted = ((f'"{str(name).replace(chr(34), chr(34) * 2)}"', kind) for name, kind, *_ in described)
    return ", ".join(f"make_timestamp(epoch_us({name}))" if kind == _ZONED else name for name, kind in quoted)
