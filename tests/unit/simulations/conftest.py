from collections.abc import Callable
from typing import Any

import pytest

from bandit.request import Objective
from simulations.outcomes import outcomes_of
from simulations.scenario import Scenario, scenario_of
from simulations.world import World, world_of

Cells = tuple[Any, ...]


@pytest.fixture
def rows() -> list[Cells]:
    """Two categories, two models: `dear` is always good, `cheap` only at chat. Prices 2 and 10, and 1 and 1 $/Mtok."""
    return [
        ("chat_1", "chat", "dear", 1, 0.030, 1000, 5000, 2000),
        ("chat_1", "chat", "cheap", 1, 0.006, 500, 4000, 2000),
        ("chat_2", "chat", "dear", 1, 0.020, 3000, 5000, 1000),
        ("chat_2", "chat", "cheap", 1, 0.007, 500, 6000, 1000),
        ("code_1", "code", "dear", 1, 0.040, 2000, 5000, 3000),
        ("code_1", "code", "cheap", 0, 0.008, 500, 5000, 3000),
        ("code_2", "code", "dear", 1, 0.030, 2000, 10000, 1000),
        ("code_2", "code", "cheap", 0, 0.011, 1500, 10000, 1000),
    ]


@pytest.fixture
def world(rows: list[Cells]) -> World:
    return world_of(outcomes_of(rows), ("dear", "cheap"))


@pytest.fixture
def scenario() -> Callable[[int], Scenario]:
    """An answer is worth a dollar, a second a cent: `dear` .955 at chat and .945 at code, `cheap` .9885 and -.0195."""
    return lambda steps: scenario_of("stationary", Objective(1.0, 0.01), steps)
