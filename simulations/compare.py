"""Runs every policy through the same requests."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulations.baselines import BetaThompson, GaussianThompson, ScalarBandit, Ucb1
from simulations.events import FalseJudgements
from simulations.parallel import Progress, run_all, unwatched
from simulations.peers.kinds import PEERS, check_installed, trials_of
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
EXCLUDING: Final = "routeward-excluding"
"""Where there is an attacker: the service, whose operator excludes that rater when the attack ends."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Results by policy, and what each `-tuned` one was best with: an exploration multiplier, or a peer's settings."""

    policies: Mapping[str, PolicyResult]
    multipliers: Mapping[str, float]
    peer_settings: Mapping[str, Mapping[str, float]]


def compare(
    world: World,
    scenario: Scenario,
    seeds: Sequence[int],
    service: ServiceSettings,
    *,
    by_share: bool = False,
    peers: Collection[str] = (),
    workers: int = 0,
    progress: Progress = unwatched,
) -> Comparison:
    """Run the service, every baseline and these peers; neither `workers` nor `progress` changes the result.

    Raises UnknownOutcomesError where the world does not know what the scenario's objectives ask about, and
    MissingPeersError where the package of a peer is not installed.
    """
    check_installed(peers)
    asked = named(world, scenario)
    streams = [stream_of(world, asked, seed, by_share=by_share) for seed in seeds]
    referee = Referee.of(world, asked, streams)
    rewards = Rewards.of(world, asked, streams)
    trials = trials_of(peers, world, asked, streams)
    services = {"routeward": False}
    if any(isinstance(event, FalseJudgements) for event in asked.events):
        services[EXCLUDING] = True
    runs: list[Callable[[], Ints]] = [
        *(partial(_bandit_choices, name, rewards, len(world.categories), seeds) for name in BANDITS),
        *(
            partial(service_choices, world, asked, stream, service, excluding=excluding)
            for excluding in services.values()
            for stream in streams
        ),
        *(run for trial in trials for run in trial.runs),
    ]
    chosen = iter(run_all(runs, workers, progress))

    variants = {name: [referee.judge(choices) for choices in next(chosen)] for name in BANDITS}
    policies = {name: referee.judge(np.stack([next(chosen) for _ in streams])) for name in services}
    policies |= {name: referee.judge(choices) for name, choices in _unlearning(world, asked, streams)}
    for trial in trials:
        variants.setdefault(trial.peer, []).append(referee.judge(np.stack([next(chosen) for _ in streams])))
    policies |= {name: results[0] for name, results in variants.items()}
    best = {name: _best(results) for name, results in variants.items() if len(results) > 1}
    policies |= {f"{name}-tuned": variants[name][place] for name, place in best.items()}
    return Comparison(
        policies,
        {f"{name}-tuned": BANDITS[name].multipliers[best[name]] for name in BANDITS if name in best},
        {f"{name}-tuned": PEERS[name].settings[best[name]]._asdict() for name in peers},
    )


def _best(results: Sequence[PolicyResult]) -> int:
    return max(range(len(results)), key=lambda v: results[v].score.mean or 0.0)


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
