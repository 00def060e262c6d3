"""Runs every policy through the same requests."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulations.baselines import BetaThompson, GaussianThompson, ScalarBandit, Ucb1
from simulations.parallel import Progress, run_all, unwatched
from simulations.results import PolicyResult, Referee
from simulations.scenario import Scenario
from simulations.service import ServiceSettings, service_choices
from simulations.stream import Stream, stream_of
from simulations.values import expected_values, rewards
from simulations.world import World

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BANDITS: Final[Mapping[str, type[ScalarBandit]]] = {
    "beta-ts": BetaThompson,
    "gaussian-ts": GaussianThompson,
    "ucb1": Ucb1,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Results by policy, and the exploration multiplier that each `-tuned` one was best with."""

    policies: Mapping[str, PolicyResult]
    multipliers: Mapping[str, float]


def compare(
    world: World,
    scenario: Scenario,
    seeds: Sequence[int],
    service: ServiceSettings,
    *,
    by_share: bool = False,
    workers: int = 0,
    progress: Progress = unwatched,
) -> Comparison:
    """Run the service and every baseline; neither `workers` nor `progress` changes the result.

    Raises UnknownOutcomesError where the world does not know what the scenario's objectives ask about.
    """
    values = expected_values(world, scenario.objectives)
    worth = rewards(world, scenario.objectives)
    streams = [stream_of(world, scenario, seed, by_share=by_share) for seed in seeds]
    bandits = [partial(_bandit_choices, name, worth, len(world.categories), streams) for name in BANDITS]
    services = [partial(service_choices, world, scenario, stream, service) for stream in streams]
    chosen = run_all([*bandits, *services], workers, progress)

    referee = Referee.of(values, [model.id for model in world.models], scenario.phases, streams)
    policies = {"routeward": referee.judge(np.stack(chosen[len(BANDITS) :]))}
    policies |= {name: referee.judge(choices) for name, choices in _unlearning(world, streams)}
    multipliers = {}
    for name, variants in zip(BANDITS, chosen, strict=False):
        results = [referee.judge(choices) for choices in variants]
        policies[name] = results[0]
        if len(results) > 1:
            best = max(range(len(results)), key=lambda v: results[v].score.mean or 0.0)
            policies[f"{name}-tuned"] = results[best]
            multipliers[f"{name}-tuned"] = BANDITS[name].multipliers[best]
    return Comparison(policies, multipliers)


def _bandit_choices(name: str, worth: Floats, categories: int, streams: Sequence[Stream]) -> Ints:
    return BANDITS[name](categories, worth.shape[2], streams).choices(worth, streams)


def _unlearning(world: World, streams: Sequence[Stream]) -> Iterator[tuple[str, Ints]]:
    """Yield random choice, and each fixed model."""
    uniforms = np.stack([stream.uniforms for stream in streams])
    yield "random", (uniforms * len(world.models)).astype(np.int64)
    for m, model in enumerate(world.models):
        yield f"fixed:{model.id}", np.full(uniforms.shape, m)
