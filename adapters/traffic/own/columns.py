"""Reading the own format as Parquet straight into columns, without a Python object per row.

What comes out is what the reader by the row gives, to the bit. Only files for which that is certain are read so, see
`survey`; others are read by the row, which says what is wrong with them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from adapters.traffic.calls import INTEGERS, NUMBERS, UNKNOWN, Calls, Floats, Ints, Names, session_number
from adapters.traffic.own.decision import ANY
from adapters.traffic.own.survey import FILES, Survey
from bandit.signals import Kind, Status

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WINDOW: Final = 122_880
"""Rows that a Parquet file has in a group, which are read at once."""
CELLS: Final = 4_000_000
"""Probabilities that are in memory at once."""
_MEMBERS: Final = {"kind": list(Kind.__members__), "status": list(Status.__members__)}
"""The number of each is its place, from 1."""

Columns = Mapping[str, NDArray[Any]]
"""Columns of equally many rows: those of `Calls`, each model's probabilities, and where a row is from."""


@dataclass(slots=True)
class ColumnReader:
    """Reads the rows of a namespace, all where it is empty. Numbers of names stay the same from batch to batch."""

    connection: "DuckDBPyConnection"
    paths: Sequence[str]
    survey: Survey
    namespace: str
    quality_source: str
    categories: Names = field(default_factory=Names)
    models: Names = field(default_factory=Names)

    def batches(self, size: int) -> Iterator[Calls]:
        """Yield calls, `size` at a time."""
        rest: Columns = {}
        for window in self._windows(size):
            joined = {name: np.concatenate((rest[name], cells)) for name, cells in window.items()} if rest else window
            whole = len(joined["row"]) // size * size
            for start in range(0, whole, size):
                yield self._calls(_cut(joined, start, start + size))
            rest = _cut(joined, whole, None)
        if rest and len(rest["row"]):
            yield self._calls(rest)

    def _windows(self, size: int) -> Iterator[Columns]:
        rows = min(max(WINDOW, size), max(CELLS // max(len(self.survey.models), 1), 1))
        query, values = self._query()
        self._declare_names()
        for number, (path, total) in enumerate(zip(self.paths, self.survey.rows, strict=True)):
            for start in range(0, total, rows):
                where = {"files": [path], "file": number, "start": start, "end": start + rows}
                yield self.connection.execute(query, values | where).fetchnumpy()

    def _declare_names(self) -> None:
        """Let the database number names, so that a row has no text of them."""
        categories, models = list(self.survey.categories), list(self.survey.models)
        self.connection.execute("CREATE TEMP TABLE of_categories AS SELECT unnest($1) AS name", [categories])
        self.connection.execute("CREATE TEMP TABLE of_models AS SELECT unnest($1) AS name", [models])
        self.connection.execute("CREATE TYPE category_name AS ENUM (SELECT name FROM of_categories ORDER BY name)")
        self.connection.execute("CREATE TYPE model_name AS ENUM (SELECT name FROM of_models ORDER BY name)")

    def _query(self) -> tuple[str, dict[str, Any]]:
        """Return what reads a range of rows of a file, and the values it needs."""
        expressions = {name: f"coalesce({name}, {UNKNOWN})::BIGINT" for name in INTEGERS if name not in _MEMBERS}
        expressions |= {name: f"coalesce(list_position(${name}s, {name}), {UNKNOWN})::BIGINT" for name in _MEMBERS}
        expressions |= {name: f"coalesce({name}::DOUBLE, 'NaN'::DOUBLE)" for name in NUMBERS}
        values: dict[str, Any] = {f"{name}s": members for name, members in _MEMBERS.items()}
        if self.quality_source != ANY:
            expressions["quality"] = "coalesce(judgements[$source], 'NaN'::DOUBLE)"
            expressions["judged_us"] = f"coalesce(judgements_us[$source], {UNKNOWN})::BIGINT"
            values["source"] = self.quality_source
        expressions["category"] = "enum_code(category::category_name)::BIGINT"
        expressions["model"] = "enum_code(model::model_name)::BIGINT"
        expressions |= {"session": "coalesce(session, '')", "is_drawn": "probabilities IS NOT NULL"}
        for number, model in enumerate(self.survey.models):
            expressions[f"p{number}"] = f"coalesce(probabilities[$p{number}], 'NaN'::DOUBLE)"
            values[f"p{number}"] = model
        expressions |= {"file": "$file::BIGINT", "row": "file_row_number"}
        where = "file_row_number >= $start AND file_row_number < $end"
        if self.namespace:
            where += " AND namespace = $namespace"
            values["namespace"] = self.namespace
        listed = ", ".join(f"{expression} AS {name}" for name, expression in expressions.items())
        return f"SELECT {listed} FROM {FILES} WHERE {where}", values  # noqa: S608 -- only of our own names

    def _calls(self, columns: Columns) -> Calls:
        category = _numbered(columns["category"], self.survey.categories, self.categories)
        model = _numbered(columns["model"], self.survey.models, self.models)
        drawn_from, probabilities = self._distributions(columns)
        sessions = {text: session_number(text) for text in set(columns["session"].tolist())}
        return Calls(
            categories=self.categories.all(),
            models=self.models.all(),
            category=category,
            model=model,
            session=np.array([sessions[text] for text in columns["session"].tolist()], np.int64),
            drawn_from=drawn_from,
            probabilities=probabilities,
            **{name: columns[name] for name in (*INTEGERS, *NUMBERS)},
        )

    def _distributions(self, columns: Columns) -> tuple[Ints, Floats]:
        """Return each call's row of probabilities, and the rows, in the order in which they come."""
        drawn_from = np.full(len(columns["row"]), UNKNOWN, np.int64)
        drawn = np.flatnonzero(columns["is_drawn"])
        shares = np.column_stack([columns[f"p{number}"][drawn] for number in range(len(self.survey.models))])
        keys = np.ascontiguousarray(shares + 0.0).view(np.dtype((np.void, shares.shape[1] * 8))).ravel()
        _, first, which = np.unique(keys, return_index=True, return_inverse=True)
        order = np.argsort(first)
        drawn_from[drawn] = np.argsort(order)[which]
        first = first[order]
        self._number_new(columns, drawn[first], shares[first])
        probabilities = np.full((len(first), len(self.models.all())), np.nan)
        for number, name in enumerate(self.survey.models):
            if not np.isnan(shares[first, number]).all():
                probabilities[:, self.models.number(name)] = shares[first, number]
        return drawn_from, probabilities

    def _number_new(self, columns: Columns, places: Ints, shares: Floats) -> None:
        """Number models that only distributions name, in the order in which these name them."""
        known = set(self.models.all())
        new = [number for number, name in enumerate(self.survey.models) if name not in known]
        with_new = places[~np.isnan(shares[:, new]).all(axis=1)]
        for file in np.unique(columns["file"][with_new]):
            rows = columns["row"][with_new[columns["file"][with_new] == file]]
            where = "file_row_number IN $rows ORDER BY file_row_number"
            query = f"SELECT map_keys(probabilities) FROM {FILES} WHERE {where}"  # noqa: S608 -- only of our own names
            found = self.connection.execute(query, {"files": [self.paths[file]], "rows": rows.tolist()})
            for (names,) in found.fetchall():
                for name in names:
                    self.models.number(name)


def _numbered(codes: Ints, sorted_names: Sequence[str], names: Names) -> Ints:
    """Return the numbers of names that are given by their place, numbering new ones in the order in which they come."""
    found, first, which = np.unique(codes, return_index=True, return_inverse=True)
    numbers = np.zeros(len(found), np.int64)
    for place in np.argsort(first):
        numbers[place] = names.number(sorted_names[found[place]])
    return numbers[which]


def _cut(columns: Columns, start: int, end: int | None) -> Columns:
    return {name: cells[start:end] for name, cells in columns.items()}
