"""Sums of a window of Parquet, added up by the database: no call becomes a Python object.

What comes out are the sums that `collapse` gives; only the order in which numbers are added differs. Columns and
their places are those of `cells` and `sums`, where they are described.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from math import prod
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from adapters.traffic.columnar.window import UncertainError, Window
from adapters.traffic.failures import FAILED
from bandit.signals import Kind, Status
from simulations.offpolicy.cells import ASKED, COUNTS, EXPOSURE, INVERSE_EXPOSURE, VALUES, Cells, K
from simulations.offpolicy.collapse import (
    LACKS_PROPENSITY,
    LACKS_TIME,
    LARGEST_CODE,
    LEAST,
    NO_PROBABILITY,
    NOT_DRAWN,
    latency_counts,
)
from simulations.offpolicy.components import VALUED
from simulations.offpolicy.slices import fitting_width
from simulations.offpolicy.sums import FOLDS, PROBABILITY_EDGES, SQUARES, Context, LogSums, check_size

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Columns = Mapping[str, NDArray[Any]]

_UNDRAWN: Final = f"coalesce(kind NOT IN ({Kind.SAMPLED.value}, {Kind.BASELINE.value}), false)"
_REASON: Final = (
    f"CASE WHEN {_UNDRAWN} THEN '{NOT_DRAWN}' WHEN propensity IS NULL THEN '{LACKS_PROPENSITY}' "
    f"WHEN propensity < {LEAST!r} THEN '{NO_PROBABILITY}' "
    f"WHEN time_us IS NULL THEN '{LACKS_TIME}' ELSE '' END"
)
_USABLE: Final = f"NOT {_UNDRAWN} AND propensity >= {LEAST!r} AND time_us IS NOT NULL"
_FAILED: Final = f"coalesce(status IN ({', '.join(str(one.value) for one in FAILED)}), false)"
_CANCELLED: Final = f"coalesce(status = {Status.CANCELLED.value}, false)"
_USED: Final = f"""(SELECT *, 1 / propensity AS w, w * w AS ww,
    CASE WHEN {_FAILED} THEN 0 WHEN NOT {_CANCELLED} THEN quality END AS y0, cost_usd AS y1, latency_s AS y2,
    CASE WHEN status IS NOT NULL AND NOT {_CANCELLED} THEN {_FAILED}::DOUBLE END AS y3
    FROM calls WHERE {_USABLE})"""  # noqa: S608 -- only of own and quoted names

_Y: Final = tuple(f"y{k}" for k in range(K))
_COUNTS: Final = ("count(*)", "0::BIGINT", *(f"count({y})" for y in _Y))
_VALUES: Final = (
    *(f"sum({y})" for y in _Y),
    *(f"sum(CASE WHEN {y} IS NOT NULL THEN w END)" for y in _Y),
    *(f"sum({y} * w)" for y in _Y),
    *("0::DOUBLE", "0::DOUBLE", "sum(w)"),
)
_SQUARES: Final = (
    "sum(ww)",
    *(f"sum(ww * {y})" for y in _Y[:VALUED]),
    *(f"sum(ww * {a} * {b})" for a, b in combinations_with_replacement(_Y[:VALUED], 2)),
)
_LEAST: Final = tuple(f"min({y})" for y in _Y)
_MOST: Final = ("max(w)", *(f"max({y})" for y in _Y))


def sums_of_window(window: Window, width: int) -> LogSums:
    """Add up the table of a window, cut by time into slices of `width` at least. Raises UncertainError."""
    reasons = window.connection.execute(f"SELECT {_REASON}, count(*) FROM calls GROUP BY 1").fetchall()  # noqa: S608 -- only of own and quoted names
    unusable = Counter(dict(reasons))
    if not unusable.pop("", 0):
        return replace(LogSums.empty(), unusable=unusable)
    return _Grid.of(window, width).sums(unusable)


@dataclass(frozen=True, slots=True)
class _Grid:
    """A window, and what its calls are grouped by; `contexts` are pairs of a category and a set of models."""

    window: Window
    width: int
    first: int
    shape: tuple[int, int, int, int]
    contexts: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, window: Window, least: int) -> Self:
        """Choose slices of a window with a usable call. Raises UncertainError where they are too far apart."""
        times = window.connection.execute(f"SELECT time_us FROM calls WHERE {_USABLE}").fetchnumpy()["time_us"]  # noqa: S608 -- only of own and quoted names
        times = np.asarray(times, np.int64)
        width = fitting_width(times, least, timed=True)
        first, last = int(times.min()) // width, int(times.max()) // width
        shape = last - first + 1, FOLDS + 1, len(window.categories), len(window.models)
        if prod(shape) > LARGEST_CODE:
            raise UncertainError
        query = f"SELECT DISTINCT category, able FROM calls WHERE {_USABLE}"  # noqa: S608 -- only of own and quoted names
        pairs = window.connection.execute(query).fetchall()
        return cls(window, width, first, shape, tuple(sorted(pairs)))

    def sums(self, unusable: Counter[str]) -> LogSums:
        """Add everything up."""
        window, shape = self.window, (len(self.contexts), len(self.window.models))
        check_size(*shape)
        key, chosen = self._grouped([*_COUNTS, *_VALUES, *_SQUARES, *_LEAST, *_MOST], by_model=True)
        ends = np.cumsum([len(part) for part in (_COUNTS, _VALUES, _SQUARES, _LEAST)])
        counts, values, squares, least, most = np.split(chosen, ends, axis=1)
        place = key[:, 2] * shape[1] + key[:, 3]
        largest = np.zeros(shape[0] * shape[1])
        np.maximum.at(largest, place, most[:, 0])
        added = np.zeros((shape[0] * shape[1], SQUARES))
        np.add.at(added, place, squares)
        numbers = counts.astype(np.int64)
        undistributed = np.array([able == -1 for _, able in self.contexts])
        return LogSums(
            contexts=tuple(self._context(*pair) for pair in self.contexts),
            models=window.models,
            timed=True,
            width=self.width,
            cells=Cells.of([(key, numbers, values), self._exposures()]),
            squares=added.reshape(*shape, SQUARES),
            largest=largest.reshape(shape),
            latencies=self._latencies(shape),
            calibration=self._calibration(),
            extremes=np.stack(
                [np.nanmin(least, axis=0, initial=np.inf), np.nanmax(most[:, 1:], axis=0, initial=-np.inf)]
            ),
            rows=int(numbers[:, 0].sum()),
            undistributed=int(numbers[undistributed[key[:, 2]], 0].sum()),
            in_sessions=int(numbers[key[:, 1] >= 0, 0].sum()),
            unusable=unusable,
        )

    def _context(self, category: int, able: int) -> Context:
        models = self.window.models
        eligible = () if able == -1 else tuple(name for m, name in enumerate(models) if able >> m & 1)
        return Context(self.window.categories[category], eligible)

    def _grouped(self, columns: list[str], *, by_model: bool) -> tuple[Ints, Floats]:
        """Return keys (n, 4) and columns of groups; NaN is unknown, but for sums, which are 0."""
        model = "model" if by_model else "0"
        _, folds, categories, models = self.shape
        slice_and_fold = f"(time_us // {self.width} - {self.first}) * {folds} + fold + 1"
        code = f"(({slice_and_fold}) * {categories} + category) * {models} + {model}"
        listed = ", ".join(f"({column})::DOUBLE AS c{number}" for number, column in enumerate(columns))
        query = f"SELECT {code} AS code, able, {listed} FROM {_USED} GROUP BY ALL"  # noqa: S608 -- only of own and quoted names
        found = self.window.connection.execute(query).fetchnumpy()
        key = np.stack(np.unravel_index(found["code"], self.shape), axis=1)
        contexts = {pair: place for place, pair in enumerate(self.contexts)}
        pairs = zip(key[:, 2].tolist(), found["able"].tolist(), strict=True)
        key[:, 2] = [contexts[pair] for pair in pairs]
        key[:, :2] += self.first, -1
        rows = [
            _filled(found[f"c{n}"], 0.0 if column.startswith("sum") else np.nan) for n, column in enumerate(columns)
        ]
        return key, np.stack(rows, axis=1)

    def _exposures(self) -> tuple[Ints, Ints, Floats]:
        """Return rows of cells for every model that could have been chosen, whichever was."""
        models = range(self.shape[3])
        sums = [f"sum(p{m})" for m in models] + [f"sum(1 / nullif(p{m}, 0))" for m in models]
        key, found = self._grouped(["count(*)", *sums], by_model=False)
        asked, (p, inverse) = found[:, 0], np.split(found[:, 1:], 2, axis=1)
        sets = np.array([able if able != -1 else 0 for _, able in self.contexts], np.int64)
        row, model = np.nonzero(sets[key[:, 2], None] >> np.arange(self.shape[3]) & 1)
        counts, values = np.zeros((len(row), COUNTS), np.int64), np.zeros((len(row), VALUES))
        counts[:, ASKED] = asked[row]
        values[:, EXPOSURE], values[:, INVERSE_EXPOSURE] = p[row, model], inverse[row, model]
        return np.concatenate([key[row, :3], model[:, None]], axis=1), counts, values

    def _latencies(self, shape: tuple[int, int]) -> Floats:
        found = self.window.connection.execute(
            f"SELECT category, able, model, latency_s, w FROM {_USED} WHERE latency_s IS NOT NULL"  # noqa: S608 -- only of own and quoted names
        ).fetchnumpy()
        sets, which = np.unique(found["able"], return_inverse=True)
        known = {pair: place for place, pair in enumerate(self.contexts)}
        table = np.array(
            [[known.get((category, able), 0) for able in sets.tolist()] for category in range(self.shape[2])], np.int64
        ).reshape(self.shape[2], len(sets))
        place = table[found["category"], which] * shape[1] + found["model"]
        return latency_counts(place, np.asarray(found["latency_s"]), np.asarray(found["w"]), shape)

    def _calibration(self) -> Floats:
        bins = len(PROBABILITY_EDGES) - 1
        calibration = np.zeros((self.shape[3], bins, 4))
        steps = " ".join(
            f"WHEN p < {edge!r} THEN {place}" for place, edge in enumerate(PROBABILITY_EDGES[1:-1].tolist())
        )
        for m in range(self.shape[3]):
            shares = f"SELECT p{m} AS p, model FROM calls WHERE {_USABLE} AND p{m} IS NOT NULL"  # noqa: S608 -- only of own and quoted names
            sums = f"count(*), sum(p), sum(p * (1 - p)), count(*) FILTER (model = {m})"
            query = f"SELECT CASE {steps} ELSE {bins - 1} END, {sums} FROM ({shares}) GROUP BY 1"  # noqa: S608 -- only of own and quoted names
            for place, *row in self.window.connection.execute(query).fetchall():
                calibration[m, place] = row
        return calibration


def _filled(column: Any, unknown: float) -> Floats:
    return np.ma.filled(np.ma.asarray(column, np.float64), unknown)
