from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from adapters.traffic.calls import Call, Calls
from adapters.traffic.log import CallLog, LogReport, Progress
from simulations.generator import MODELS
from simulations.logs.invented import InventedLog, LogSettings
from simulations.replay.course import Stage
from simulations.replay.offer import Learner, WhatIf, logged_prices, offered
from simulations.replay.stage import Drift, stage_of
from simulations.replay.traffic import traffic_of

HOUR_US = 3_600_000_000


class Invented:
    """An invented log, as a log."""

    def __init__(self, settings: LogSettings) -> None:
        self.inner = InventedLog(settings)
        self.report = LogReport("invented", used=settings.rows)

    def calls(self, progress: Progress | None = None) -> Iterator[Call]:
        raise NotImplementedError

    def batches(self, size: int = 1000, progress: Progress | None = None) -> Iterator[Calls]:  # noqa: ARG002
        return self.inner.batches(size)


@pytest.fixture(scope="session")
def invented() -> Callable[..., Invented]:
    """Four models in six categories; a day."""

    def log(rows: int = 600, **changes: object) -> Invented:
        settings = LogSettings(rows=rows, models=MODELS[:4], days=1.0, error_share=0.05, judged_share=0.7)
        return Invented(replace(settings, **changes))  # type: ignore[arg-type]

    return log


def staged(log: CallLog | Invented, learner: Learner | None = None, drift: Drift = "none") -> Stage:
    """Make a log ready, with the models of the log at its prices."""
    traffic = traffic_of(log)
    logged = logged_prices(traffic)
    learner = learner or Learner()
    stage, _ = stage_of(
        traffic, learner.offering(offered(traffic, learner.models, WhatIf(), logged)), logged, drift=drift
    )
    return stage


@pytest.fixture
def stage() -> Callable[..., Stage]:
    return staged
