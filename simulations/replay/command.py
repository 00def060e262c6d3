"""`routeward replay`: from a log and options to bands."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from adapters.traffic.log import Log, LogReport
from bandit.catalogue import Prices
from simulations import ranges
from simulations.errors import OptionsError
from simulations.lights import Check
from simulations.parallel import Progress, run_all, unwatched
from simulations.ranges import check_range
from simulations.replay.bands import PolicyBands
from simulations.replay.checks import checks_of
from simulations.replay.course import Stage
from simulations.replay.engine import Pace
from simulations.replay.figures import Shown, figures_of
from simulations.replay.offer import Learner, WhatIf, logged_prices, offered
from simulations.replay.stage import Cuts, Drift, stage_of
from simulations.replay.traffic import Traffic, traffic_of

Ints = NDArray[np.int64]

SEEDS: Final = (20, 10_000)
"""Fewer show no band."""
PUBLICATIONS: Final = 100
"""In a run: each costs some milliseconds in each of the runs, and more of them change little."""
PER_PUBLICATION: Final = 10
"""Requests at least."""
_REFRESH: Final = (0.000_001, 1_000_000)
_WORKERS: Final = (0, 1000)
_DELAY: Final = (0, 31_536_000)
_SHARE: Final = (0, 1)
_PRICE: Final = (0, 1_000_000)


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """How to replay.

    Where a tape runs dry, `dry` says whether to stop or to resample it. `drift` cuts tapes by time. Seeds are
    `first_seed` and those after it. Delays, where given, replace those of the log. 0 `workers` are as many as there are
    cores; their number changes no result. Unless it `keeps_pace`, the learner publishes at most `PUBLICATIONS` times,
    and once in `PER_PUBLICATION` requests.
    """

    what_if: WhatIf = field(default_factory=WhatIf)
    dry: Literal["resample", "stop"] = "resample"
    drift: Drift = "auto"
    seeds: int = 20
    first_seed: int = 0
    answer_delay_s: float | None = None
    judge_delay_s: float | None = None
    workers: int = 0
    keeps_pace: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """What was asked, the log it was asked of, and what the seeds show of every policy."""

    options: ReplayOptions
    learner: Learner
    report: LogReport
    traffic: Traffic
    stage: Stage
    cuts: Cuts
    logged: Mapping[str, Prices]
    policies: Mapping[str, PolicyBands]
    checks: tuple[Check, ...]
    notes: tuple[str, ...]


def replay(log: Log, learner: Learner, options: ReplayOptions, progress: Progress = unwatched) -> Replay:
    """Let a learner, and what it is compared with, answer the requests of a log.

    `learner` offers its models, those of the log where it names none. Raises LogError, and SimulationError, whose
    message says what to do.
    """
    check_options(learner, options)
    traffic = traffic_of(log).delayed(options.answer_delay_s, options.judge_delay_s)
    logged = logged_prices(traffic)
    learner = learner.offering(offered(traffic, learner.models, options.what_if, logged))
    learner, notes = (learner, ()) if options.keeps_pace else slowed(learner, traffic.time_us)
    stage, cuts = stage_of(traffic, learner, logged, drift=options.drift)
    if not len(stage.asked.stream):
        raise OptionsError("none of the models on offer answered any request of the log; offer others")
    plain, bootstrapped = _runs(stage, options, progress)
    policies = {
        name: PolicyBands.of([one[name] for one in plain], [one[name] for one in bootstrapped]) for name in plain[0]
    }
    return Replay(
        options=options,
        learner=stage.learner,
        report=log.report,
        traffic=traffic,
        stage=stage,
        cuts=cuts,
        logged=logged,
        policies=policies,
        checks=checks_of(stage, cuts, policies),
        notes=(*log.report.notes, *traffic.notes, *notes),
    )


def slowed(learner: Learner, time_us: Ints) -> tuple[Learner, tuple[str, ...]]:
    """Let a learner publish not too often in a log; say so where that is not its own pace."""
    most = max(1, min(PUBLICATIONS, len(time_us) // PER_PUBLICATION))
    least_s = float(time_us[-1] - time_us[0]) * 1e-6 / most
    spans = len(Pace.of(time_us, learner.refresh_s).published_us)
    if spans <= most or learner.refresh_s >= least_s:
        return learner, ()
    note = (
        f"what was learned is published every {least_s:,.0f} s, for speed; "
        f"--refresh-seconds {learner.refresh_s:g} keeps the pace"
    )
    return replace(learner, refresh_s=least_s), (note,)


def check_options(learner: Learner, options: ReplayOptions) -> None:
    """Raise OptionsError for a number that has no meaning."""
    check_range("--seeds", options.seeds, SEEDS)
    check_range("--first-seed", options.first_seed, ranges.SEED)
    check_range("--workers", options.workers, _WORKERS)
    check_range("--exploration", learner.policy.exploration, (0, 100))
    if learner.refresh_s != 0:
        check_range("--refresh-seconds, unless it is 0 (before each request),", learner.refresh_s, _REFRESH)
    for option, value, limits in (
        ("--answer-value-usd", learner.answer_value_usd, ranges.ANSWER_VALUE_USD),
        ("--second-value-usd", learner.second_value_usd, ranges.SECOND_VALUE_USD),
        ("--answer-delay-seconds", options.answer_delay_s, _DELAY),
        ("--judge-delay-seconds", options.judge_delay_s, _DELAY),
    ):
        if value is not None:
            check_range(option, value, limits)
    for model, prices in options.what_if.prices.items():
        for price in (prices.input_usd_per_mtok, prices.output_usd_per_mtok, prices.cached_or_input_usd_per_mtok):
            check_range(f"--price of {model}", price, _PRICE)


_Shown = dict[str, Shown]


def _runs(stage: Stage, options: ReplayOptions, progress: Progress) -> tuple[list[_Shown], list[_Shown]]:
    """Play every seed on the log as it is, and on a bootstrap of it.

    Processes read the stage from a file, once each, instead of with every run.
    """
    with TemporaryDirectory(prefix="routeward-replay-") as folder:
        path = Path(folder) / "stage"
        with path.open("wb") as file:
            pickle.dump(stage, file, protocol=pickle.HIGHEST_PROTOCOL)
        seeds = range(options.first_seed, options.first_seed + options.seeds)
        tasks = [partial(_run, path, seed, way, options.dry == "stop") for way in (False, True) for seed in seeds]
        try:
            runs = run_all(tasks, options.workers, progress)
        finally:
            _stage.cache_clear()
    return runs[: len(seeds)], runs[len(seeds) :]


def _run(path: Path, seed: int, bootstrap: bool, stops_when_dry: bool) -> _Shown:
    return figures_of(_stage(path), seed, bootstrap=bootstrap, stops_when_dry=stops_when_dry)


@lru_cache(maxsize=1)
def _stage(path: Path) -> Stage:
    with path.open("rb") as file:
        stage: Stage = pickle.load(file)  # noqa: S301 -- it was written a moment ago, by us, in a folder of ours
    return stage
