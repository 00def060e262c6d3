"""Runs every policy through the same requests."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulations.baselines import BetaThompson, GaussianThompson, ScalarBandit, Ucb1
from simulations.parallel import Progress, run_all, unwatched
from simulations.regimes import Regime, places, regimes_of
from simulations.results import PolicyResult, Referee
from simulations.rewards import Rewards
from simulations.roles import named
from simulations.scenario import Scenario
from simulations.service import ServiceSettings, service_choices
from simulations.stream import Stream, stream_of
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
    asked = named(world, scenario)
    streams = [stream_of(world, asked, seed, by_share=by_share) for seed in seeds]
    referee = Referee.of(world, asked, streams)
    rewards = Rewards.of(world, asked, streams)
    bandits = [partial(_bandit_choices, name, rewards, len(world.categories), seeds) for name in BANDITS]
    services = [partial(service_choices, world, asked, stream, service) for stream in streams]
    chosen = run_all([*bandits, *services], workers, progress)

    policies = {"routeward": referee.judge(np.stack(chosen[len(BANDITS) :]))}
    policies |= {name: referee.judge(choices) for name, choices in _unlearning(world, asked, streams)}
    multipliers = {}
    for name, variants in zip(BANDITS, chosen, strict=False):
        results = [referee.judge(choices) for choices in variants]
        policies[name] = results[0]
        if len(results) > 1:
            best = max(range(len(results)), key=lambda v: results[v].score.mean or 0.0)
            policies[f"{name}-tuned"] = results[best]
            multipliers[f"{name}-tuned"] = BANDITS[name].multipliers[best]
    return Comparison(policies, multipliers)


def _bandit_choices(name: str, rewards: Rewards, categories: int, seeds: Sequence[int]) -> Ints:
    return BANDITS[name](categories, rewards.available.shape[1], seeds).choices(rewards)


def _unlearning(world: World, scenario: Scenario, streams: Sequence[Stream]) -> Iterator[tuple[str, Ints]]:
    """Yield random choice, and each fixed model; while that cannot be chosen, it is as good as random."""
    regimes = regimes_of(world, scenario)
    uniforms = np.stack([stream.uniforms for stream in streams])
    random = np.concatenate([_random(regime, uniforms[:, regime.start : regime.end]) for regime in regimes], axis=1)
    yield "random", random
    available = np.stack([regime.available for regime in regimes])[places(regimes)]
    for m, model in enumerate(world.models):
        yield f"fixed:{model.id}", np.where(available[:, m], m, random)


def _random(regime: Regime, uniforms: Floats) -> Ints:
    models = np.flatnonzero(regime.available)
    return models[(uniforms * len(models)).astype(np.int64)]
