"""What each logged outcome teaches: the core's own events, computed once and kept in columns.

Replay decides at other times than the log did, so the time of an event is left open until an outcome is played.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from adapters.traffic.calls import UNKNOWN
from bandit.evidence import Event, Signal, events_of
from bandit.grid import boundaries
from bandit.signals import SCORE_PREFIX, THUMB, DecisionFacts, Fact, Kind, Outcome, Score, Status, Thumb, to_fixed_point
from bandit.sums import Moments, RowKey, SignalSource, Sums, add_rows
from simulations.parallel import Progress
from simulations.replay.traffic import Traffic
from simulations.reports import QUALITY_SCORE

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

OUTCOME_SLOTS: Final = 5
SLOTS: Final = OUTCOME_SLOTS + 1
"""An outcome teaches at most five signals, a judgement one."""
_SHOWN: Final = 10_000


def facts_of(traffic: Traffic, row: int, *, graded: bool) -> tuple[DecisionFacts, list[Fact]]:
    """Return what a row says: the decision, and its outcome and judgement where known; `graded` makes it a score."""
    kind = Kind.FORCED if traffic.forced[row] else Kind.SAMPLED
    names = traffic.categories[traffic.category[row]], traffic.models[traffic.model[row]]
    decision = DecisionFacts(*names, kind, 0, _rounded(traffic.requested_tokens[row]))
    status, quality = int(traffic.status[row]), float(traffic.quality[row])
    outcome = Outcome(
        Status.OK if status == UNKNOWN else Status(status),
        latency_us=_rounded(traffic.latency_s[row] * 1e6),
        time_to_first_token_us=_rounded(traffic.first_token_s[row] * 1e6),
        input_tokens=_rounded(traffic.input_tokens[row]),
        output_tokens=_rounded(traffic.output_tokens[row]),
        cost_nano_usd=_rounded(traffic.cost_usd[row] * 1e9),
    )
    if np.isnan(quality):
        return decision, [outcome]
    return decision, [outcome, Score(QUALITY_SCORE, to_fixed_point(quality)) if graded else Thumb(quality == 1.0)]


def events_of_row(traffic: Traffic, row: int, *, graded: bool) -> Iterator[Event]:
    """Yield what a row teaches. Where its status is unknown, nothing about errors."""
    decision, facts = facts_of(traffic, row, graded=graded)
    for fact in facts:
        for event in events_of(decision, fact):
            if event.signal != "error" or traffic.status[row] != UNKNOWN:
                yield event


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """Events of N rows, in slots of shape (N, 6): the last is the judgement's, the others those of the outcome.

    `signal` is a number of `signals`, -1 for an empty slot; `y` and `yy` are fixed point of 2^-20.
    """

    categories: tuple[str, ...]
    models: tuple[str, ...]
    category: Ints
    model: Ints
    signals: tuple[SignalSource, ...]
    signal: NDArray[np.int16]
    y: Ints
    yy: Ints

    @classmethod
    def of(cls, traffic: Traffic, progress: Progress) -> Self:
        """Compute what every row teaches."""
        shape, graded = (len(traffic), SLOTS), traffic.graded[traffic.category].tolist()
        signal, y, yy = np.full(shape, -1, np.int16), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        numbers: dict[tuple[Signal, str], int] = {}
        for row in range(len(traffic)):
            for slot, event in enumerate(events_of_row(traffic, row, graded=graded[row])):
                place = row, OUTCOME_SLOTS if event.signal == "quality" else slot
                signal[place] = numbers.setdefault((event.signal, event.source), len(numbers))
                y[place], yy[place] = event.y, event.yy
            if row % _SHOWN == 0:
                progress(row, len(traffic))
        progress(len(traffic), len(traffic))
        return cls(traffic.categories, traffic.models, traffic.category, traffic.model, tuple(numbers), signal, y, yy)

    def added(self, sums: Sums, taught: Sequence["Taught"]) -> Sums:
        """Return sums with what was taught added: to the bit what `bandit.record` makes of the same events.

        Raises SumsOverflowError.
        """
        if not taught:
            return sums
        row, slot, decided_us = (np.concatenate([getattr(one, name) for one in taught]) for name in Taught.__slots__)
        bucket, starts = _buckets(sums, decided_us)
        signals, models, width = len(self.signals), len(self.models), len(starts)
        cell = (self.category[row] * models + self.model[row]) * signals + self.signal[row, slot]
        keys, inverse = np.unique(cell * width + bucket, return_inverse=True)
        totals = np.zeros((3, len(keys)), np.int64)
        for total, values in zip(totals, (1, self.y[row, slot], self.yy[row, slot]), strict=True):
            np.add.at(total, inverse, values)
        cell, bucket = np.divmod(keys, width)
        cell, signal = np.divmod(cell, signals)
        category, model = np.divmod(cell, models)
        columns = (one.tolist() for one in (category, model, signal, starts[bucket], *totals))
        return add_rows(
            sums,
            {
                RowKey(self.categories[c], self.models[m], self.signals[s][0], self.signals[s][1], b): Moments(n, y, yy)
                for c, m, s, b, n, y, yy in zip(*columns, strict=True)
            },
        )


def _buckets(sums: Sums, decided_us: Ints) -> tuple[Ints, Ints]:
    """Return in which bucket of the sums decisions land, as a place, and where the buckets start.

    Seen from the youngest of them, old decisions share buckets already: adding commutes with coarsening.
    """
    fine = decided_us // sums.bucket_us
    oldest, now = min(sums.oldest, int(fine.min())), max(sums.now, int(fine.max()))
    starts = boundaries(oldest, now)
    return np.searchsorted(starts, fine, side="right") - 1, np.maximum(starts, oldest)


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """Events that were reported: rows and slots of lessons, and when their decisions were made."""

    row: Ints
    slot: Ints
    decided_us: Ints


def quality_sources(traffic: Traffic) -> dict[str, str]:
    """Return which source of quality counts in each category: the one that the log's judgements are taken for."""
    sources = (SCORE_PREFIX + QUALITY_SCORE if graded else THUMB for graded in traffic.graded.tolist())
    return dict(zip(traffic.categories, sources, strict=True))


def _rounded(value: float) -> int | None:
    return None if np.isnan(value) else round(float(value))
