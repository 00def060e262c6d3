"""How closely a budget is kept, and what its money buys, while the dearest model is nearly free in the middle third.

With `--data FOLDER` on `paretobandit_val.parquet`: three models whose calls cost 500-fold different, five budgets,
categories as often as in the table. Without it on an invented table, which says less. Shares of the budget are those of
billed dollars; reward is the mean quality of answers, in the mean of their category. An answer is worth so much that
money decides nothing but through the budget. ParetoBandit plays the same requests where its package is installed: the
best of three settings by reward. Fixed models are those whose calls cost at most the budget in that phase. Standard
errors are over seeds.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from bandit.request import Objective
from benchmarks import _paretobandit
from simulations.generator import generate
from simulations.outcomes import read_outcomes
from simulations.parallel import run_all
from simulations.progress import shown_progress
from simulations.results import PolicyResult, Referee, Score
from simulations.roles import named
from simulations.scenario import Phase, scenario_of
from simulations.service import ServiceSettings, service_choices
from simulations.stream import stream_of
from simulations.world import World, world_of

COMMAND: Final = "python -m benchmarks.budgets"
TABLE: Final = "paretobandit_val.parquet"
MODELS: Final = ("meta-llama/llama-3.1-8b-instruct", "mistralai/mistral-large-2512", "google/gemini-2.5-pro")
BUDGETS_USD: Final = (8.3e-5, 2.3e-4, 6.6e-4, 1.9e-3, 5.3e-3)
INVENTED_BUDGETS_USD: Final = (2e-4, 1e-3)
ANSWER_VALUE_USD: Final = 10.0
SERVICE, PEER, FIXED = "routeward", "paretobandit", "fixed:"
AFFORDABLE: Final = 1.01

Floats = NDArray[np.float64]
Figure = dict[str, object]
Results = Mapping[str, PolicyResult]


def played(world: World, budget_usd: float, options: argparse.Namespace) -> Results:
    """Run every policy on the same requests; show how far it is."""
    scenario = named(world, scenario_of("budget", Objective(ANSWER_VALUE_USD, 0.0), options.steps)).within(budget_usd)
    streams = [stream_of(world, scenario, seed, by_share=True) for seed in range(options.seeds)]
    variants = _paretobandit.VARIANTS if _paretobandit.is_installed() else ()
    tasks = [partial(service_choices, world, scenario, stream, ServiceSettings()) for stream in streams]
    peers = [partial(_paretobandit.choices, world, scenario, stream, one) for one in variants for stream in streams]
    with shown_progress(Console(stderr=True), f"{budget_usd:g} dollars per request") as progress:
        chosen = np.stack(run_all([*tasks, *peers], options.workers, progress))
    referee = Referee.of(world, scenario, streams)
    judged = [referee.judge(choices) for choices in chosen.reshape(-1, len(streams), scenario.steps)]
    results = {SERVICE: judged[0]}
    if variants:
        results[PEER] = max(judged[1:], key=lambda result: by_seed(result.quality, None).mean())
    for m, model in enumerate(world.models):
        results[FIXED + model.id] = referee.judge(np.full((len(streams), scenario.steps), m))
    return results


def by_seed(figures: Mapping[Phase, Score], phase: Phase | None) -> Floats:
    """Return the figure of each seed in a phase, or in the mean of all of them."""
    values = [np.array(score.by_seed) for one, score in figures.items() if phase in (None, one)]
    mean: Floats = np.mean(values, axis=0)
    return mean


def figures_of(results: Results, budget_usd: float) -> Iterator[Figure]:
    for phase in [*results[SERVICE].quality, None]:
        where = f"{budget_usd:g} dollars, {phase.name if phase else 'whole run'}"
        for policy in (SERVICE, PEER):
            if policy in results:
                yield from policy_figures(f"{policy}, {where}", results[policy], phase, budget_usd)
        yield from rivals(results, phase, where, budget_usd)


def policy_figures(where: str, result: PolicyResult, phase: Phase | None, budget_usd: float) -> Iterator[Figure]:
    share = by_seed(result.spend_usd, phase) / budget_usd
    yield from mean_figures(f"share of the budget, {where}", share, "budgets")
    yield {"name": f"largest share of the budget of a seed, {where}", "value": round(share.max(), 4), "unit": "budgets"}
    yield from mean_figures(f"reward, {where}", by_seed(result.quality, phase), "quality")


def rivals(results: Results, phase: Phase | None, where: str, budget_usd: float) -> Iterator[Figure]:
    """What the service's reward is ahead of its rivals', paired by seed."""
    own = by_seed(results[SERVICE].quality, phase)
    if PEER in results:
        yield from mean_figures(f"lead over {PEER}, {where}", own - by_seed(results[PEER].quality, phase), "quality")
    affordable = [
        by_seed(result.quality, phase)
        for name, result in results.items()
        if name.startswith(FIXED) and by_seed(result.spend_usd, phase).mean() <= AFFORDABLE * budget_usd
    ]
    if affordable:
        best = max(affordable, key=lambda quality: float(quality.mean()))
        yield from mean_figures(f"lead over the best fixed model of that cost, {where}", own - best, "quality")


def mean_figures(name: str, values: Floats, unit: str) -> Iterator[Figure]:
    yield {"name": name, "value": round(float(values.mean()), 4), "unit": unit}
    if len(values) > 1:
        error = float(values.std(ddof=1)) / len(values) ** 0.5
        yield {"name": f"{name}: standard error", "value": round(error, 4), "unit": unit}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Measure how closely budgets are kept.")
    parser.add_argument("--data", type=Path, help=f"folder with {TABLE}")
    parser.add_argument("--steps", type=int, default=4500, help="default: %(default)s")
    parser.add_argument("--seeds", type=int, default=16, help="default: %(default)s")
    parser.add_argument("--budgets", type=float, nargs="+", help="dollars per request")
    parser.add_argument("--workers", type=int, default=0, help="processes; 0 is one per core")
    options = parser.parse_args(arguments)
    world = world_of(read_outcomes(options.data / TABLE), MODELS) if options.data else world_of(generate(0))
    budgets = options.budgets or (BUDGETS_USD if options.data else INVENTED_BUDGETS_USD)
    figures = [figure for budget in budgets for figure in figures_of(played(world, budget, options), budget)]
    command = f"{COMMAND} --data DATA" if options.data else COMMAND
    print(json.dumps([{**figure, "command": command} for figure in figures], indent=1))


if __name__ == "__main__":
    main()
