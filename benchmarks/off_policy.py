"""Off-policy evaluation on a table whose truth is known: logs are written by the service's own core.

Each fixed model is evaluated from each log. One must be refused where no log of this length can tell its value: where
the standard error that follows from the table and from the probabilities with which it might have been chosen (nobody
knows either beforehand) is above `UNKNOWABLE` dollars per dollar of an answer.
"""

import argparse
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from adapters.traffic.calls import Call, Names, columns_of
from bandit.request import Objective
from bandit.signals import Kind, Status
from bandit.snapshot import PolicySettings
from simulations.generator import generate
from simulations.offpolicy.collapse import sums_of
from simulations.offpolicy.evaluation import evaluate
from simulations.offpolicy.policies import fixed
from simulations.outcomes import read_outcomes
from simulations.parallel import run_all, unwatched
from simulations.scenario import scenario_of
from simulations.service import ServiceSettings, service_decisions
from simulations.stream import Stream, stream_of
from simulations.world import World, world_of

Floats = NDArray[np.float64]

COMMAND: Final = "python -m benchmarks.off_policy"
TABLE: Final = "bfcl_dev.parquet"
OBJECTIVE: Final = Objective(answer_value_usd=0.05, second_value_usd=0.001)
UNKNOWABLE: Final = 0.1
STEPS: Final = 4500
POOL: Final = "claude-3-5-sonnet-20240620,gpt-4o-2024-05-13,claude-3-haiku-20240307,gemini-1.5-flash-preview-0514"
"""Of the table: four models of all prices."""
EXPLORING: Final = 0.05
"""Smallest probability of a model in a log that is to tell something of every model; the service's own is far below."""


class Trial(NamedTuple):
    """A fixed model evaluated from a log; error and width per dollar of an answer's value."""

    model: str
    passed: bool
    must_refuse: bool
    error: float
    error_dr: float
    width: float
    covers: bool
    standard_error: float


def world(data: Path | None, models: tuple[str, ...]) -> World:
    """Return the world of the table, or an invented one."""
    return world_of(generate(1) if data is None else read_outcomes(data / TABLE), models)


def logged(world: World, seed: int, floor: float) -> tuple[list[Call], Floats, Stream]:
    """Return a log of the service, and the probabilities (T, M) it was drawn from."""
    scenario = scenario_of("stationary", OBJECTIVE, STEPS)
    stream = stream_of(world, scenario, seed)
    cost, calls, probabilities = world.cost_usd, [], []
    ids = [model.id for model in world.models]
    settings = ServiceSettings(policy=PolicySettings(floor=floor))
    decisions = service_decisions(world, scenario, stream, settings)
    for step, (prompt, (m, drawn_from)) in enumerate(zip(stream.prompts.tolist(), decisions, strict=True)):
        shares = drawn_from.probabilities
        probabilities.append(shares)
        quality, cost_usd, latency_s = (_known(table[prompt, m]) for table in (world.quality, cost, world.latency_s))
        calls.append(
            Call(
                category=world.categories[world.category_of[prompt]],
                model=ids[m],
                time_us=step * 1_000_000,
                kind=Kind.SAMPLED,
                propensity=shares[m],
                probabilities=dict(zip(ids, shares, strict=True)),
                status=Status.OK,
                quality=quality,
                cost_usd=cost_usd,
                latency_s=latency_s,
            )
        )
    return calls, np.array(probabilities), stream


def _known(cell: float) -> float | None:
    return None if np.isnan(cell) else float(cell)


