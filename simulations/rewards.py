"""What bandits on one scalar learn from: what each single answer is worth, and when they get to know."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from simulations.regimes import Regime, places, regimes_of
from simulations.scenario import Scenario
from simulations.stream import Stream
from simulations.values import rewards
from simulations.world import World

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SLANDERED: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class Rewards:
    """Rewards of N streams of T requests under O objectives, with P prompts, M models and R regimes.

    `worth` has shape (R, 3, O, P, M), NaN where anything that counts is unknown; the second axis tells answers that
    turned bad (1), which happens with probability `spoilage`, and what an attacker says (2) from others (0). `spoilage`
    and `available` have shape (R, M), `regimes` (T,), the other arrays (T, N). A reward is known `delay` requests after
    the decision.
    """

    worth: Floats
    spoilage: Floats
    available: Bools
    regimes: Ints
    categories: Ints
    prompts: Ints
    objectives: Ints
    luck: Floats
    judged: Bools
    attacks: Bools
    delay: int

    @classmethod
    def of(cls, world: World, scenario: Scenario, streams: Sequence[Stream]) -> Self:
        """Return the rewards of a run."""
        regimes = regimes_of(world, scenario)
        fields = "categories", "prompts", "objectives", "luck", "judged", "attacks"
        return cls(
            worth=np.stack([[rewards(one, scenario.objectives) for one in _as_told(regime)] for regime in regimes]),
            spoilage=np.stack([regime.spoilage for regime in regimes]),
            available=np.stack([regime.available for regime in regimes]),
            regimes=places(regimes),
            delay=scenario.quality_delay,
            **{name: np.stack([getattr(stream, name) for stream in streams], axis=1) for name in fields},
        )

    def of_quality(self, world: World, scenario: Scenario) -> Self:
        """Return the same run with the quality of answers as their worth."""
        qualities = [[one.quality for one in _as_told(regime)] for regime in regimes_of(world, scenario)]
        return replace(self, worth=np.broadcast_to(np.array(qualities)[:, :, None], self.worth.shape))

    def of_all_models(self, stream: int) -> Floats:
        """Return what each model's answer to each request of a stream would be worth, shape (T, M); NaN as in `at`."""
        models, regimes = np.arange(self.available.shape[1]), self.regimes[:, None]
        objectives, prompts = (field[:, stream, None] for field in (self.objectives, self.prompts))
        judged, attacks = (field[:, stream, None] for field in (self.judged, self.attacks))
        told = np.where(attacks, _SLANDERED, self.luck[:, stream, None] < self.spoilage[regimes, models])
        return np.where(judged | attacks, self.worth[regimes, told, objectives, prompts, models], np.nan)

    def at(self, step: int, models: Ints) -> Floats:
        """Return what the answers of these models are worth, shape (V, N); NaN where that is never known."""
        regime = self.regimes[step]
        attacks = self.attacks[step]
        told = np.where(attacks, _SLANDERED, self.luck[step] < self.spoilage[regime, models])
        worth = self.worth[regime, told, self.objectives[step], self.prompts[step], models]
        return np.where(self.judged[step] | attacks, worth, np.nan)


def _as_told(regime: Regime) -> tuple[World, World, World]:
    """Return what callers may be told of answers, in the order of the second axis of `Rewards.worth`."""
    return regime.world, regime.spoiled_world, regime.slandered_world
