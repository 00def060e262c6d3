"""What the guard promises, on requests played through the service's own core."""

import numpy as np
import pytest
from numpy.typing import NDArray

from bandit.modes import Mode
from bandit.request import Objective
from bandit.snapshot import PolicySettings
from simulations.generator import generate
from simulations.scenario import scenario_of
from simulations.service import ServiceSettings, service_choices
from simulations.stream import stream_of
from simulations.values import expected_values
from simulations.world import world_of

Floats = NDArray[np.float64]

ALPHA = 0.1
STEPS = 600
WORLD = world_of(generate(0))
SCENARIO = scenario_of("stationary", Objective(), STEPS)
VALUES = expected_values(WORLD, SCENARIO.objectives)[0]
MODELS = [model.id for model in WORLD.models]


def worth(baseline: str, guard: float, seed: int) -> tuple[Floats, Floats]:
    """Expected worth of what was played, and of the baseline, added up over the requests."""
    settings = PolicySettings(modes={"default": Mode(baseline=baseline, guard=guard)})
    stream = stream_of(WORLD, SCENARIO, seed)
    choices = service_choices(WORLD, SCENARIO, stream, ServiceSettings(policy=settings))
    played, safe = VALUES[stream.categories, choices], VALUES[stream.categories, MODELS.index(baseline)]
    return np.cumsum(played), np.cumsum(safe)


BEST = MODELS[int(VALUES.mean(axis=0).argmax())]
"""The baseline that exploring can only lose against, but for categories in which another is better."""


@pytest.mark.parametrize("seed", [1, 2])
def test_the_guarded_loss_against_the_best_baseline_stays_within_alpha_and_the_unguarded_does_not(seed: int) -> None:
    """Over 12 seeds the lowest worth relative to the baseline was .957 +- .008 with the guard, .844 +- .025 without:

    seven deviations above .9 and two below it. From seed to seed that fails in 1 of 100 cases; these seeds are fixed.
    """
    (guarded, safe), (free, _) = worth(BEST, ALPHA, seed), worth(BEST, 0.0, seed)
    assert (guarded / safe)[100:].min() >= 1.0 - ALPHA
    assert (free / safe)[100:].min() < 1.0 - ALPHA


def test_a_guard_does_not_keep_a_bad_baseline() -> None:
    """A cheap model of little skill: learning earns more than the baseline, though it begins with it."""
    played, safe = worth("open-8b", ALPHA, seed=1)
    assert played[-1] > 1.1 * safe[-1]
