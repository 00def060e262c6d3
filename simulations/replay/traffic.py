"""A log as replay needs it: requests and outcomes in columns, in order of time."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from adapters.traffic.calls import INTEGERS, NUMBERS, UNKNOWN, Calls
from adapters.traffic.log import Log, Progress
from bandit.signals import Kind
from simulations.errors import OptionsError

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NO_TIMES: Final = "no row has a time: one request a second is assumed, in the order of the log"
NO_DELAYS: Final = (
    "no row tells how long a call took: outcomes are known at once, unless --answer-delay-seconds says when"
)
_SECOND_US: Final = 1_000_000
_COLUMNS: Final = ("category", "model", *INTEGERS, *(name for name in NUMBERS if name != "propensity"))


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """N calls in order of time; columns of shape (N,) as in `Calls`, NaN or -1 where unknown.

    `forced` are calls whose caller named the model. Row `eligible_set` of `eligible_sets`, shape (D, M), says which
    models could have been chosen; where the log does not say, all could. `answer_delay_us` and `judge_delay_us` are the
    times from the decision to its outcome and to its judgement. `left_out` counts rows that replay cannot use, by
    reason; `notes` are sentences for the reader.
    """

    categories: tuple[str, ...]
    models: tuple[str, ...]
    category: Ints
    model: Ints
    forced: Bools
    status: Ints
    time_us: Ints
    eligible_set: Ints
    eligible_sets: Bools
    answer_delay_us: Ints
    judge_delay_us: Ints
    answer_value_usd: Floats
    second_value_usd: Floats
    requested_tokens: Floats
    input_tokens: Floats
    cached_input_tokens: Floats
    output_tokens: Floats
    cost_usd: Floats
    latency_s: Floats
    first_token_s: Floats
    quality: Floats
    left_out: Counter[str]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.model)

    def delayed(self, answer_s: float | None, judge_s: float | None) -> "Traffic":
        """Return the same with other delays, in seconds after the decision; None leaves those of the log."""

        def delay(logged_us: Ints, asked_s: float | None) -> Ints:
            return logged_us if asked_s is None else np.full(len(self), round(asked_s * _SECOND_US))

        return replace(
            self,
            answer_delay_us=delay(self.answer_delay_us, answer_s),
            judge_delay_us=delay(self.judge_delay_us, judge_s),
        )

    @property
    def graded(self) -> Bools:
        """Whether a category's quality has values between 0 and 1, which no thumb can tell; shape (C,)."""
        between = (self.quality > 0.0) & (self.quality < 1.0)
        return np.bincount(self.category[between], minlength=len(self.categories)) > 0


def traffic_of(log: Log, progress: Progress | None = None) -> Traffic:
    """Read a whole log. Raises LogError where it cannot be read, OptionsError where it holds no call to decide."""
    sets, columns, eligible = _Sets(), dict[str, list[NDArray[Any]]](), list[Ints]()
    categories: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    for batch in log.batches(progress=progress):
        categories, models = batch.categories, batch.models
        eligible.append(sets.numbers(batch))
        for name in _COLUMNS:
            columns.setdefault(name, []).append(getattr(batch, name))
    if not eligible:
        raise OptionsError("the log holds no call that can be used")
    joined = {name: np.concatenate(parts) for name, parts in columns.items()}
    return _in_order(categories, models, joined, np.concatenate(eligible), sets.table(len(models)))


class _Sets:
    """Numbers sets of eligible models in the order in which they come; 0 is all of them."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {b"": 0}

    def numbers(self, batch: Calls) -> Ints:
        packed = np.packbits(~np.isnan(batch.probabilities), axis=1)
        found = [self._numbers.setdefault(row.tobytes().rstrip(b"\0"), len(self._numbers)) for row in packed]
        return np.array([*found, 0], np.int64)[batch.drawn_from]  # where unknown, -1 is the last

    def table(self, models: int) -> Bools:
        width = (models + 7) // 8
        rows = [np.frombuffer(row.ljust(width, b"\0"), np.uint8) for row in self._numbers]
        sets = np.unpackbits(np.stack(rows), axis=1)[:, :models].astype(bool)
        sets[0] = True
        return sets


def _in_order(
    categories: tuple[str, ...],
    models: tuple[str, ...],
    columns: dict[str, NDArray[Any]],
    sets: Ints,
    table: Bools,
) -> Traffic:
    """Leave out what cannot be used, and sort the rest by time."""
    left_out, notes = Counter[str](), list[str]()
    kind, time_us = columns["kind"], columns["time_us"]
    usable = kind != Kind.FALLBACK
    left_out["a fallback: part of a request that stands in the log already"] = int((~usable).sum())
    if (time_us == UNKNOWN).all():
        columns["time_us"] = time_us = np.arange(len(time_us)) * _SECOND_US
        notes.append(NO_TIMES)
    left_out["its time is unknown"] = int((usable & (time_us == UNKNOWN)).sum())
    places = np.flatnonzero(usable & (time_us != UNKNOWN))
    places = places[np.argsort(time_us[places], kind="stable")]
    kept = {name: column[places] for name, column in columns.items()}
    forced = kept.pop("kind") == Kind.FORCED
    if forced.all():
        raise OptionsError("the log holds no call whose model was chosen by a policy")
    answered, judged = kept.pop("answered_us"), kept.pop("judged_us")
    answer_delay, stand_in = _answer_delays(answered, kept["time_us"], kept["latency_s"])
    notes += stand_in
    return Traffic(
        categories=categories,
        models=models,
        forced=forced,
        eligible_set=sets[places],
        eligible_sets=table,
        answer_delay_us=answer_delay,
        judge_delay_us=_known_or_median(_delays(judged, kept["time_us"]), answer_delay),
        left_out=+left_out,
        notes=tuple(notes),
        **kept,
    )


def _answer_delays(answered_us: Ints, time_us: Ints, latency_s: Floats) -> tuple[Ints, list[str]]:
    """Return how long after the decision each outcome was known, and a note where the log does not tell.

    A log that never tells had its outcomes when the calls ended.
    """
    delays = _delays(answered_us, time_us)
    if not np.isfinite(delays).any():
        delays = latency_s * _SECOND_US
    unknown = int(np.isnan(delays).sum())
    if unknown == len(delays):
        return np.zeros(len(delays), np.int64), [NO_DELAYS]
    filled = _known_or_median(delays, delays)
    median_s = float(np.nanmedian(delays)) / _SECOND_US
    note = (
        f"{unknown:,} calls do not tell how long they took: their outcomes are known after {median_s:.3g} s, the median"
    )
    return filled, [note] if unknown else []


def _delays(known_us: Ints, time_us: Ints) -> Floats:
    """Return how long after the decision something was known, in microseconds; NaN where unknown."""
    return np.where(known_us == UNKNOWN, np.nan, np.maximum(known_us - time_us, 0))


def _known_or_median(delays_us: Floats, otherwise_us: Floats | Ints) -> Ints:
    """Return delays, their median where unknown, or `otherwise_us` where none is known."""
    known = np.isfinite(delays_us)
    other = np.median(delays_us[known]) if known.any() else otherwise_us
    return np.where(known, delays_us, other).astype(np.int64)
