"""From a log to a stage: buckets of time, classes of size, tapes, lessons, requests and worth."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from bandit.catalogue import Prices
from simulations.parallel import Progress, unwatched
from simulations.replay.asked import Asked
from simulations.replay.contextual import Leaning, leanings, size_classes
from simulations.replay.course import Stage
from simulations.replay.lessons import Lessons, quality_sources
from simulations.replay.offer import Learner
from simulations.replay.tapes import LEAST, Places, Tapes
from simulations.replay.traffic import Traffic
from simulations.replay.worth import Worth

Ints = NDArray[np.int64]

Drift = Literal["auto", "hour", "day", "none"]
HOUR_US: Final = 3_600_000_000
_WIDTHS_US: Final[Mapping[str, int]] = {"hour": HOUR_US, "day": 24 * HOUR_US}


@dataclass(frozen=True, slots=True)
class Cuts:
    """How tapes were cut: by which buckets of time, and where by size because the logger looked at that."""

    drift: Drift
    leanings: tuple[Leaning, ...]


def stage_of(
    traffic: Traffic,
    learner: Learner,
    logged: Mapping[str, Prices],
    *,
    drift: Drift = "auto",
    progress: Progress = unwatched,
) -> tuple[Stage, Cuts]:
    """Make a log ready to be replayed by a learner; `logged` are the prices that the log was paid at."""
    classes = size_classes(traffic)
    leaning = tuple(leanings(traffic, classes))
    contextual = np.isin(traffic.categories, [one.category for one in leaning])
    size = np.where(contextual[traffic.category], classes, 0)
    cut = finest(traffic) if drift == "auto" else drift
    places = Places.of(_buckets(traffic, cut), size)
    tapes = Tapes.of_traffic(traffic, places)
    learner = replace(learner, inference=replace(learner.inference, quality_sources=quality_sources(traffic)))
    prices = dict(logged) | {model.id: model.prices for model in learner.models}
    stage = Stage(
        traffic=traffic,
        places=places,
        tapes=tapes,
        lessons=Lessons.of(traffic, progress),
        asked=Asked.of(traffic, tapes, learner),
        worth=Worth.of(traffic, places, prices, logged),
        learner=learner,
    )
    return stage, Cuts(cut, leaning)


def _buckets(traffic: Traffic, drift: Drift) -> Ints:
    width_us = _WIDTHS_US.get(drift)
    return np.zeros(len(traffic), np.int64) if width_us is None else traffic.time_us // width_us


def finest(traffic: Traffic) -> Drift:
    """Return the finest buckets, at least two, in which most models still have tapes of their own."""
    cell = traffic.category * len(traffic.models) + traffic.model
    cells = len(np.unique(cell))
    finest: tuple[Drift, ...] = ("hour", "day")
    for drift in finest:
        bucket = _buckets(traffic, drift)
        buckets = len(np.unique(bucket))
        _, counts = np.unique(np.stack([cell, bucket]), axis=1, return_counts=True)
        if buckets > 1 and (counts >= LEAST).sum() > cells * buckets / 2:
            return drift
    return "none"
