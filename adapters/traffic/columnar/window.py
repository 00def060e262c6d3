"""A chunk of a columnar log, coded: a table of numbers in the database, and what a report tells of its rows."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from adapters.names import NAME
from adapters.traffic import cells
from adapters.traffic.calls import Call
from adapters.traffic.columnar.conditions import certain, distributed
from adapters.traffic.columnar.files import Chunk, connected, quoted
from adapters.traffic.findings import DURATIONS, FORGOTTEN, MAX_REMEMBERED, PER_DECADE, Magnitudes
from adapters.traffic.own.rows import COLUMNS
from bandit.signals import SCORE_PREFIX, THUMB, Kind, Status

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MOST_MODELS: Final = 48
"""Models of a chunk at most: a set of them is a number, and their probabilities are columns."""

_COUNTED: Final = COLUMNS.keys() - {"probabilities"}
_SAMPLE: Final = 1000
"""Rows whose models are known before all are looked at."""
# Digits 15 and 16 of the digest end the number of a session, see `session_number`.
_DIGIT: Final = "((unicode(digits[{0}]) & 15) + 9 * (unicode(digits[{0}]) >> 6))"
_FOLD: Final = f"coalesce(({_DIGIT.format(1)} * 8 + ({_DIGIT.format(2)} >> 1)) & 31, -1)::TINYINT"


class UncertainError(Exception):
    """A row of a chunk is not certain; the reader by the row has to say what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a report tells of a chunk: rows, how many know each field of `Call`, judgements by source, magnitudes."""

    used: int = 0
    knows: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    magnitudes: Magnitudes = field(default_factory=Magnitudes)

    def plus(self, other: "Told") -> "Told":
        """Return what is told of both."""
        return Told(
            self.used + other.used,
            self.knows + other.knows,
            self.sources + other.sources,
            self.magnitudes.plus(other.magnitudes),
        )

    def notes(self) -> list[str]:
        """Return sentences for the reader of a report."""
        forgotten = [FORGOTTEN] if self.knows["call_id"] > MAX_REMEMBERED else []
        return forgotten + self.magnitudes.doubts()


@dataclass(frozen=True, slots=True)
class Window:
    """A chunk in the table `calls` of a database; categories and models are numbers, the places of their names.

    Columns, NULL where unknown: `category`, `model`, `time_us`, `kind` and `status` (numbers of `Kind` and `Status`),
    `fold` (a session's number modulo 32, -1 without one), `able` (the set of models that could be drawn, a bit for
    each; -1 where unknown), `propensity`, `cost_usd`, `latency_s`, `quality`, and for each model its probability, `p0`,
    `p1` and so on.
    """

    connection: "DuckDBPyConnection"
    categories: tuple[str, ...]
    models: tuple[str, ...]
    told: Told


@contextmanager
def opened(chunk: Chunk) -> Iterator[Window]:
    """Code a chunk in a database of its own, on one thread. Raises UncertainError, and what DuckDB raises."""
    with connected(threads=1) as connection:
        source = _source(chunk)
        told = _told(connection, source, chunk)
        categories, chosen = (_names(connection, name, source) for name in ("category", "model"))
        layouts = _layouts(connection, f"(FROM {source} LIMIT {_SAMPLE})")
        models = _checked({*chosen, *(name for layout in layouts for name in layout)})
        if not _code(connection, source, categories, models, layouts[0] if len(layouts) == 1 else ()):
            models = _checked({*chosen, *(name for layout in _layouts(connection, source) for name in layout)})
            if not _code(connection, source, categories, models, ()):
                raise UncertainError
        [(distributed,)] = connection.execute("SELECT count(named) FROM taken").fetchall()
        knows = told.knows + Counter(probabilities=distributed)
        yield Window(connection, categories, models, replace(told, knows=knows))


def _source(chunk: Chunk) -> str:
    """Return what has the rows of a chunk, with every column that there can be."""
    listed = ", ".join(name if name in chunk.columns else f"NULL::{kind} AS {name}" for name, kind in COLUMNS.items())
    where = f"file_row_number >= {chunk.start} AND file_row_number < {chunk.end}"
    if chunk.namespace:
        where += f" AND namespace = {quoted(chunk.namespace)}"
    return f"(SELECT {listed} FROM read_parquet({quoted(chunk.path)}, file_row_number = true) WHERE {where})"  # noqa: S608 -- only of own and quoted names


def _told(connection: "DuckDBPyConnection", source: str, chunk: Chunk) -> Told:
    # Distributions are read once only, and counted then.
    known = ", ".join(f"count({name if name in _COUNTED else 'NULL'})" for name in Call._fields)
    query = f"SELECT count(*), {certain(is_own=chunk.is_own)}, {known} FROM {source}"  # noqa: S608 -- own names
    [(used, is_certain, *counts)] = connection.execute(query).fetchall()
    if used and not is_certain:
        raise UncertainError
    knows = Counter({name: count for name, count in zip(Call._fields, counts, strict=True) if count})
    if chunk.is_own:
        return Told(used, knows, _judgements(connection, source))
    sources = Counter({SCORE_PREFIX + "quality": knows["quality"]} if knows["quality"] else {})
    return Told(used, knows, sources, _magnitudes(connection, source))


def _judgements(connection: "DuckDBPyConnection", source: str) -> Counter[str]:
    listed = f"SELECT unnest(map_keys(judgements)) AS source FROM {source}"  # noqa: S608 -- own names
    query = f"SELECT source, count(*) FROM ({listed}) GROUP BY 1"  # noqa: S608 -- own names
    sources = Counter(dict(connection.execute(query).fetchall()))
    if not all(source == THUMB or source.startswith(SCORE_PREFIX) for source in sources):
        raise UncertainError
    return sources


def _magnitudes(connection: "DuckDBPyConnection", source: str) -> Magnitudes:
    """Return those of a table; what an export wrote is in its own units, and not doubted."""
    [(earliest,)] = connection.execute(f"SELECT min(time_us) FROM {source}").fetchall()  # noqa: S608 -- own names
    durations = {}
    for name in DURATIONS:
        place = f"floor(log10({name}) * {PER_DECADE})::INTEGER"
        query = f"SELECT {place}, count(*) FROM {source} WHERE {name} IS NOT NULL GROUP BY 1"  # noqa: S608 -- own names
        durations[name] = Counter(dict(connection.execute(query).fetchall()))
    return Magnitudes(durations, earliest)


def _names(connection: "DuckDBPyConnection", column: str, source: str) -> tuple[str, ...]:
    return _checked(name for (name,) in connection.execute(f"SELECT DISTINCT {column} FROM {source}").fetchall())  # noqa: S608 -- only of own and quoted names


def _layouts(connection: "DuckDBPyConnection", source: str) -> Sequence[tuple[str, ...]]:
    """Return the models of distributions, in the orders in which these name them."""
    query = f"SELECT DISTINCT map_keys(probabilities) FROM {source} WHERE probabilities IS NOT NULL"  # noqa: S608 -- only of own and quoted names
    return [tuple(names) for (names,) in connection.execute(query).fetchall()]


def _checked(names: Any) -> tuple[str, ...]:
    """Return names in order. Raises UncertainError for what a reader would not take for a name as it stands."""
    found = tuple(sorted(names))
    if len(found) > MOST_MODELS or not all(NAME.fullmatch(name) and cells.text(name) for name in found):
        raise UncertainError
    return found


def _code(
    connection: "DuckDBPyConnection",
    source: str,
    categories: Sequence[str],
    models: Sequence[str],
    layout: Sequence[str],
) -> bool:
    """Make the table `calls`; False where a distribution is not certain, or names a model that is not known.

    With a `layout`, only distributions that name their models in this order are.
    """
    shares = [f"p{number}" for number in range(len(models))]
    members = {"kind": list(Kind.__members__), "status": list(Status.__members__)}
    numbers = {name: f"list_position({_list(of)}, {name})" for name, of in members.items()}
    numbers |= {"category": f"list_position({_list(categories)}, category) - 1"}
    numbers |= {"model": f"list_position({_list(models)}, model) - 1"}
    taken = [f"({number})::USMALLINT AS {name}" for name, number in numbers.items()]
    taken += [f"{_share(name, layout)} AS {share}" for name, share in zip(models, shares, strict=True)]
    listed = "time_us, propensity, cost_usd, latency_s, quality, substr(md5(session), 15, 2) AS digits"
    listed = ", ".join([listed, "cardinality(probabilities) AS named", *taken])
    # What is derived from these is derived in a view: an optimiser that merges both steps would read maps repeatedly.
    connection.execute(f"CREATE OR REPLACE TEMP TABLE taken AS SELECT {listed} FROM {source}")  # noqa: S608 -- only of own and quoted names
    able = " + ".join(f"if({share} IS NULL, 0, {1 << number})" for number, share in enumerate(shares))
    derived = f"{_FOLD} AS fold, if(named IS NULL, -1, {able})::BIGINT AS able"
    view = f"SELECT * EXCLUDE (digits, named), {derived} FROM taken"  # noqa: S608 -- only of own and quoted names
    connection.execute(f"CREATE OR REPLACE TEMP VIEW calls AS {view}")
    [(wrong,)] = connection.execute(f"SELECT count(*) FROM taken WHERE NOT {distributed(shares)}").fetchall()  # noqa: S608 -- only of own and quoted names
    return not wrong


def _share(model: str, layout: Sequence[str]) -> str:
    """Return what gives the probability of a model: looking at one place is twice as fast as searching all."""
    if model not in layout:
        return f"probabilities[{quoted(model)}]"
    place = layout.index(model) + 1
    return f"if(map_keys(probabilities)[{place}] = {quoted(model)}, map_values(probabilities)[{place}], NULL)"


def _list(names: Sequence[str]) -> str:
    return f"[{', '.join(map(quoted, names))}]"
