"""How well the service learns, against the best tuned bandit on one scalar.

With `--data FOLDER` on `bfcl_dev.parquet`, for one named pool of ten models and seven drawn by seed: stationary, with
three objectives in one stream, and with quality judged on one answer in fifty. Without it on invented tables, which say
less. Scores: 0 is random, 100 the best model of each category. Standard errors are over seeds, of paired differences.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from bandit.request import Objective
from simulations.compare import Comparison, compare
from simulations.generator import generate
from simulations.outcomes import Outcomes, read_outcomes
from simulations.progress import shown_progress
from simulations.scenario import scenario_of
from simulations.service import ServiceSettings
from simulations.world import world_of

COMMAND: Final = "python -m benchmarks.learning"
TABLE: Final = "bfcl_dev.parquet"
NAMED: Final = (
    "claude-3-5-sonnet-20240620",
    "gemini-1.5-flash-preview-0514",
    "yi-large-fc",
    "gpt-4o-2024-05-13-FC",
    "claude-3-sonnet-20240229",
    "claude-instant-1.2",
    "mistral-medium-2312",
    "gpt-4-0125-preview",
    "claude-3-haiku-20240307",
    "gemini-1.5-pro-preview-0514",
)
POOL_SEEDS: Final = (1, 2, 3, 4, 5, 6, 7)
POOL_SIZE: Final = 10
INVENTED_SEEDS: Final = (0, 1, 2, 3)
SERVICE, RIVAL = "routeward", "gaussian-ts-tuned"
CASES: Final[Mapping[str, tuple[str, float | None]]] = {
    "stationary": ("stationary", None),
    "profiles": ("profiles", None),
    "feedback on 2 %": ("sparse", 0.02),
}
"""Scenario and share of answers judged, None as the scenario has it."""

Floats = NDArray[np.float64]
Figure = dict[str, object]


def drawn_pool(models: Sequence[str], seed: int) -> tuple[str, ...]:
    """Draw ten models by seed."""
    places = np.random.default_rng(seed).choice(len(models), POOL_SIZE, replace=False)
    return tuple(sorted(models[place] for place in places.tolist()))


def measured(outcomes: Outcomes, models: Sequence[str], case: str, options: argparse.Namespace) -> Comparison:
    """Run every policy; show how long it took."""
    began = time.perf_counter()
    scenario, share = CASES[case]
    with shown_progress(Console(stderr=True), f"{case}, {len(models) or 'all'} models") as progress:
        comparison = compare(
            world_of(outcomes, models),
            scenario_of(scenario, Objective(), options.steps).reporting(None, share),
            range(options.seeds),
            ServiceSettings(),
            progress=progress,
        )
    print(f"    {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return comparison


def seed_scores(comparison: Comparison, policy: str) -> Floats:
    return np.array(comparison.policies[policy].score.by_seed)


def score_figures(where: str, comparison: Comparison) -> Iterator[Figure]:
    for policy in (SERVICE, RIVAL, "gaussian-ts", "beta-ts-tuned", "beta-ts", "ucb1"):
        yield from mean_figures(f"score of {policy}, {where}", seed_scores(comparison, policy))
    best = max(
        (name for name in comparison.policies if name.startswith("fixed:")), key=lambda name: score(comparison, name)
    )
    yield from mean_figures(f"score of the best fixed model, {where}", seed_scores(comparison, best))


def score(comparison: Comparison, policy: str) -> float:
    return float(seed_scores(comparison, policy).mean())


def mean_figures(name: str, by_seed: Floats) -> Iterator[Figure]:
    yield {"name": name, "value": round(float(by_seed.mean()), 2), "unit": "points"}
    if len(by_seed) > 1:
        error = float(by_seed.std(ddof=1)) / len(by_seed) ** 0.5
        yield {"name": f"{name}: standard error", "value": round(error, 2), "unit": "points"}


def lead(comparisons: Sequence[Comparison]) -> Floats:
    """What the service is ahead of its rival, mean of the comparisons; one number per seed."""
    leads: Floats = np.mean([seed_scores(one, SERVICE) - seed_scores(one, RIVAL) for one in comparisons], axis=0)
    return leads


def on_real_table(options: argparse.Namespace) -> Iterator[Figure]:
    outcomes = read_outcomes(options.data / TABLE)
    pools: Mapping[str, tuple[str, ...]] = {
        "named pool": NAMED,
        **{f"pool {seed}": drawn_pool(outcomes.models, seed) for seed in POOL_SEEDS},
    }
    for case in options.only or CASES:
        by_pool = {where: measured(outcomes, models, case, options) for where, models in pools.items()}
        for where, comparison in by_pool.items():
            yield from score_figures(f"{case}, {where}", comparison)
        yield from mean_figures(f"lead over {RIVAL}, {case}, eight pools", lead([*by_pool.values()]))


def on_invented_tables(options: argparse.Namespace) -> Iterator[Figure]:
    comparisons = [measured(generate(seed), (), "stationary", options) for seed in INVENTED_SEEDS]
    for seed, comparison in zip(INVENTED_SEEDS, comparisons, strict=True):
        yield from score_figures(f"stationary, invented table {seed}", comparison)
    yield from mean_figures(f"lead over {RIVAL}, stationary, invented tables", lead(comparisons))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning", description="Measure learning.")
    parser.add_argument("--data", type=Path, help=f"folder with {TABLE}")
    parser.add_argument("--steps", type=int, default=4500, help="default: %(default)s")
    parser.add_argument("--seeds", type=int, default=4, help="default: %(default)s")
    parser.add_argument("--only", action="append", metavar="CASE", choices=[*CASES], help="may be repeated")
    options = parser.parse_args()
    figures = on_real_table(options) if options.data else on_invented_tables(options)
    command = f"{COMMAND} --data DATA" if options.data else COMMAND
    print(json.dumps([{**figure, "command": command} for figure in figures], indent=1))


if __name__ == "__main__":
    main()
