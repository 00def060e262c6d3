"""A log as Parquet, by DuckDB: each portion of columns becomes a part, and the parts are copied, in order, to one file.

DuckDB reads numpy's columns where they are, so no call is ever a Python object.
"""

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from bandit.signals import Kind, Status
from simulations.errors import LogNotWrittenError, MissingExtraError
from simulations.logs.portions import COLUMNS, MEASURED, WHOLE, Portion

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_TEXTS: Final = {
    "call_id": "'call-' || row",
    "session": "CASE WHEN session < 0 THEN NULL ELSE 'session-' || session END",
    "category": "getvariable('categories')[category + 1]",
    "model": "getvariable('models')[model + 1]",
    "kind": "getvariable('kinds')[kind + 1]",
    "status": "getvariable('statuses')[status + 1]",
}
_WHOLE: Final = {name: f"CASE WHEN {name} >= 0 THEN {name}::BIGINT END" for name in WHOLE}
_CELLS: Final = _TEXTS | _WHOLE | {name: name for name in MEASURED}
_TAKEN: Final = ("category", "model", "kind", "status", "drawn_from", *WHOLE, *MEASURED)
_FORMAT: Final = "(FORMAT parquet, COMPRESSION zstd)"
_MEMORY: Final = "1GB"


def write_parquet(portions: Iterable[Portion], path: Path) -> None:
    """Write a row a call. Raises MissingExtraError without DuckDB, LogNotWrittenError where it cannot write."""
    if find_spec("duckdb") is None:
        raise MissingExtraError(
            "writing Parquet needs DuckDB: pip install 'routeward[replay]' (or write a .jsonl file)"
        )
    import duckdb

    with TemporaryDirectory(dir=path.parent, prefix=".parts-") as folder, duckdb.connect() as connection:
        try:
            connection.execute(f"SET memory_limit = '{_MEMORY}'")
            connection.execute("SET temp_directory = ?", [folder])
            parts = [_part(connection, portion, Path(folder)) for portion in portions]
            connection.execute("SET VARIABLE parts = ?", [parts])
            connection.execute(f"COPY (FROM read_parquet(getvariable('parts'))) TO {_quoted(str(path))} {_FORMAT}")
        except duckdb.Error as error:
            raise LogNotWrittenError(f"{path.name} cannot be written: {error}") from error


def _part(connection: "DuckDBPyConnection", portion: Portion, folder: Path) -> str:
    """Write a portion and return the name of its file."""
    start, calls, length = portion
    rows = np.arange(start, start + len(calls), dtype=np.int64)
    columns: dict[str, NDArray[Any]] = {name: getattr(calls, name) for name in _TAKEN}
    columns |= {"row": rows, "session": rows // length if length > 1 else np.full_like(rows, -1)}
    distributions = {f"p{m}": calls.probabilities[:, m].copy() for m in range(len(calls.models))}
    connection.register("calls", columns)
    connection.register("distributions", {"place": np.arange(len(calls.probabilities)), **distributions})
    for variable, texts in (
        ("categories", calls.categories),
        ("models", calls.models),
        ("kinds", ("", *Kind.__members__)),
        ("statuses", ("", *Status.__members__)),
    ):
        connection.execute(f"SET VARIABLE {variable} = ?", [list(texts)])
    part = str(folder / f"{start:015d}.parquet")
    connection.execute(f"COPY ({_query(distributions)}) TO {_quoted(part)} {_FORMAT}")
    return part


def _query(probabilities: Iterable[str]) -> str:
    """Return what gives the rows of a portion in order; each distribution becomes a map once."""
    cells = ", ".join(f"{_CELLS[name]} AS {name}" for name in COLUMNS if name in _CELLS)
    return (
        f"WITH maps AS MATERIALIZED (SELECT place, MAP(getvariable('models'), [{', '.join(probabilities)}]) AS found "  # noqa: S608 -- nothing of it is anybody's input
        f"FROM distributions) SELECT {cells}, found AS probabilities FROM calls JOIN maps ON drawn_from = place "
        "ORDER BY row"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
