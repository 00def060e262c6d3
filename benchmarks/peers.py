"""The service beside other people's bandits and routers, on the same requests.

With `--data FOLDER` on the named pool of `bfcl_dev.parquet`, without it on an invented table, which says less. Each
peer runs as documented and, `-tuned`, with the best of a small grid of settings on these very requests; the service has
one setting for everything. Scores: 0 is random, 100 the best model of each category. Standard errors are over
seeds, those of leads of paired differences.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console

from bandit.request import Objective
from benchmarks.learning import NAMED, TABLE, Figure, mean_figures, score, seed_scores
from simulations.compare import Comparison, compare
from simulations.generator import generate
from simulations.outcomes import read_outcomes
from simulations.peers.kinds import PEERS
from simulations.progress import shown_progress
from simulations.scenario import scenario_of
from simulations.service import ServiceSettings
from simulations.world import World, world_of

SCENARIOS: Final = (
    "stationary",
    "profiles",
    "quality-drop",
    "outage",
    "latency-spike",
    "price-change",
    "model-added",
    "category-added",
    "delayed",
    "sparse",
)
STEPS: Final = 4500
INVENTED_STEPS: Final = 1200
SERVICE: Final = "routeward"
BEST_FIXED: Final = "best fixed model"
REACTIONS: Final = {
    "halved_after": "requests until halved",
    "moved_after": "requests until moved",
    "half_of_final_share_after": "requests until adopted",
}
"""Figures of an event, and what they are called; smaller is better."""


def measured(world: World, scenario: str, options: argparse.Namespace) -> Comparison:
    """Run every policy; show how far it has come."""
    with shown_progress(Console(stderr=True), scenario) as progress:
        return compare(
            world,
            scenario_of(scenario, Objective(), options.steps),
            range(options.seeds),
            ServiceSettings(),
            peers=PEERS,
            workers=options.workers,
            progress=progress,
        )


def with_the_best_fixed_model(found: Comparison) -> Comparison:
    """Keep of the fixed models the one that is best in hindsight."""
    fixed = max((name for name in found.policies if name.startswith("fixed:")), key=lambda name: score(found, name))
    kept = {name: result for name, result in found.policies.items() if not name.startswith("fixed:")}
    return replace(found, policies=kept | {BEST_FIXED: found.policies[fixed]})


def scenario_figures(scenario: str, found: Comparison) -> Iterator[Figure]:
    for policy, result in found.policies.items():
        parts = {"all": result.score} | {phase.name: part for phase, part in result.phases.items()}
        for part, part_score in parts.items():
            yield from mean_figures(f"score of {policy}, {scenario}, {part}", np.array(part_score.by_seed))
        for event in result.events:
            for key, name in REACTIONS.items():
                if (requests := event.figures.get(key)) is not None:
                    yield {"name": f"{name} of {policy}, {scenario}", "value": requests, "unit": "requests"}
        if policy != SERVICE:
            leads = seed_scores(found, SERVICE) - seed_scores(found, policy)
            yield from mean_figures(f"lead over {policy}, {scenario}", leads)


def setting_figures(scenario: str, found: Comparison) -> Iterator[Figure]:
    chosen = {name: {"multiplier": value} for name, value in found.multipliers.items()} | dict(found.peer_settings)
    for policy, settings in chosen.items():
        for setting, value in settings.items():
            yield {"name": f"{setting} of {policy}, {scenario}", "value": float(value), "unit": "setting"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description="Measure beside others.")
    parser.add_argument("--data", type=Path, help=f"folder with {TABLE}")
    parser.add_argument("--steps", type=int, help=f"default: {STEPS}, on an invented table {INVENTED_STEPS}")
    parser.add_argument("--seeds", type=int, default=5, help="default: %(default)s")
    parser.add_argument(
        "--scenarios", nargs="+", choices=SCENARIOS, default=SCENARIOS, metavar="NAME", help="of %(choices)s"
    )
    parser.add_argument("--workers", type=int, default=0, help="processes; 0 is one per core")
    options = parser.parse_args()
    options.steps = options.steps or (STEPS if options.data else INVENTED_STEPS)
    world = world_of(read_outcomes(options.data / TABLE), NAMED) if options.data else world_of(generate(0))
    figures: list[Figure] = []
    for scenario in options.scenarios:
        found = with_the_best_fixed_model(measured(world, scenario, options))
        figures += [*scenario_figures(scenario, found), *setting_figures(scenario, found)]
    data = " --data DATA" if options.data else ""
    command = f"python -m benchmarks.peers{data} --steps {options.steps} --seeds {options.seeds}"
    print(json.dumps([{**figure, "command": command} for figure in figures], indent=1))


if __name__ == "__main__":
    main()
