"""Which logs can be added up inside the database: Parquet files of a call a row, in the own columns and types."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, NamedTuple

from adapters.names import NAME
from adapters.traffic.columnar.conditions import NEEDED
from adapters.traffic.files.kinds import kind_of
from adapters.traffic.findings import MAX_REMEMBERED
from adapters.traffic.formats import FileLog
from adapters.traffic.own.parquet import MEMORY
from adapters.traffic.own.rows import COLUMNS, is_own
from adapters.traffic.reading import ANY_SOURCE

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_READERS: Final = ("routeward", "generic")
_ROWS: Final = "SELECT num_rows FROM parquet_file_metadata($file)"
# With fewer, what reads the log may not take it for one that knows times.
_TIMED: Final = "SELECT avg((time_us IS NOT NULL)::BIGINT) > 0.5 FROM (FROM read_parquet($files) LIMIT 1000)"
_NAMESPACES: Final = "SELECT DISTINCT namespace FROM read_parquet($files)"
# As the reader by the row looks for calls that come twice: among the first ids. Hashes, because texts are large.
_FIRST_IDS: Final = """CREATE TEMP TABLE first_ids AS
SELECT hash(call_id) AS id FROM read_parquet($files) WHERE call_id != '' AND ($namespace = '' OR {namespace})
LIMIT $most
"""
_TWICE: Final = """SELECT (SELECT count(*) FROM read_parquet($files)
    WHERE call_id != '' AND ($namespace = '' OR {namespace}) AND hash(call_id) IN (FROM first_ids))
    != (SELECT count(DISTINCT id) FROM first_ids)
"""


class Chunk(NamedTuple):
    """Rows `start` to `end` of a file, of a namespace if one is named; `columns` are those that the file has.

    `path` is one in which nothing is a pattern. `is_own` tells the own format, in which more is required.
    """

    path: str
    start: int
    end: int
    columns: frozenset[str]
    is_own: bool
    namespace: str


@dataclass(frozen=True, slots=True)
class ColumnarLog:
    """Files that look as if each of their rows were certain; `rows` tells how many each has."""

    paths: tuple[str, ...]
    rows: tuple[int, ...]
    columns: frozenset[str]
    is_own: bool
    namespace: str

    @property
    def source(self) -> str:
        """What has the rows, as a query names it."""
        files = ", ".join(map(quoted, self.paths))
        where = f" WHERE namespace = {quoted(self.namespace)}" if self.namespace else ""
        return f"SELECT * FROM (FROM read_parquet([{files}]){where})"  # noqa: S608 -- only of own and quoted names

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Cut the files, each for itself, into chunks of so many rows."""
        for path, rows in zip(self.paths, self.rows, strict=True):
            for start in range(0, rows, size):
                yield Chunk(path, start, min(start + size, rows), self.columns, self.is_own, self.namespace)


def columnar(log: FileLog) -> ColumnarLog | None:
    """Look at a log; None where the reader by the row has to read it, which says what is wrong with it."""
    if log.reader.name not in _READERS or log.column_map:
        return None
    files = log.source.files
    if log.quality_source != ANY_SOURCE or not find_spec("duckdb") or any(kind_of(f.path) != "parquet" for f in files):
        return None
    import duckdb

    paths = tuple(escape(str(file.path)) for file in files)
    try:
        with connected() as connection:
            return _looked_at(connection, paths, own=log.reader.name == "routeward", namespace=log.namespace)
    except duckdb.Error:
        return None


def connected(threads: int | None = None) -> "DuckDBPyConnection":
    """Return a database of its own, with as many threads as there are cores unless told."""
    import duckdb

    connection = duckdb.connect(config={"memory_limit": MEMORY})
    if threads is not None:
        connection.execute(f"SET threads = {threads}")
    return connection


def _looked_at(
    connection: "DuckDBPyConnection", paths: tuple[str, ...], *, own: bool, namespace: str
) -> ColumnarLog | None:
    described = [_columns(connection, path) for path in paths]
    columns = [found for found in described if found is not None]
    if len(columns) < len(described) or any(found != columns[0] for found in columns):
        return None
    if own != is_own(columns[0]) or not columns[0] >= NEEDED:
        return None
    files = {"files": list(paths)}
    first = connection.execute(_TIMED, files).fetchone()
    if first is None or not first[0] or (own and not _is_one_tenants(connection, paths, namespace)):
        return None
    # A generic log has no namespaces, whatever its columns are called.
    kept = namespace if own else ""
    if _some_come_twice(connection, paths, columns[0], kept):
        return None
    rows = [connection.execute(_ROWS, {"file": path}).fetchall()[0][0] for path in paths]
    return ColumnarLog(paths, tuple(rows), columns[0], own, kept)


def _columns(connection: "DuckDBPyConnection", path: str) -> frozenset[str] | None:
    found = connection.execute("DESCRIBE SELECT * FROM read_parquet($file)", {"file": path}).fetchall()
    types = {name: kind for name, kind, *_ in found}
    return frozenset(types) if types.items() <= COLUMNS.items() else None


def _is_one_tenants(connection: "DuckDBPyConnection", paths: Sequence[str], namespace: str) -> bool:
    """Tell whether there is one namespace, or the named one; and each is a name."""
    found = [name for (name,) in connection.execute(_NAMESPACES, {"files": list(paths)}).fetchall()]
    if not all(isinstance(name, str) and NAME.fullmatch(name) for name in found):
        return False
    return namespace in found if namespace else len(found) == 1


def _some_come_twice(
    connection: "DuckDBPyConnection", paths: Sequence[str], columns: frozenset[str], namespace: str
) -> bool:
    if "call_id" not in columns:
        return False
    where = "namespace = $namespace" if "namespace" in columns else "true"
    values = {"files": list(paths), "namespace": namespace}
    connection.execute(_FIRST_IDS.format(namespace=where), values | {"most": MAX_REMEMBERED})
    [(twice,)] = connection.execute(_TWICE.format(namespace=where), values).fetchall()
    return bool(twice)


def quoted(text: str) -> str:
    """Return a text as a query writes it."""
    return "'" + text.replace("'", "''") + "'"
