"""Whether constraints hold that have to be learned: the cheapest within x of the best, a limit on latency, a guard.

    python -m benchmarks.constraints [--data FOLDER]

Worlds are invented tables, or pools of ten models drawn by seed from `bfcl_dev.parquet`; thumbs on every answer. Of
`cheapest_within` the last half of the requests counts, of the limit on latency all of them from the first, of the guard
the lowest point of what was earned relative to the best fixed model, from request 100 on. Means are over worlds, and
so are their standard errors.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bandit.modes import CheapestWithin, Mode
from bandit.request import Limits, Objective
from bandit.snapshot import PolicySettings
from benchmarks._rounds import Round, played
from benchmarks.learning import TABLE, drawn_pool
from simulations.generator import generate
from simulations.outcomes import read_outcomes
from simulations.scenario import scenario_of
from simulations.service import ServiceSettings, service_choices
from simulations.stream import stream_of
from simulations.values import expected_values
from simulations.world import World, world_of

COMMAND: Final = "python -m benchmarks.constraints"
MODE: Final = CheapestWithin()
LATENCY_PROBABILITY: Final = 0.95
COST_BAR: Final = 1.1
GUARD: Final = 0.1
WARM_UP: Final = 100
PROMPTS: Final = 500
"""Per category of an invented table: with few, all differences of quality are multiples of a large step."""

Floats = NDArray[np.float64]
Figures = dict[str, float]


def cheapest_figures(world: World, requests: int, seed: int) -> Figures:
    """Measure the mode after learning: extra cost, and requests served by a model that is truly too bad."""
    settings = PolicySettings(modes={"default": Mode(cheapest_within=MODE)})
    rounds = played(world, settings, requests, np.random.default_rng(seed), [Limits()] * len(world.categories))
    quality, cost = world.means(world.quality), world.means(world.cost_usd)
    feasible = quality >= quality.max(axis=1, keepdims=True) - MODE.within
    cheapest = np.where(feasible, cost, np.inf).min(axis=1)
    calls = _calls([one for one in rounds if one.before >= requests / 2], cost.shape)
    spent = (calls * cost).sum(axis=1) / calls.sum(axis=1)
    ratio, best = spent / cheapest, np.take_along_axis(cost, quality.argmax(axis=1)[:, None], axis=1).ravel()
    return {
        "cost of cheapest_within, of the cheapest truly feasible": float(spent.sum() / cheapest.sum()),
        "cost of cheapest_within, of the cheapest truly feasible, mean over categories": float(ratio.mean()),
        "cost of cheapest_within, of the cheapest truly feasible, median of categories": float(np.median(ratio)),
        "share of categories above 1.1 times the cheapest truly feasible": float((ratio > COST_BAR).mean()),
        "cost of the best model, of the cheapest truly feasible": float(best.sum() / cheapest.sum()),
        "cost of the best model, of the cheapest truly feasible, mean over categories": float((best / cheapest).mean()),
        "share of requests served too badly": float((calls * ~feasible).sum() / calls.sum()),
        "share of categories whose most used model is too bad": float(
            np.mean(~np.take_along_axis(feasible, calls.argmax(axis=1)[:, None], axis=1))
        ),
    }


def latency_figures(world: World, requests: int, seed: int) -> Figures:
    """Measure a limit that about half of the models keep, from the first request on."""
    tails = [np.nanquantile(world.latency_s[p], LATENCY_PROBABILITY, axis=0) for p in world.prompts_by_category]
    limits = [Limits(max_latency_s=float(np.median(tail)), latency_probability=LATENCY_PROBABILITY) for tail in tails]
    rounds = played(world, PolicySettings(), requests, np.random.default_rng(seed), limits)
    calls, refused = sum(int(one.calls.sum()) for one in rounds), sum(one.refused for one in rounds)
    return {
        "share of requests slower than max_latency": sum(one.slow for one in rounds) / max(calls, 1),
        "share of requests refused under max_latency": refused / (calls + refused),
    }


def guard_figures(world: World, requests: int, seed: int) -> Figures:
    """Measure the loss against the best fixed model as baseline, request by request, with the guard and without."""
    scenario = scenario_of("stationary", Objective(), requests)
    values = expected_values(world, scenario.objectives)[0]
    best, stream = int(values.mean(axis=0).argmax()), stream_of(world, scenario, seed)
    safe = np.cumsum(values[stream.categories, best])
    found = {}
    for name, guard in ((f"under a guard of {GUARD}", GUARD), ("without a guard", 0.0)):
        mode = Mode(baseline=world.models[best].id, guard=guard)
        settings = ServiceSettings(policy=PolicySettings(modes={"default": mode}))
        choices = service_choices(world, scenario, stream, settings)
        relative = np.cumsum(values[stream.categories, choices]) / safe
        found[f"lowest worth relative to the best fixed model, {name}"] = float(relative[WARM_UP:].min())
        found[f"worth relative to the best fixed model at the end, {name}"] = float(relative[-1])
    return found


def _calls(rounds: Sequence[Round], shape: tuple[int, ...]) -> Floats:
    calls = np.zeros(shape)
    for one in rounds:
        calls[one.category] += one.calls
    return calls


def summarized(of_worlds: Sequence[Figures], where: str, command: str) -> Iterator[dict[str, object]]:
    for name in of_worlds[0]:
        values = np.array([figures[name] for figures in of_worlds])
        error = float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 0.0
        for suffix, value in (("", float(values.mean())), (": standard error", error)):
            yield {"name": f"{name}, {where}{suffix}", "value": round(value, 4), "unit": "ratio", "command": command}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Measure constraints.")
    parser.add_argument("--data", type=Path, help=f"folder with {TABLE}")
    parser.add_argument("--worlds", type=int, default=32, help="default: %(default)s")
    parser.add_argument("--requests", type=int, nargs="+", default=[2_000, 20_000], help="default: %(default)s")
    parser.add_argument("--guarded", type=int, default=1500, help="requests of the guard; default: %(default)s")
    options = parser.parse_args(arguments)
    outcomes = read_outcomes(options.data / TABLE) if options.data else None

    def world(seed: int) -> World:
        if outcomes is None:
            return world_of(generate(seed, prompts_per_category=PROMPTS))
        return world_of(outcomes, drawn_pool(outcomes.models, seed))

    command = f"{COMMAND} --data DATA" if options.data else COMMAND
    found: list[dict[str, object]] = []
    measures: tuple[Callable[[World, int, int], Figures], ...] = (cheapest_figures, latency_figures)
    for requests in options.requests:
        for measure in measures:
            print(f"    {measure.__name__}, {requests} requests per category", file=sys.stderr, flush=True)
            figures = [measure(world(seed), requests, seed) for seed in range(options.worlds)]
            found += summarized(figures, f"{requests} requests per category", command)
    print(f"    guard_figures, {options.guarded} requests", file=sys.stderr, flush=True)
    guarded = [guard_figures(world(seed), options.guarded, seed) for seed in range(options.worlds)]
    found += summarized(guarded, f"{options.guarded} requests", command)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
