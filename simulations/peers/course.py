"""What a peer is asked and told over a run, and the loop that asks and tells it."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from bandit.catalogue import Model
from simulations.baselines import scaled_to_unit
from simulations.errors import PeerError
from simulations.regimes import regimes_of
from simulations.rewards import Rewards
from simulations.scenario import Scenario
from simulations.stream import Stream
from simulations.world import World

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ticket = TypeVar("Ticket")


class Peer(Protocol[Ticket]):
    """Somebody else's bandit. Models are places in the catalogue, tasks pairs of a category and an objective."""

    def offer(self, models: Sequence[Model]) -> None:
        """Take in the catalogue, at the start and whenever it changes; only enabled models can be chosen."""

    def choose(self, category: int, objective: int) -> tuple[int, Ticket]:
        """Return the model for a request, and what `learn` needs to know of this decision."""

    def learn(self, ticket: Ticket, reward: float) -> None:
        """Take in the reward of a decision, in [0, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """One stream of T requests: `asked` (T, 2) holds category and objective, each below its number in `sizes`.

    `told` (T, M) is what the answer of each model would be worth, scaled to [0, 1], or its quality; NaN is never known.
    The catalogue of a request is `offers[regimes[t]]`, and its reward is known `delay` requests after the decision.
    """

    seed: int
    sizes: tuple[int, int]
    asked: Ints
    told: Floats
    offers: tuple[tuple[Model, ...], ...]
    regimes: Ints
    delay: int

    @property
    def tasks(self) -> int:
        """How many pairs of a category and an objective there are."""
        return self.sizes[0] * self.sizes[1]

    def task(self, category: int, objective: int) -> int:
        """Return the number of a pair, for bandits that take one context."""
        return category * self.sizes[1] + objective


def courses_of(world: World, scenario: Scenario, streams: Sequence[Stream], *, quality: bool) -> list[Course]:
    """Return what peers meet in each stream; with `quality` they are told that alone instead of worth."""
    rewards = Rewards.of(world, scenario, streams)
    if quality:
        rewards = rewards.of_quality(world, scenario)
    offers = tuple(regime.world.models for regime in regimes_of(world, scenario))
    return [
        Course(
            seed=stream.seed,
            sizes=(len(world.categories), len(scenario.objectives)),
            asked=np.stack([stream.categories, stream.objectives], axis=1),
            told=rewards.of_all_models(n) if quality else scaled_to_unit(rewards.of_all_models(n)),
            offers=offers,
            regimes=rewards.regimes,
            delay=rewards.delay,
        )
        for n, stream in enumerate(streams)
    ]


def played(peer: Peer[Ticket], course: Course) -> Ints:
    """Return the peer's choices, shape (T,). Raises PeerError where it chooses a model that cannot be chosen."""
    chosen: list[int] = []
    outstanding: deque[Ticket] = deque()
    for step, (regime, asked) in enumerate(zip(course.regimes.tolist(), course.asked.tolist(), strict=True)):
        if step == 0 or regime != course.regimes[step - 1]:
            peer.offer(course.offers[regime])
        model, ticket = peer.choose(*asked)
        if not course.offers[regime][model].enabled:
            raise PeerError(f"{type(peer).__name__} chose {course.offers[regime][model].id}, which cannot be chosen")
        chosen.append(model)
        outstanding.append(ticket)
        known = step - course.delay
        if known >= 0:
            ticket, reward = outstanding.popleft(), float(course.told[known, chosen[known]])
            if np.isfinite(reward):
                peer.learn(ticket, reward)
    return np.array(chosen)
