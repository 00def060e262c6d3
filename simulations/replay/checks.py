"""How far a replay can be trusted: each check is green, amber or red, and says why."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from simulations.replay.bands import PolicyBands
from simulations.replay.course import Stage
from simulations.replay.figures import LEARNER
from simulations.replay.stage import Cuts
from simulations.replay.tapes import LEAST

Status = Literal["green", "amber", "red"]

RESAMPLED: Final = (0.5, 0.9)
THIN: Final = (0.01, 0.05)
BORROWED: Final = (0.1, 0.5)
UNVALUED: Final = (0.01, 0.1)
UNJUDGED: Final = (0.5, 0.99)
UNSEEN: Final = (0.0, 0.05)
"""From where on a share is amber, and red."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: a share, the limits from which on it is amber and red, and what it means."""

    name: str
    status: Status
    value: float
    limits: tuple[float, float]
    says: str


def checks_of(stage: Stage, cuts: Cuts, policies: Mapping[str, PolicyBands]) -> tuple[Check, ...]:
    """Return what may spoil the figures of the learner."""
    return tuple(_checks(stage, cuts, policies))


def worst(checks: tuple[Check, ...]) -> Status:
    """Return the worst status."""
    order: tuple[Status, ...] = ("green", "amber", "red")
    return max((check.status for check in checks), key=order.index, default="green")


def _checks(stage: Stage, cuts: Cuts, policies: Mapping[str, PolicyBands]) -> Iterator[Check]:
    asked, figures = stage.asked, {name: float(band.mean) for name, band in policies[LEARNER].figures.items()}
    judged = float(np.isfinite(stage.traffic.quality).mean())
    pairs = len(asked.models) * len(stage.traffic.categories)
    for name, value, limits, says in (
        ("resampled", figures["resampled"], RESAMPLED, "of the outcomes were played before: their tape was dry"),
        ("thin tapes", _thin(stage, policies), THIN, f"of the requests went to models with under {LEAST} outcomes"),
        ("borrowed", figures["borrowed"], BORROWED, "of the outcomes are of another time or prompt size"),
        ("unvalued", 1.0 - figures["valued"], UNVALUED, "of the outcomes have no value that is known"),
        ("unjudged", 1.0 - judged, UNJUDGED, "of the calls were not judged; the mean of their tape stands in"),
        ("unseen", len(asked.unseen) / pairs, UNSEEN, "of models times categories have no outcome: not offered"),
    ):
        yield _share(name, value, limits, says)
    if cuts.leanings:
        strongest = cuts.leanings[0]
        text = (
            f"is how much more often {strongest.model} served large prompts of {strongest.category} than small ones: "
            "tapes are cut by prompt size there"
        )
        yield Check("contextual logger", "amber", abs(strongest.share), (0.05, 1.0), text)


def _thin(stage: Stage, policies: Mapping[str, PolicyBands]) -> float:
    """Return the share of requests that went to models with too few outcomes in the category, all times together."""
    traffic = stage.traffic
    outcomes = np.zeros((len(traffic.categories), len(traffic.models)))
    np.add.at(outcomes, (traffic.category[~traffic.forced], traffic.model[~traffic.forced]), 1)
    counts = policies[LEARNER].counts
    return float(counts[outcomes < LEAST].sum() / counts.sum()) if counts.sum() else 0.0


def _share(name: str, value: float, limits: tuple[float, float], says: str) -> Check:
    amber, red = limits
    value = 1.0 if np.isnan(value) else value
    status: Status = "red" if value > red else "amber" if value > amber else "green"
    return Check(name, status, value, limits, f"{value:.1%} {says}")