def trials(data: Path | None, models: tuple[str, ...], floor: float, seed: int) -> list[Trial]:
    """Return what the evaluation says of every fixed model, beside the truth."""
    table = world(data, models)
    calls, probabilities, stream = logged(table, seed, floor)
    sums = sums_of(columns_of(calls, Names(), Names()))
    evaluation, _ = evaluate(sums, [fixed(model.id) for model in table.models], OBJECTIVE, rng=np.random.default_rng(0))
    truth, spread = _truth(table)
    category = table.category_of[stream.prompts]
    found = []
    for m, valued in enumerate(evaluation.policies):
        # The correction of a call varies by the spread of answers over the probability of this model.
        variance = (spread[category, m] ** 2 / probabilities[:, m]).sum() / len(calls) ** 2
        scale, true = OBJECTIVE.answer_value_usd, float(truth[:, m].mean())
        interval = valued.estimates["awdr"]
        found.append(
            Trial(
                model=table.models[m].id,
                passed=valued.status != "red",
                must_refuse=float(np.sqrt(variance)) / scale > UNKNOWABLE,
                error=(interval.value - true) / scale,
                error_dr=(valued.estimates["dr"].value - true) / scale,
                width=(interval.high - interval.low) / scale,
                covers=interval.low <= true <= interval.high,
                standard_error=float(np.sqrt(variance)) / scale,
            )
        )
    return found


def _truth(table: World) -> tuple[Floats, Floats]:
    """Return means and deviations of what calls are worth, in dollars; shape (C, M). Unknown parts are left out."""
    parts = (table.quality * OBJECTIVE.answer_value_usd, -table.cost_usd, -table.latency_s * OBJECTIVE.second_value_usd)
    mean = sum(table.means(part) for part in parts)
    quality = table.means(table.quality)
    return np.asarray(mean), OBJECTIVE.answer_value_usd * np.sqrt(np.maximum(quality * (1.0 - quality), 0.01))


def figures(found: list[Trial]) -> Iterator[tuple[str, float, str]]:
    """Yield what the figures ask for."""
    passed, hopeless = [t for t in found if t.passed], [t for t in found if t.must_refuse]
    yield "fixed policies evaluated", float(len(found)), ""
    yield "share that the gate passes", len(passed) / len(found), "share"
    yield "share that it must refuse", len(hopeless) / len(found), "share"
    if hopeless:
        yield "refused of those that must be", float(np.mean([not t.passed for t in hopeless])), "share"
    if passed:
        yield "coverage where it passes", float(np.mean([t.covers for t in passed])), "share"
        yield "mean absolute error where it passes, adaptively weighted", _size(t.error for t in passed), "answers"
        yield "mean absolute error where it passes, DR", _size(t.error_dr for t in passed), "answers"
        yield "mean width where it passes", float(np.mean([t.width for t in passed])), "answers"
    refused = [t for t in found if not t.passed]
    if refused:
        yield "mean absolute error where it refuses, DR", _size(t.error_dr for t in refused), "answers"
        yield "coverage where it refuses", float(np.mean([t.covers for t in refused])), "share"


def _size(errors: Iterator[float]) -> float:
    return float(np.nanmean(np.abs(list(errors))))


def main() -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Measure off-policy evaluation where truth is known.")
    parser.add_argument("--data", type=Path, help=f"folder that holds {TABLE}; an invented table without it")
    parser.add_argument("--logs", type=int, default=100)
    parser.add_argument("--models", default=POOL, help="models of the table to choose from, separated by commas")
    parser.add_argument("--floor", type=float, default=EXPLORING, help="smallest probability of a model")
    parser.add_argument("--workers", type=int, default=0)
    options = parser.parse_args()
    models = tuple(name for name in options.models.split(",") if name) if options.data else ()
    tasks = [partial(trials, options.data, models, options.floor, seed) for seed in range(options.logs)]
    found = [trial for some in run_all(tasks, options.workers, unwatched) for trial in some]
    command = f"{COMMAND} --logs {options.logs} --floor {options.floor:g}" + (" --data DATA" if options.data else "")
    command += f" --models {options.models}" if options.models != POOL else ""
    rows = [{"name": n, "value": round(v, 5), "unit": unit, "command": command} for n, v, unit in figures(found)]
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
