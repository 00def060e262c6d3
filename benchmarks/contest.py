"""Which mechanisms of inference earn their place: each against independent cells, on the same requests.

With `--data FOLDER` on `bfcl_dev.parquet`: one named pool of ten models and seven drawn by seed; without it on invented
tables, which say less. Scores: 0 is random, 100 the best model of each category. A mechanism stays if its mean over
the pools gains at least two standard errors in some scenario and loses no more than one point in any. Differences are
paired by pool and seed; standard errors are those of the mean over seeds, within pools.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from bandit.priors import CELLS_ALONE, InferenceSettings
from bandit.request import Objective
from bandit.snapshot import PolicySettings
from benchmarks.learning import NAMED, POOL_SEEDS, TABLE, drawn_pool
from simulations.arrivals import evenly
from simulations.events import LatencyChange, QualityDrop, Role
from simulations.generator import generate
from simulations.outcomes import read_outcomes
from simulations.parallel import run_all
from simulations.progress import shown_progress
from simulations.results import PolicyResult, Referee
from simulations.roles import named
from simulations.scenario import Phase, Scenario, scenario_of
from simulations.service import ServiceSettings, service_choices
from simulations.stream import stream_of
from simulations.world import World, world_of

COMMAND: Final = "python -m benchmarks.contest"

ALONE: Final = "cells alone"
_ALL: Final = InferenceSettings()
_AT_ONCE: Final = PolicySettings(spreads_unjudged=False)
FORMS: Final[Mapping[str, tuple[InferenceSettings, PolicySettings]]] = {
    ALONE: (CELLS_ALONE, _AT_ONCE),
    "default": (_ALL, PolicySettings()),
    "quality shifts": (replace(CELLS_ALONE, shifts={"quality": _ALL.shifts["quality"]}), _AT_ONCE),
    "latency shifts": (replace(CELLS_ALONE, shifts={"latency": _ALL.shifts["latency"]}), _AT_ONCE),
    "error shifts": (replace(CELLS_ALONE, shifts={"error": _ALL.shifts["error"]}), _AT_ONCE),
    "credit": (replace(CELLS_ALONE, credits_quality=True), _AT_ONCE),
    "borrowing": (replace(CELLS_ALONE, borrows_quality=True), _AT_ONCE),
    "spreading": (CELLS_ALONE, PolicySettings()),
    "quality forgotten by half in 1,500 requests": (
        replace(_ALL, half_lives_s={"quality": 1500.0}),
        PolicySettings(),
    ),
}
DEFAULT_FORMS: Final = (ALONE, "default")

Floats = NDArray[np.float64]
Figure = dict[str, object]
Case = tuple[Scenario, ServiceSettings]


def cases(steps: int) -> Mapping[str, Case]:
    """Return what forms are tried on: scenarios of the simulator, and some that only matter here."""

    def of(name: str, share: float | None = None, rate: float = 1.0, refresh_s: float = 5.0) -> Case:
        scenario = replace(scenario_of(name, Objective(), steps), arrivals=evenly(steps, rate))
        return scenario.reporting(None, share), ServiceSettings(refresh_s=refresh_s)

    third, two_thirds = steps // 3, 2 * steps // 3
    drop, spike = of("quality-drop"), of("latency-spike")
    at_once = LatencyChange(Role.BARGAIN, third, two_thirds)
    lasting = QualityDrop(Role.BEST, third, steps)
    steps_down = [QualityDrop(Role.BEST, start, steps, 0.2) for start in range(third, two_thirds, max(1, third // 5))]
    before_after = (Phase("before", 0, third), Phase("after", third, steps))
    return {
        "stationary": of("stationary"),
        "profiles": of("profiles"),
        "quality-drop": drop,
        "latency-spike": spike,
        "outage": of("outage"),
        "price-change": of("price-change"),
        "model-added": of("model-added"),
        "bad-model-added": of("bad-model-added"),
        "category-added": of("category-added"),
        "delayed": of("delayed"),
        "sparse": of("sparse"),
        "feedback on 2 %": of("sparse", 0.02),
        "two incidents at once": (replace(drop[0], events=(*drop[0].events, at_once)), drop[1]),
        "lasting drop": (replace(drop[0], events=(lasting,), phases=before_after), drop[1]),
        "gradual drop": (replace(drop[0], events=tuple(steps_down), phases=before_after), drop[1]),
        "quality-drop, a request a minute": of("quality-drop", rate=1 / 60),
        "quality-drop, 1,000 requests a second": of("quality-drop", rate=1000.0, refresh_s=0.5),
        "latency-spike, a request a minute": of("latency-spike", rate=1 / 60),
        "latency-spike, 1,000 requests a second": of("latency-spike", rate=1000.0, refresh_s=0.5),
        "latency-spike, seen a minute late": of("latency-spike", refresh_s=60.0),
    }


def judged(world: World, case: Case, form: str, seed: int) -> PolicyResult:
    """Play one run of the service and score it."""
    scenario, service = case
    asked = named(world, scenario)
    stream = stream_of(world, asked, seed)
    inference, policy = FORMS[form]
    choices = service_choices(world, asked, stream, replace(service, inference=inference, policy=policy))
    return Referee.of(world, asked, [stream]).judge(choices[None])


def figures(name: str, case: Case, worlds: Sequence[World], options: argparse.Namespace) -> Iterator[Figure]:
    """Yield the scores of a case by phase and form, and what each form gains on cells alone."""
    tasks = [
        partial(judged, world, case, form, seed)
        for form in options.forms
        for world in worlds
        for seed in range(options.seeds)
    ]
    with shown_progress(Console(stderr=True), name) as progress:
        results = run_all(tasks, options.workers, progress)
    shape = len(options.forms), len(worlds), options.seeds
    for phase in results[0].phases:
        scores = np.array([next(iter(one.phases[phase].by_seed)) for one in results]).reshape(shape)
        where = name if len(results[0].phases) == 1 else f"{name}, {phase.name}"
        yield from score_figures(where, dict(zip(options.forms, scores, strict=True)))
    by_form = np.array(results, dtype=object).reshape(len(options.forms), -1)
    if len(results[0].phases) == 1:
        yield from passing_figures(name, dict(zip(options.forms, by_form, strict=True)))
    if results[0].events:
        yield from event_figures(name, dict(zip(options.forms, by_form, strict=True)))


def score_figures(where: str, scores: Mapping[str, Floats]) -> Iterator[Figure]:
    """Yield figures of scores of shape (pools, seeds) by form."""
    for form, by_pool in scores.items():
        yield from mean_figures(f"{form}: {where}", by_pool)
        if form == ALONE or ALONE not in scores:
            continue
        gain = by_pool - scores[ALONE]
        yield from mean_figures(f"{form}: gain, {where}", gain)
        yield {"name": f"{form}: least gain of a pool, {where}", "value": round(float(gain.mean(axis=1).min()), 2)}
        yield {"name": f"{form}: named pool, {where}", "value": round(float(by_pool[0].mean()), 2)}


def event_figures(name: str, by_form: Mapping[str, NDArray[np.object_]]) -> Iterator[Figure]:
    """Yield the median over pools and seeds of what became of the share of the first model that changed."""
    for form, results in by_form.items():
        events = [one.events[0] for one in results]
        for figure in events[0].figures:
            unit = "share" if figure.startswith("share_") else "requests"
            yield from median_figure(f"{form}: {figure}, {name}", [one.figures[figure] for one in events], unit)


def passing_figures(name: str, by_form: Mapping[str, NDArray[np.object_]]) -> Iterator[Figure]:
    """Yield from which request on a form is worth more than the best fixed model: the median over pools and seeds."""
    for form, results in by_form.items():
        passes = [one.passes_best_fixed_at for one in results]
        where = f"{form}: ahead of the best fixed model"
        yield from median_figure(f"{where} from request, {name}", passes, "requests")
        share = float(np.mean([one is not None for one in passes]))
        yield {"name": f"{where} at the end, {name}", "value": round(share, 2), "unit": "share"}


def median_figure(name: str, values: Sequence[float | None], unit: str) -> Iterator[Figure]:
    """Yield the median of numbers of which None is later than any; nothing if that is the median."""
    middle = float(np.median([np.inf if one is None else one for one in values]))
    if np.isfinite(middle):
        yield {"name": name, "value": round(middle, 4), "unit": unit}


def mean_figures(name: str, by_pool: Floats) -> Iterator[Figure]:
    """Yield the mean of numbers of shape (pools, seeds), and its standard error; pools are given, seeds drawn."""
    yield {"name": name, "value": round(float(by_pool.mean()), 2)}
    pools, seeds = by_pool.shape
    if seeds > 1:
        error = float((by_pool.var(axis=1, ddof=1) / seeds).sum()) ** 0.5 / pools
        yield {"name": f"{name}: standard error", "value": round(error, 2)}


def pools(options: argparse.Namespace) -> list[World]:
    if not options.data:
        return [world_of(generate(seed)) for seed in range(options.pools)]
    outcomes = read_outcomes(options.data / TABLE)
    drawn = [drawn_pool(outcomes.models, seed) for seed in POOL_SEEDS]
    return [world_of(outcomes, models) for models in (NAMED, *drawn)][: options.pools]


def main() -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Let mechanisms of inference compete.")
    parser.add_argument("--data", type=Path, help=f"folder with {TABLE}")
    parser.add_argument("--steps", type=int, default=4500, help="default: %(default)s")
    parser.add_argument("--seeds", type=int, default=4, help="per pool; default: %(default)s")
    parser.add_argument("--pools", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=0, help="processes; 0 is one per core")
    parser.add_argument("--only", action="append", metavar="CASE", choices=[*cases(4500)], help="may be repeated")
    parser.add_argument("--forms", action="append", metavar="FORM", choices=[*FORMS], help="may be repeated")
    options = parser.parse_args()
    options.forms = [ALONE, *(options.forms or DEFAULT_FORMS[1:])]
    command = f"{COMMAND} --data DATA" if options.data else COMMAND
    worlds = pools(options)
    found: list[Figure] = []
    for name, case in cases(options.steps).items():
        if options.only is None or name in options.only:
            found += figures(name, case, worlds, options)
    print(json.dumps([{"unit": "points", **figure, "command": command} for figure in found], indent=1))


if __name__ == "__main__":
    main()
