"""The own format as Parquet, by DuckDB."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from glob import escape
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from adapters.traffic.errors import ExportError, MissingExtraError
from adapters.traffic.own.rows import COLUMNS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

COMPRESSION: Final = "zstd"
MEMORY: Final = "1GB"
"""What DuckDB may take."""


def require_duckdb(what: str, instead: str) -> None:
    """Raise MissingExtraError where DuckDB is not installed."""
    if find_spec("duckdb") is None:
        raise MissingExtraError(f"{what} needs DuckDB: pip install 'routeward[replay]' (or {instead})")


def write_piece(text: Path, path: Path) -> None:
    """Turn JSON lines into Parquet; an empty file becomes one without rows. Raises ExportError."""
    with _connected(path) as connection:
        lines = connection.read_json(escape(str(text)), format="newline_delimited", columns=dict(COLUMNS))
        lines.write_parquet(str(path), compression=COMPRESSION)


def join_pieces(pieces: Sequence[Path], path: Path) -> None:
    """Put pieces together in their order, and remove them. Raises ExportError."""
    if len(pieces) == 1:
        pieces[0].replace(path)
        return
    with _connected(path) as connection:
        connection.read_parquet([escape(str(piece)) for piece in pieces]).write_parquet(
            str(path), compression=COMPRESSION
        )
    for piece in pieces:
        piece.unlink()


@contextmanager
def _connected(path: Path) -> Iterator["DuckDBPyConnection"]:
    import duckdb

    with duckdb.connect(config={"temp_directory": str(path.parent), "memory_limit": MEMORY}) as connection:
        try:
            yield connection
        except duckdb.Error as error:
            raise ExportError(f"{path.name} cannot be written as Parquet: {error}") from error
