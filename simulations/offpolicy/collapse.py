"""From calls to sums, batch by batch: memory does not grow with the log, but with its categories and models."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from adapters.traffic.calls import UNKNOWN, Calls
from bandit.signals import Kind
from simulations.engines import Engine, InProcess
from simulations.offpolicy.cells import ASKED, COUNTS, EXPOSURE, INVERSE_EXPOSURE, NO_FOLD, VALUES, Cells
from simulations.offpolicy.components import COMPONENTS, VALUED, observed
from simulations.offpolicy.slices import fitting_width, ladder_of
from simulations.offpolicy.sums import (
    FOLDS,
    LATENCY_EDGES_S,
    PAIRS,
    PROBABILITY_EDGES,
    Context,
    LogSums,
    check_size,
    merge,
)

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST: Final = 1e-9
"""Propensity: what is drawn once in a billion calls stands for nothing."""
NOT_DRAWN: Final = "not drawn (forced, fallback or degraded)"
LACKS_PROPENSITY: Final = "no propensity"
NO_PROBABILITY: Final = "a propensity that is no probability"
LACKS_TIME: Final = "no time"
"""Reasons for which a call is left out."""

LARGEST_CODE: Final = 2**62
"""Of keys that are numbered by one integer."""

_DRAWN: Final = (UNKNOWN, Kind.SAMPLED, Kind.BASELINE)


def collapse(batches: Iterable[Calls], engine: Engine | None = None, *, timed: bool = True) -> LogSums:
    """Add up the calls of a log, each batch by itself: equal batches give equal bits on every engine.

    `timed` cuts by time, and leaves out calls without one; else stretches of rows are cut.
    """
    sums = LogSums.empty(timed=timed)
    for part in (engine or InProcess()).map(partial(_sums_of_part, timed=timed), _parts(batches, timed=timed)):
        sums = merge(sums, part)
    return sums


class _Part(NamedTuple):
    calls: Calls
    first_row: int
    width: int


def _parts(batches: Iterable[Calls], *, timed: bool) -> Iterator[_Part]:
    """Yield batches with the width of slices that all up to them will keep: finer cells would be added up at once."""
    first_row, width, starts = 0, ladder_of(timed=timed)[0], np.zeros(0, np.int64)
    for calls in batches:
        usable = ~np.any(list(_unusable(calls, timed=timed).values()), axis=0)
        places = np.concatenate([starts, calls.time_us[usable] if timed else first_row + np.flatnonzero(usable)])
        if len(places):
            width = fitting_width(places, width, timed=timed)
            starts = np.unique(places // width) * width
        yield _Part(calls, first_row, width)
        first_row += len(calls)


def _sums_of_part(part: _Part, *, timed: bool) -> LogSums:
    return sums_of(part.calls, part.first_row, timed=timed, width=part.width)


def sums_of(calls: Calls, first_row: int = 0, *, timed: bool = True, width: int | None = None) -> LogSums:
    """Return the sums of one batch, cut into slices of `width` at least."""
    reasons = _unusable(calls, timed=timed)
    usable = np.flatnonzero(~np.any(list(reasons.values()), axis=0))
    unusable = Counter({reason: int(rows.sum()) for reason, rows in reasons.items() if rows.any()})
    if not len(usable):
        return replace(LogSums.empty(timed=timed), unusable=unusable)
    batch = _Batch(calls, usable, first_row, timed=timed)
    return batch.sums(width or ladder_of(timed=timed)[0], unusable)


def _unusable(calls: Calls, *, timed: bool) -> dict[str, Bools]:
    """Which calls tell nothing of their propensity, by the first reason that holds."""
    found: dict[str, Bools] = {}
    taken = np.zeros(len(calls), np.bool_)
    tests = {
        NOT_DRAWN: ~np.isin(calls.kind, _DRAWN),
        LACKS_PROPENSITY: ~np.isfinite(calls.propensity),
        NO_PROBABILITY: ~((calls.propensity >= LEAST) & (calls.propensity <= 1.0)),
        LACKS_TIME: (calls.time_us == UNKNOWN) & timed,
    }
    for reason, rows in tests.items():
        found[reason] = rows & ~taken
        taken |= rows
    return found


class _Batch:
    """The usable calls of a batch, with everything that sums of any grouping need."""

    def __init__(self, calls: Calls, usable: Ints, first_row: int, *, timed: bool) -> None:
        self._calls, self._usable, self._timed = calls, usable, timed
        self._rows = first_row + usable
        self._propensity = calls.propensity[usable]
        self._model = calls.model[usable]
        # Eligible models whose probabilities are not known are no distribution.
        without = np.r_[~np.isfinite(calls.probabilities).any(axis=1), [True]]
        self._drawn_from = np.where(without[calls.drawn_from[usable]], UNKNOWN, calls.drawn_from[usable])
        components, known = observed(calls)
        self._components, self._known = components[usable], known[usable]
        self._contexts, self._context = _contexts(calls, usable)
        check_size(len(self._contexts), len(calls.models))

    def sums(self, width: int, unusable: Counter[str]) -> LogSums:
        """Return everything added up."""
        time = self._calls.time_us[self._usable] if self._timed else self._rows
        width = fitting_width(time, width, timed=self._timed)
        session = self._calls.session[self._usable]
        fold = np.where(session != UNKNOWN, session % FOLDS, NO_FOLD)
        shape = len(self._contexts), len(self._calls.models)
        place = self._context * shape[1] + self._model
        return LogSums(
            contexts=self._contexts,
            models=self._calls.models,
            timed=self._timed,
            width=width,
            cells=self._cells(time // width, fold),
            squares=_added(place, self._squares(), shape[0] * shape[1]).reshape(*shape, -1),
            largest=self._largest(place, shape),
            latencies=self._latencies(place, shape),
            calibration=self._calibration(),
            extremes=self._extremes(),
            rows=len(self._usable),
            undistributed=int((self._drawn_from == UNKNOWN).sum()),
            in_sessions=int((session != UNKNOWN).sum()),
            unusable=unusable,
        )

    def _values(self) -> tuple[Floats, Ints]:
        """Return the columns of `cells`, of each call, without its exposure."""
        inverse = 1.0 / self._propensity[:, None]
        known, components = self._known.astype(np.float64), self._components
        nothing = np.zeros_like(inverse)
        values = np.concatenate([components, known * inverse, components * inverse, nothing, nothing, inverse], axis=1)
        ones = np.ones((len(values), 1), np.int64)
        return values, np.concatenate([ones, np.zeros_like(ones), self._known.astype(np.int64)], axis=1)

    def _cells(self, slice_: Ints, fold: Ints) -> Cells:
        places, distinct = _places(np.stack([slice_, fold, self._context, self._model], axis=1))
        values, counts = (_added(places, rows, len(distinct)) for rows in self._values())
        return Cells.of([(distinct, counts, values), self._exposures(slice_, fold)])

    def _exposures(self, slice_: Ints, fold: Ints) -> tuple[Ints, Ints, Floats]:
        """Return rows of cells for every model that could have been chosen, whichever was."""
        known = self._drawn_from != UNKNOWN
        places, distinct = _places(np.stack([slice_, fold, self._context], axis=1)[known])
        probabilities = self._calls.probabilities
        drawn = csr_matrix(
            (np.ones(len(places)), (places, self._drawn_from[known])), shape=(len(distinct), len(probabilities))
        )
        could, p = ~np.isnan(probabilities), np.where(np.isfinite(probabilities), probabilities, 0.0)
        inverse = np.where(p > 0.0, 1.0 / np.where(p > 0.0, p, 1.0), 0.0)
        asked, exposure, inverse = (np.asarray(drawn.dot(table)) for table in (could.astype(np.float64), p, inverse))
        row, model = np.nonzero(asked)
        counts, values = np.zeros((len(row), COUNTS), np.int64), np.zeros((len(row), VALUES))
        counts[:, ASKED] = asked[row, model]
        values[:, EXPOSURE], values[:, INVERSE_EXPOSURE] = exposure[row, model], inverse[row, model]
        return np.concatenate([distinct[row], model[:, None]], axis=1), counts, values

    def _squares(self) -> Floats:
        inverse = 1.0 / self._propensity[:, None] ** 2
        y = self._components[:, :VALUED]
        pairs = [y[:, j] * y[:, k] for j, k in PAIRS]
        squares: Floats = inverse * np.concatenate([np.ones_like(inverse), y, np.stack(pairs, axis=1)], axis=1)
        return squares

    def _largest(self, place: Ints, shape: tuple[int, int]) -> Floats:
        largest = np.zeros(shape[0] * shape[1])
        np.maximum.at(largest, place, 1.0 / self._propensity)
        return largest.reshape(shape)

    def _latencies(self, place: Ints, shape: tuple[int, int]) -> Floats:
        latency = self._calls.latency_s[self._usable]
        known = np.isfinite(latency)
        return latency_counts(place[known], latency[known], 1.0 / self._propensity[known], shape)

    def _calibration(self) -> Floats:
        rows = self._drawn_from != UNKNOWN
        shape = self._calls.probabilities.shape
        cell = self._drawn_from[rows] * shape[1] + self._model[rows]
        chosen = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
        asked = np.bincount(self._drawn_from[rows], minlength=shape[0])[:, None]
        _, model = np.nonzero(known := np.isfinite(self._calls.probabilities))
        p, bins = self._calls.probabilities[known], len(PROBABILITY_EDGES) - 1
        place = np.clip(np.searchsorted(PROBABILITY_EDGES, p, side="right") - 1, 0, bins - 1)
        times = np.broadcast_to(asked, shape)[known]
        columns = np.stack([times, times * p, times * p * (1.0 - p), chosen[known]], axis=1)
        return _added(model * bins + place, columns, shape[1] * bins).reshape(shape[1], bins, 4)

    def _extremes(self) -> Floats:
        least = np.where(self._known, self._components, np.inf).min(axis=0, initial=np.inf)
        most = np.where(self._known, self._components, -np.inf).max(axis=0, initial=-np.inf)
        return np.stack([least, most]).reshape(2, len(COMPONENTS))


def latency_counts(place: Ints, latency: Floats, inverse: Floats, shape: tuple[int, int]) -> Floats:
    """Return counts of latencies, and sums of 1 / p, between `LATENCY_EDGES_S`; shape (X, M, 2, bins).

    `place` (n,) numbers pairs of a context and a model.
    """
    bins = len(LATENCY_EDGES_S) + 1
    cell = place * bins + np.searchsorted(LATENCY_EDGES_S, latency)
    columns = [
        np.bincount(cell, weights=weights, minlength=shape[0] * shape[1] * bins).reshape(*shape, bins)
        for weights in (None, inverse)
    ]
    counted: Floats = np.stack(columns, axis=2).astype(np.float64)
    return counted


def _contexts(calls: Calls, usable: Ints) -> tuple[tuple[Context, ...], Ints]:
    """Return the contexts of usable calls, and which one each has."""
    masks = ~np.isnan(calls.probabilities)
    distinct, mask_of = np.unique(masks, axis=0, return_inverse=True)
    eligible = np.r_[mask_of.reshape(-1), [len(distinct)]][calls.drawn_from[usable]]
    pair = calls.category[usable] * (len(distinct) + 1) + eligible
    found, context = np.unique(pair, return_inverse=True)
    names = [tuple(sorted(calls.models[m] for m in np.flatnonzero(mask))) for mask in distinct]
    names.append(())
    contexts = tuple(Context(calls.categories[one // len(names)], names[one % len(names)]) for one in found.tolist())
    return contexts, context.astype(np.int64)


def _places(keys: Ints) -> tuple[Ints, Ints]:
    """Number distinct keys; return the number of each row, and the distinct keys in order."""
    if not len(keys):
        return np.zeros(0, np.int64), keys
    low = keys.min(axis=0)
    sizes = [high - least + 1 for high, least in zip(keys.max(axis=0).tolist(), low.tolist(), strict=True)]
    if math.prod(sizes) > LARGEST_CODE:
        return _places_far_apart(keys)
    code = np.ravel_multi_index(tuple((keys - low).T), sizes)
    if math.prod(sizes) <= 4 * len(keys):
        present = np.bincount(code, minlength=math.prod(sizes)) > 0
        distinct, places = np.flatnonzero(present), (present.cumsum() - 1)[code]
    else:
        distinct, places = np.unique(code, return_inverse=True)
    return places, np.stack(np.unravel_index(distinct, sizes), axis=1) + low


def _places_far_apart(keys: Ints) -> tuple[Ints, Ints]:
    """Do it by the places of numbers, as where one clock is thousands of years ahead."""
    columns = [np.unique(column, return_inverse=True) for column in keys.T]
    places, distinct = _places(np.stack([numbers for _, numbers in columns], axis=1))
    return places, np.stack([found[numbers] for (found, _), numbers in zip(columns, distinct.T, strict=True)], axis=1)


def _added(places: Ints, rows: NDArray[Any], size: int) -> NDArray[Any]:
    """Add up rows by their place; shape (size, columns)."""
    ones = np.ones(len(places), rows.dtype)
    added: NDArray[Any] = csr_matrix((ones, (places, np.arange(len(places)))), shape=(size, len(places))).dot(rows)
    return added
