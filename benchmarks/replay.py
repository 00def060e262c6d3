"""Replay of a learning policy: how fast the service's own core is on a log, and how near replay comes to the truth.

Speed is rows per second of the processor's time, for one seed, on an invented log of four models and six categories.
For the truth, a learner answers requests in the invented world itself, again and again; then the same learner is
replayed over logs that a uniform and a Thompson logger wrote in that world, once per log: where tapes are long, and
where most of them run dry. Li's match replay is the control. Values are in units of a fully good answer.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from adapters.traffic.calls import Call, Calls
from adapters.traffic.log import LogReport, Progress
from bandit.request import Objective
from benchmarks._match import match_replay
from simulations.generator import MODELS
from simulations.logs.invented import InventedLog, LogSettings
from simulations.parallel import run_all
from simulations.progress import shown_progress
from simulations.replay.course import Course, Stage
from simulations.replay.engine import learned
from simulations.replay.figures import LEARNER, figures_of
from simulations.replay.offer import Learner, WhatIf, logged_prices, offered
from simulations.replay.stage import stage_of
from simulations.replay.traffic import traffic_of

COMMAND: Final = "python -m benchmarks.replay"


FRESH: Final = 8
"""Calls of a log per request: enough that no tape runs dry."""


class Case(NamedTuple):
    """A log of so many rows, and how many of its requests are replayed."""

    name: str
    rows: int
    requests: int

    @property
    def has_matches(self) -> bool:
        """Whether match replay finds as many requests in the log."""
        return self.rows >= FRESH * self.requests


CASES: Final = (Case("long tapes", 20_000, 1500), Case("dry tapes", 2000, 2000))
LOGGERS: Final = ("uniform", "thompson")
READY_ROWS: Final = 20_000
SPANS: Final = 15
"""Publications while the requests of a truth run are answered: one in a hundred requests."""
PACES: Final = ((10_000, 200_000), (100, 8_000), (1, 300))
"""Rows per publication, and how many rows are measured."""
FIRST_FRESH: Final = 10**6

Floats = NDArray[np.float64]
Figure = dict[str, object]


class Invented:
    """An invented log, as a log."""

    def __init__(self, settings: LogSettings) -> None:
        self._log = InventedLog(settings)
        self.report = LogReport("invented", used=settings.rows)

    def calls(self, progress: Progress | None = None) -> Iterator[Call]:
        """Calls come in columns only."""
        raise NotImplementedError

    def batches(self, size: int = 10_000, progress: Progress | None = None) -> Iterator[Calls]:
        """Draw the calls."""
        for batch in self._log.batches(size):
            yield batch
            if progress is not None:
                progress(size, size)


def staged(rows: int, seed: int, logger: str, days: float, refresh_s: float) -> Stage:
    """Return an invented log, ready to be replayed."""
    settings = LogSettings(rows=rows, seed=seed, logger=logger, models=MODELS[:4], days=days)
    traffic = traffic_of(Invented(settings))
    logged = logged_prices(traffic)
    learner = Learner(offered(traffic, (), WhatIf(), logged), refresh_s=refresh_s)
    return stage_of(traffic, learner, logged, drift="none")[0]


def shortened(stage: Stage, requests: int) -> Stage:
    """Return the stage with its first requests only."""
    return replace(stage, asked=replace(stage.asked, stream=stage.asked.stream[:requests]))


def speed_figures() -> Iterator[Figure]:
    for per_span, rows in PACES:
        days = rows / 86_400.0
        stage = staged(rows, 0, "thompson", days, refresh_s=per_span if per_span > 1 else 0.0)
        course = Course.of(stage, 0)
        began = time.process_time()
        learned(stage, course)
        taken_s = time.process_time() - began
        name = f"replay, {per_span:,} rows per publication" if per_span > 1 else "replay, one by one"
        yield {"name": name, "value": round(rows / taken_s), "unit": "rows/s"}
    began = time.process_time()
    staged(READY_ROWS, 0, "thompson", 1.0, 3600.0)
    yield {
        "name": "making a log ready, once for all seeds",
        "value": round(READY_ROWS / (time.process_time() - began)),
        "unit": "rows/s",
    }


def refresh_s(case: Case, rows: int) -> float:
    """Return the time in which a fifteenth of a case's requests come, of a log over a day."""
    return 86_400.0 * case.requests / rows / SPANS


def direct_value(case: Case, run: int) -> float:
    """Return what the learner reaches in the world itself: its outcomes are fresh, and no tape runs dry."""
    rows = case.requests * FRESH
    stage = shortened(staged(rows, FIRST_FRESH + run, "uniform", 1.0, refresh_s(case, rows)), case.requests)
    return learner_figures(stage, run)["value_usd"] / Objective().answer_value_usd


def learner_figures(stage: Stage, seed: int) -> dict[str, float]:
    """Return what replay says of the learner."""
    return figures_of(stage, seed, bootstrap=False, stops_when_dry=False)[LEARNER].figures


def replayed_values(case: Case, logger: str, run: int) -> tuple[float, float, float]:
    """Return what tape replay and match replay say by one log, and the share of outcomes resampled."""
    stage = staged(case.rows, run, logger, 1.0, refresh_s(case, case.rows))
    match = match_replay(stage, run, case.requests, case.requests // SPANS)
    tape = learner_figures(shortened(stage, case.requests), run)
    return tape["value_usd"] / Objective().answer_value_usd, match.value(stage), tape["resampled"]


def truth_figures(case: Case, runs: int) -> Iterator[Figure]:
    with shown_progress(Console(stderr=True), f"{case.name}: in the world") as progress:
        truth = np.array(run_all([partial(direct_value, case, run) for run in range(runs)], 0, progress))
    yield from mean_figures(f"learner in the world itself, {case.requests:,} requests", truth, _error(truth))
    for logger in LOGGERS:
        with shown_progress(Console(stderr=True), f"{case.name}: {logger} logs") as progress:
            tasks = [partial(replayed_values, case, logger, run) for run in range(runs)]
            tape, match, resampled = np.array(run_all(tasks, 0, progress)).T
        ways = {"tape replay": tape} | ({"match replay": match} if case.has_matches else {})
        for way, values in ways.items():
            error = float(np.hypot(_error(values), _error(truth)))
            yield from mean_figures(f"{way} less the truth, {case.name}, {logger} logs", values - truth.mean(), error)
        share = round(float(resampled.mean()), 3)
        yield {"name": f"tape replay, {case.name}, {logger} logs: resampled", "value": share, "unit": ""}


def mean_figures(name: str, values: Floats, error: float) -> Iterator[Figure]:
    yield {"name": name, "value": round(float(values.mean()), 5), "unit": "answers"}
    yield {"name": f"{name}: standard error", "value": round(error, 5), "unit": "answers"}


def _error(values: Floats) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def main() -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Measure replay.")
    parser.add_argument("--data", type=Path, help="not used")
    parser.add_argument("--runs", type=int, default=300, help="logs per logger and case; default: %(default)s")
    parser.add_argument("--only", choices=["speed", *(case.name for case in CASES)], help="default: everything")
    options = parser.parse_args()
    figures = [*speed_figures()] if options.only in (None, "speed") else []
    for case in CASES:
        figures += truth_figures(case, options.runs) if options.only in (None, case.name) else ()
    print(json.dumps([{**figure, "command": COMMAND} for figure in figures], indent=1))


if __name__ == "__main__":
    main()
