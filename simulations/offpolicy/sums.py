"""All that evaluation needs of a log, in sums whose size does not grow with its rows; logs merge by addition.

Where probabilities depend on nothing but the context (the category, and which models could be chosen), a further
policy costs a product of small matrices.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from simulations.errors import SimulationError
from simulations.offpolicy.cells import Cells
from simulations.offpolicy.components import COMPONENTS, VALUED
from simulations.offpolicy.slices import MOST, ladder_of, next_width

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Name = TypeVar("Name")

FOLDS: Final = 32
"""Groups that sessions are put into."""

MAX_CONTEXTS: Final = 1000
MAX_ARMS: Final = 20_000

LATENCY_EDGES_S: Final = np.geomspace(1e-3, 3600.0, 81)
PROBABILITY_EDGES: Final = np.array([0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])

PAIRS: Final = tuple((j, k) for j in range(VALUED) for k in range(j, VALUED))
SQUARES: Final = 1 + VALUED + len(PAIRS)
"""Columns of `LogSums.squares`: 1 / p^2, and times y_k, and times y_j y_k."""


class TooManyContextsError(SimulationError):
    """A log has more combinations of category and eligible models than can be told apart."""


class Context(NamedTuple):
    """What a choice depended on: the category and the models that could be chosen, by name; empty where unknown."""

    category: str
    eligible: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class LogSums:
    """Sums of `rows` usable calls; `cells` number `contexts` and `models` by their places.

    Slices of time are `width` microseconds wide, or that many rows unless `timed`. By context X and model M there are
    `squares` of shape (X, M, SQUARES), `largest` (X, M), the largest 1 / p, and `latencies` (X, M, 2, bins), counts
    and sums of 1 / p between `LATENCY_EDGES_S`. `calibration` of shape (M, bins, 4) has, by model and its logged
    probability between `PROBABILITY_EDGES`: probabilities, their sum, the sum of p (1 - p), and how often the model was
    drawn. `extremes` (2, K) are the least and the largest known component. `unusable` counts calls that carry no
    propensity to use, by reason; `undistributed` are usable ones of which only the chosen model's probability is known;
    `in_sessions` those with a known session.
    """

    contexts: tuple[Context, ...]
    models: tuple[str, ...]
    timed: bool
    width: int
    cells: Cells
    squares: Floats
    largest: Floats
    latencies: Floats
    calibration: Floats
    extremes: Floats
    rows: int = 0
    undistributed: int = 0
    in_sessions: int = 0
    unusable: Counter[str] = field(default_factory=Counter)

    @classmethod
    def empty(cls, *, timed: bool = True) -> Self:
        """Return the sums of no calls."""
        return cls(
            contexts=(),
            models=(),
            timed=timed,
            width=ladder_of(timed=timed)[0],
            cells=Cells.empty(),
            squares=np.zeros((0, 0, SQUARES)),
            largest=np.zeros((0, 0)),
            latencies=np.zeros((0, 0, 2, len(LATENCY_EDGES_S) + 1)),
            calibration=np.zeros((0, len(PROBABILITY_EDGES) - 1, 4)),
            extremes=np.repeat([[np.inf], [-np.inf]], len(COMPONENTS), axis=1),
        )


def merge(a: LogSums, b: LogSums) -> LogSums:
    """Return the sums of both logs. Raises ValueError where only one of them knows times."""
    if a.timed != b.timed and a.rows and b.rows:
        raise ValueError("only one of the logs knows times; collapse them alike")
    if not a.rows or not b.rows:
        kept, other = (a, b) if a.rows else (b, a)
        return replace(kept, unusable=kept.unusable + other.unusable)
    width = max(a.width, b.width)
    contexts, models = _union(a.contexts, b.contexts), _union(a.models, b.models)
    check_size(len(contexts), len(models))
    left, right = (laid_out(_widened(one, width), contexts, models) for one in (a, b))
    return _bounded(
        replace(
            left,
            cells=left.cells.plus(right.cells),
            squares=left.squares + right.squares,
            largest=np.maximum(left.largest, right.largest),
            latencies=left.latencies + right.latencies,
            calibration=left.calibration + right.calibration,
            extremes=np.stack(
                [np.minimum(left.extremes[0], right.extremes[0]), np.maximum(left.extremes[1], right.extremes[1])]
            ),
            rows=a.rows + b.rows,
            undistributed=a.undistributed + b.undistributed,
            in_sessions=a.in_sessions + b.in_sessions,
            unusable=a.unusable + b.unusable,
        )
    )


def check_size(contexts: int, models: int) -> None:
    """Raise TooManyContextsError where tables of contexts and models would not fit."""
    if contexts > MAX_CONTEXTS or contexts * models > MAX_ARMS:
        raise TooManyContextsError(
            f"the log has more than {MAX_CONTEXTS:,} combinations of a category and the models that could be chosen, "
            f"or more than {MAX_ARMS:,} of them with a model: fold rare categories together, or evaluate a part"
        )


def _bounded(sums: LogSums) -> LogSums:
    """Widen the slices until they are few enough."""
    while len(sums.cells.slices) > MOST:
        sums = _widened(sums, next_width(sums.width, timed=sums.timed))
    return sums


def _widened(sums: LogSums, width: int) -> LogSums:
    if width == sums.width:
        return sums
    return replace(sums, width=width, cells=sums.cells.coarser(width // sums.width))


def laid_out(sums: LogSums, contexts: tuple[Context, ...], models: tuple[str, ...]) -> LogSums:
    """Return the same sums with contexts and models in this order, in which there may be more of them."""
    if contexts == sums.contexts and models == sums.models:
        return sums
    places = {context: place for place, context in enumerate(contexts)}
    rows = np.array([places[context] for context in sums.contexts], np.int64)
    columns = np.array([models.index(model) for model in sums.models], np.int64)

    def spread(array: Floats) -> Floats:
        wide = np.zeros((len(contexts), len(models), *array.shape[2:]))
        wide[np.ix_(rows, columns)] = array
        return wide

    calibration = np.zeros((len(models), *sums.calibration.shape[1:]))
    calibration[columns] = sums.calibration
    return replace(
        sums,
        contexts=contexts,
        models=models,
        cells=sums.cells.renamed(rows, columns),
        squares=spread(sums.squares),
        largest=spread(sums.largest),
        latencies=spread(sums.latencies),
        calibration=calibration,
    )


def _union(a: Sequence[Name], b: Sequence[Name]) -> tuple[Name, ...]:
    return tuple(dict.fromkeys([*a, *b]))
