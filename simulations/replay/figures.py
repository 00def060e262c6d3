"""What one seed shows of every policy: figures per request, curves over time, and who served whom."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulations.offpolicy.sums import LATENCY_EDGES_S
from simulations.replay.course import Course, Played, Stage
from simulations.replay.engine import learned
from simulations.replay.unlearning import LOGGED, unlearning

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEARNER: Final = "routeward"
POINTS: Final = 50
FIGURES: Final = (
    "value_usd",
    "lift_usd",
    "cost_usd",
    "answer",
    "quality",
    "error_rate",
    "latency_s",
    "latency_p50_s",
    "latency_p95_s",
    "resampled",
    "borrowed",
    "valued",
    "played",
)


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What a seed shows of one policy.

    `figures` are by the names of `FIGURES`, means over the requests that a policy decides and of which they are known;
    a lift is over those whose value is known on both sides. `value_usd` and `spend_usd` are cumulative at the marks,
    shape (P,), NaN after the policy stopped. `counts`, of shape (C, M), says how often each model of the log served
    each category, and `resampled` how often with an outcome that was played before; `latencies` how many answers took
    how long, between `LATENCY_EDGES_S`. `allocation`, of shape (P, C, M), is `counts` from mark to mark, None where
    nobody looks at it.
    """

    figures: dict[str, float]
    value_usd: Floats
    spend_usd: Floats
    counts: Ints
    resampled: Ints
    latencies: Ints
    allocation: Ints | None = None


def marks(time_us: Ints) -> tuple[Ints, Ints]:
    """Return up to 50 moments, equally far apart, until the last request, and how many requests there were by then."""
    ends = np.unique(np.linspace(time_us[0], time_us[-1], POINTS + 1).astype(np.int64)[1:])
    return ends, np.searchsorted(time_us, ends, side="right")


def figures_of(stage: Stage, seed: int, *, bootstrap: bool, stops_when_dry: bool) -> dict[str, Shown]:
    """Let every policy play the course of a seed."""
    course = Course.of(stage, seed, bootstrap=bootstrap)
    plays = {LEARNER: learned(stage, course, stops_when_dry=stops_when_dry).played, **dict(unlearning(stage, course))}
    logged = _Ledger(stage, course, plays[LOGGED])
    return {
        name: _Ledger(stage, course, played).shown(logged, with_allocation=name in (LEARNER, LOGGED))
        for name, played in plays.items()
    }


class _Ledger:
    """What a policy's outcomes brought, request by request. Forced requests are not in: nobody decides them."""

    def __init__(self, stage: Stage, course: Course, played: Played) -> None:
        worth, asked = stage.worth, stage.asked
        self._stage, self._played = stage, played
        self._ends = marks(course.time_us)[1]
        self._decided = ~stage.traffic.forced[course.rows]
        self._decided[played.end :] = False
        self._outcomes, rows = played.outcomes[self._decided], course.rows[self._decided]
        self._shape = len(stage.traffic.categories), len(stage.traffic.models)
        self._cell = stage.traffic.category[rows] * self._shape[1] + stage.traffic.model[self._outcomes]
        self.cost_usd = worth.cost_usd(self._outcomes, rows)
        waiting, second = worth.latency_s[self._outcomes], asked.second_value_usd[rows]
        waiting = np.where(second > 0, second * waiting, 0.0)
        self.value_usd = asked.answer_value_usd[rows] * worth.answer[self._outcomes] - self.cost_usd - waiting

    def shown(self, logged: "_Ledger", *, with_allocation: bool) -> Shown:
        """Sum it up; lifts are over what was logged for the same requests."""
        played = self._played
        counted: Ints = np.cumsum(self._decided, dtype=np.int64)[self._ends - 1]
        return Shown(
            figures=self._figures(logged),
            value_usd=self._curve(self.value_usd, counted),
            spend_usd=self._curve(self.cost_usd, counted),
            counts=self._counts(np.ones(len(self._outcomes), bool)),
            resampled=self._counts(played.resampled[self._decided]),
            latencies=self._latencies(),
            allocation=self._allocation(counted) if with_allocation else None,
        )

    def _figures(self, logged: "_Ledger") -> dict[str, float]:
        worth, outcomes, played = self._stage.worth, self._outcomes, self._played
        latency, failed = worth.latency_s[outcomes], worth.error[outcomes]
        known = latency[np.isfinite(latency)]
        p50, p95 = np.quantile(known, [0.5, 0.95]).tolist() if len(known) else (np.nan, np.nan)
        values = (
            mean_of_known(self.value_usd),
            mean_of_known(self.value_usd - logged.value_usd[: len(outcomes)]),
            mean_of_known(self.cost_usd),
            mean_of_known(worth.answer[outcomes]),
            mean_of_known(worth.answer[outcomes][failed != 1.0]),
            mean_of_known(failed),
            mean_of_known(latency),
            p50,
            p95,
            mean_of_known(played.resampled[self._decided]),
            mean_of_known(played.borrowed[self._decided]),
            mean_of_known(np.isfinite(self.value_usd)),
            float(len(outcomes)),
        )
        return dict(zip(FIGURES, values, strict=True))

    def _curve(self, values: Floats, counted: Ints) -> Floats:
        """Sum up until each mark; an unknown value is taken for the mean of those known by then."""
        known = np.isfinite(values)
        total, valued = (
            np.concatenate([[0.0], np.cumsum(one)])[counted] for one in (np.where(known, values, 0.0), known)
        )
        mean = np.divide(total, valued, out=np.full(len(counted), np.nan), where=valued > 0)
        curve = np.where(counted > 0, mean * counted, 0.0 if known.any() else np.nan)
        return np.where(self._ends <= self._played.end, curve, np.nan)

    def _counts(self, which: Bools) -> Ints:
        """Count outcomes by category and model; shape (C, M)."""
        cells = math.prod(self._shape)
        return np.bincount(self._cell[which], minlength=cells).reshape(self._shape)

    def _latencies(self) -> Ints:
        """Count them by latency, of those that are known; one class more than there are edges."""
        latency = self._stage.worth.latency_s[self._outcomes]
        known = latency[np.isfinite(latency)]
        return np.bincount(np.searchsorted(LATENCY_EDGES_S, known), minlength=len(LATENCY_EDGES_S) + 1)

    def _allocation(self, counted: Ints) -> Ints:
        """Count them from mark to mark; shape (P, C, M)."""
        cells = math.prod(self._shape)
        mark = np.searchsorted(counted, np.arange(len(self._cell)), side="right")
        return np.bincount(mark * cells + self._cell, minlength=len(counted) * cells).reshape(-1, *self._shape)


def mean_of_known(values: NDArray[np.generic]) -> float:
    """Return the mean of what is known, NaN where nothing is."""
    known = values[np.isfinite(values)].astype(np.float64)
    return float(known.mean()) if len(known) else np.nan
