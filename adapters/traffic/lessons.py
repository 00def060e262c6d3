"""What a log teaches: the sums and the inference of live traffic, without a prior.

So statuses teach what they always do, and a single absurd latency is left out here as well.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

import numpy as np

from adapters.traffic.calls import Call
from adapters.traffic.log import Log, LogReport, Progress, Rejected
from bandit.evidence import Event, Signal, events_of
from bandit.posterior import infer
from bandit.priors import CELLS_ALONE, BetaPrior, NormalPrior, PastCell
from bandit.signals import DecisionFacts, Kind, Outcome, Score, Status, to_fixed_point
from bandit.sums import Sums, record

SIGNALS: Final[tuple[Signal, ...]] = ("quality", "error", "latency", "output_tokens")
MAX_CATEGORIES: Final = 1000
"""Each has a row in every posterior."""
MAX_MODELS: Final = 256
MAX_CELLS: Final = 100_000
"""Categories times models: arrays hold them all, seen or not."""
_BATCH: Final = 10_000
_BUCKET_US: Final = 1_000_000
_SCORE: Final = "log"
_NOTHING: Final = 1e-9
_ANYTHING: Final = 1e9


@dataclass(frozen=True, slots=True)
class Lessons:
    """What a log taught: by cell and signal, how many rows were used, and how many were not for which reason."""

    cells: tuple[PastCell, ...]
    used: int
    rejected: Mapping[str, Rejected]


def lessons_of(log: Log, progress: Progress | None = None) -> Lessons:
    """Learn from a log. Raises LogError where it cannot be read.

    Calls with another category or model than `MAX_CATEGORIES`, `MAX_MODELS` and `MAX_CELLS` allow are rejected; names
    count in the order in which they come.
    """
    unused = LogReport("")
    calls = _teaching(log, unused, progress)
    sums, used = Sums.empty(_BUCKET_US), 0
    while batch := list(islice(calls, _BATCH)):
        used += len(batch)
        sums = record(sums, [event for call in batch for event in _events(call)])
    rejected = {**log.report.rejected, **unused.rejected}
    return Lessons(tuple(_cells(sums)), used, dict(sorted(rejected.items())))


def _teaching(log: Log, unused: LogReport, progress: Progress | None) -> Iterator[Call]:
    categories, models = set[str](), set[str]()
    for call in log.calls(progress):
        try:
            if call.quality is call.latency_s is call.output_tokens is call.status is None:
                raise ValueError("nothing is known of how the call went")
            _place(call, categories, models)
        except ValueError as error:
            unused.reject(str(error), log.report.line, log.report.file)
        else:
            yield call


def _place(call: Call, categories: set[str], models: set[str]) -> None:
    """Add the names of a call. Raises ValueError where they would be too many, and adds none then."""
    if call.category in categories and call.model in models:
        return
    rows = len(categories) + (call.category not in categories)
    columns = len(models) + (call.model not in models)
    if rows > MAX_CATEGORIES:
        raise ValueError(f"category is one more than the {MAX_CATEGORIES:,} that a warm start holds")
    if columns > MAX_MODELS:
        raise ValueError(f"model is one more than the {MAX_MODELS} that a warm start holds")
    if rows * columns > MAX_CELLS:
        raise ValueError(f"categories times models would be more than {MAX_CELLS:,}")
    categories.add(call.category)
    models.add(call.model)


def _events(call: Call) -> Iterator[Event]:
    decision = DecisionFacts(call.category, call.model, call.kind or Kind.SAMPLED, 0)
    latency_us = None if call.latency_s is None else round(call.latency_s * 1e6)
    outcome = Outcome(call.status or Status.OK, latency_us, output_tokens=call.output_tokens)
    for event in events_of(decision, outcome):
        if event.signal != "error" or call.status is not None:
            yield event
    if call.quality is not None:
        yield from events_of(decision, Score(_SCORE, to_fixed_point(call.quality)))


def _cells(sums: Sums) -> Iterator[PastCell]:
    """Yield what is believed of every cell that has observations, with priors that say nothing."""
    default = CELLS_ALONE
    silent = replace(
        default,
        quality_sources=dict.fromkeys(sums.categories, f"score:{_SCORE}"),
        error=BetaPrior(default.error.mean, _NOTHING),
        scores=_silent(default.scores),
        latency=_silent(default.latency),
        output_tokens=_silent(default.output_tokens),
    )
    posterior = infer(sums, 0, silent)
    for signal in SIGNALS:
        belief = getattr(posterior, signal)
        for row, column in np.argwhere(belief.weight > 0).tolist():
            mean = float(belief.mean[row, column])
            rate = min(max(mean, 0.0), 1.0) if signal in ("quality", "error") else mean
            yield PastCell(sums.categories[row], sums.models[column], signal, rate, float(belief.weight[row, column]))


def _silent(prior: NormalPrior) -> NormalPrior:
    return replace(prior, variance=_ANYTHING)
