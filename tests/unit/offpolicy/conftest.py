from dataclasses import replace

import numpy as np
import pytest

from adapters.traffic.calls import Calls
from simulations.generator import MODELS, TASKS
from simulations.logs.invented import InventedLog, LogSettings

SETTINGS = LogSettings(rows=1500, seed=5, logger="thompson", models=MODELS[:4], tasks=TASKS[:3], session_length=2)


@pytest.fixture(scope="session")
def log() -> InventedLog:
    return InventedLog(SETTINGS)


@pytest.fixture(scope="session")
def calls(log: InventedLog) -> Calls:
    """A learning logger's calls: a third is not judged, some lack a cost or a propensity, some were forced."""
    [calls] = log.batches(SETTINGS.rows)
    rng = np.random.default_rng(3)
    unknown = rng.random((4, SETTINGS.rows))
    return replace(
        calls,
        quality=np.where(unknown[0] < 0.33, np.nan, calls.quality),
        cost_usd=np.where(unknown[1] < 0.1, np.nan, calls.cost_usd),
        kind=np.where(unknown[2] < 0.02, 3, calls.kind),
        propensity=np.where(unknown[3] < 0.02, np.nan, calls.propensity),
    )


def part(calls: Calls, first: int, last: int) -> Calls:
    """Some rows of a batch."""
    columns = {
        name: getattr(calls, name)[first:last]
        for name in Calls.__dataclass_fields__
        if name not in ("categories", "models", "probabilities")
    }
    return replace(calls, **columns)


@pytest.fixture(scope="session")
def uniform() -> Calls:
    """A uniform logger's calls, all judged."""
    settings = LogSettings(rows=6000, seed=8, models=MODELS[:4], tasks=TASKS[:3])
    [calls] = InventedLog(settings).batches(settings.rows)
    return calls
