"""What Parquet files of the own format hold, and whether they may be read without looking at each row."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from adapters.names import NAME
from adapters.traffic.calls import Call
from adapters.traffic.cells import LATEST_US, SUM_TOLERANCE
from adapters.traffic.own.rows import COLUMNS
from adapters.traffic.own.soundness import HIGHEST
from adapters.traffic.reading import NOT_DRAWN
from bandit.signals import SCORE_PREFIX, THUMB, Kind, Status

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FILES: Final = "read_parquet($files, file_row_number = true)"


@dataclass(frozen=True, slots=True)
class Survey:
    """Rows of each file, names in use, and what a report tells of the rows of a namespace; names are sorted."""

    rows: tuple[int, ...]
    namespaces: tuple[str, ...]
    categories: tuple[str, ...]
    models: tuple[str, ...]
    used: int
    knows: Counter[str]
    sources: Counter[str]


def surveyed(connection: "DuckDBPyConnection", paths: Sequence[str], namespace: str) -> Survey | None:
    """Look at every row; None where a row, or the order of rows, is not as an export writes them.

    In `paths`, what DuckDB would take for a pattern is escaped.
    """
    if not all(_has_our_types(connection, path) for path in paths):
        return None
    files = {"files": list(paths)}
    rows = _rows(connection, paths)
    if rows is None or any(_one(connection, query, files) != (0,) for query in _WRONG):
        return None
    names = {column: _distinct(connection, column, files) for column in ("namespace", "category", "model")}
    drawable = _distinct(connection, "unnest(map_keys(probabilities))", files)
    sources = _distinct(connection, "unnest(map_keys(judgements))", files)
    if not all(NAME.fullmatch(name) for found in (*names.values(), drawable) for name in found):
        return None
    if not all(source == THUMB or NAME.fullmatch(source.removeprefix(SCORE_PREFIX)) for source in sources):
        return None
    used, *known = _one(connection, _KNOWN, files | {"namespace": namespace})
    of_sources = connection.execute(_SOURCES, files | {"namespace": namespace}).fetchall()
    return Survey(
        rows,
        names["namespace"],
        names["category"],
        tuple(sorted({*names["model"], *drawable})),
        used,
        Counter({name: count for name, count in zip(Call._fields, known, strict=True) if count}),
        Counter(dict(of_sources)),
    )


def _rows(connection: "DuckDBPyConnection", paths: Sequence[str]) -> tuple[int, ...] | None:
    """Return the number of rows of each file; None where they are not in the order of time, or stand twice."""
    rows, latest = list[int](), -1
    for path in paths:
        count, wrong, oldest, newest = _one(connection, _ORDER, {"files": [path]})
        if wrong or (count and (oldest is None or oldest <= latest)):
            return None
        rows, latest = [*rows, count], newest if count else latest
    return tuple(rows)


def _has_our_types(connection: "DuckDBPyConnection", path: str) -> bool:
    found = connection.execute("DESCRIBE SELECT * FROM read_parquet($file)", {"file": path}).fetchall()
    return {name: kind for name, kind, *_ in found} == COLUMNS


def _one(connection: "DuckDBPyConnection", query: str, values: dict[str, Any]) -> tuple[Any, ...]:
    [row] = connection.execute(query, values).fetchall()
    return tuple(row)


def _distinct(connection: "DuckDBPyConnection", expression: str, files: dict[str, Any]) -> tuple[str, ...]:
    query = f"SELECT DISTINCT name FROM (SELECT {expression} AS name FROM {FILES}) WHERE name IS NOT NULL ORDER BY 1"  # noqa: S608 -- only of our own expressions
    return tuple(name for (name,) in connection.execute(query, files).fetchall())


def _conditions() -> str:
    """Return what is true of a row that the reader by the row accepts; of sums on the strict side."""
    not_drawn = ", ".join(f"'{kind.name}'" for kind in NOT_DRAWN)
    agrees = "coalesce(abs(propensity - probabilities[model]) <= 0.9e-3 * probabilities[model], false)"
    kinds, statuses = (", ".join(f"'{name}'" for name in members.__members__) for members in (Kind, Status))
    return " AND ".join(
        [
            "coalesce(namespace, '') != '' AND coalesce(call_id, '') != '' AND coalesce(category, '') != ''",
            f"coalesce(model, '') != '' AND time_us IS NOT NULL AND coalesce(kind, '') IN ({kinds})",
            f"coalesce(status, 'OK') IN ({statuses})",
            "map_keys(judgements) IS NOT DISTINCT FROM map_keys(judgements_us)",
            "coalesce(revision, 0) >= 0",
            *(f"coalesce({name}, 0) BETWEEN 0 AND {high!r}" for name, high in HIGHEST.items()),
            f"(probabilities IS NULL OR abs(list_sum(map_values(probabilities)) - 1) <= {0.9 * SUM_TOLERANCE})",
            f"(kind IN ({not_drawn}) OR coalesce(propensity, 1) > 0 AND (probabilities IS NULL OR {agrees}))",
        ]
    )


# Rows in strict order are rows of which none stands twice.
_ORDER: Final = f"""
SELECT count(*), count(*) FILTER (WHERE NOT coalesce(time_us > before OR (time_us = before AND call_id > last), true)),
    min(time_us), max(time_us)
FROM (SELECT time_us, call_id, lag(time_us) OVER () AS before, lag(call_id) OVER () AS last FROM {FILES})
"""  # noqa: S608 -- only of our own names
_WRONG: Final = (
    f"SELECT count(*) FILTER (WHERE NOT coalesce({_conditions()}, false)) FROM {FILES}",  # noqa: S608 -- as above
    *(
        f"SELECT count(*) FILTER (WHERE NOT coalesce(cell BETWEEN 0 AND {high}, false)) "  # noqa: S608 -- as above
        f"FROM (SELECT unnest(map_values({name})) AS cell FROM {FILES})"
        for name, high in (("probabilities", 1), ("judgements", 1), ("judgements_us", LATEST_US))
    ),
)
_KNOWN: Final = f"""
SELECT count(*), {
    ", ".join(
        f"count(nullif({name}::VARCHAR, ''))"
        if COLUMNS.get(name) == "VARCHAR"
        else f"count({name})"
        if name in COLUMNS
        else "0"
        for name in Call._fields
    )
}
FROM {FILES} WHERE $namespace = '' OR namespace = $namespace
"""  # noqa: S608 -- only of our own names
_SOURCES: Final = f"""
SELECT source, count(*) FROM (SELECT unnest(map_keys(judgements)) AS source FROM {FILES}
    WHERE $namespace = '' OR namespace = $namespace) GROUP BY source
"""  # noqa: S608 -- only of our own names
