"""What is believed before anything was observed, and how fast observations are forgotten."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from bandit.errors import OutOfRangeError
from bandit.evidence import Signal

ANY_SOURCE: Final = "any"
FUSED_PREFIX: Final = "thumb+"
"""A source of quality "thumb+score:<name>" joins thumbs and a judge's scores (`bandit.fusion`)."""

KNOWLEDGE_CAP: Final = 20.0
"""Observations that what an operator knows is worth at most; beyond it, a wrong prior takes long to wash out."""


@dataclass(frozen=True, slots=True)
class BetaPrior:
    """Belief about a rate in [0, 1], worth `weight` observations of it."""

    mean: float
    weight: float


@dataclass(frozen=True, slots=True)
class NormalPrior:
    """Belief about a mean, and about the variance of single observations around it.

    `spread` is the expected variance of single observations, worth `spread_weight` observations; it never
    falls below `spread_floor`.
    """

    mean: float
    variance: float
    spread: float
    spread_weight: float = 8.0
    spread_floor: float = 1e-4


@dataclass(frozen=True, slots=True)
class ModelPrior:
    """What an operator knows of a model, in every category; None is unknown.

    `quality` (0.01 to 0.99) is worth `quality_weight` observations (1 to 20). Typical `latency_s` (0.001 to 3,600)
    and `output_tokens` (1 to 1e8) are worth one observation, because categories differ; `error_rate` (0.0001 to
    0.9) is worth two. Raises OutOfRangeError.
    """

    quality: float | None = None
    quality_weight: float = 5.0
    latency_s: float | None = None
    output_tokens: float | None = None
    error_rate: float | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in MODEL_PRIOR_RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise OutOfRangeError(f"{name} of a model's prior is {value:g}; give {low:g} to {high:g}")


MODEL_PRIOR_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "quality": (0.01, 0.99),
    "quality_weight": (1.0, KNOWLEDGE_CAP),
    "latency_s": (1e-3, 3600.0),
    "output_tokens": (1.0, 1e8),
    "error_rate": (1e-4, 0.9),
}


class PastCell(NamedTuple):
    """What earlier logs say of a signal of a model in a category.

    `mean` is that of the signal (a rate, or a mean of logarithms), worth `weight` > 0 observations.
    """

    category: str
    model: str
    signal: Signal
    mean: float
    weight: float


@dataclass(frozen=True, slots=True)
class ShiftSettings:
    """How the levels of a signal lie, and how readily they are believed (`bandit.shifts`).

    `levels` are offsets from the usual mean, or for errors rates. Far ones are unlikely beforehand: a level weighs as
    a normal density with deviation `deviation` does. `caution` divides the evidence, which observations of one
    incident share. The variance of single observations is taken for at least `least_spread` and at most
    `largest_spread`: an incident inflates it, and few observations may understate it.
    """

    levels: tuple[float, ...]
    deviation: float
    caution: float
    least_spread: float = 0.03
    largest_spread: float = 1.0


@dataclass(frozen=True, slots=True)
class ChangeSettings:
    """How long a model stays at its usual level, and at another one: in seconds, but at least so many requests.

    Requests are those of the whole namespace.
    """

    onset_s: float = 400_000.0
    onset_requests: float = 400_000.0
    recovery_s: float = 500.0
    recovery_requests: float = 100.0


def _default_shifts() -> Mapping[Signal, ShiftSettings]:
    falls = (-0.08, -0.16, -0.25, -0.35, -0.45, -0.55, -0.65, -0.8)
    rises = (0.08, 0.16, 0.25, 0.35, 0.5, 0.65)
    faster, slower = (-2.6, -1.9, -1.3, -0.8, -0.4), (0.4, 0.8, 1.2, 1.6, 2.0, 2.4, 2.8, 3.3, 4.0)
    return {
        "quality": ShiftSettings((*falls, *rises), deviation=0.35, caution=1.2),
        "latency": ShiftSettings((*faster, *slower), deviation=1.6, caution=2.0, largest_spread=0.6),
        "error": ShiftSettings((0.05, 0.2, 0.5, 0.9), deviation=1.0, caution=1.2),
    }


@dataclass(frozen=True, slots=True)
class InferenceSettings:
    """Settings of `infer`.

    `thumbs` and `scores` are priors of quality from 0/1 thumbs and from graded scores. `quality_sources`
    names, per category ("default" stands for those it does not name), which source of quality counts: "thumb",
    "score:<name>", "any", or "thumb+score:<name>", where a judge is believed up to a bias per category (deviation
    `judge_bias`) and an error of its own per model and category (deviation `judge_delta`). Half-lives are in seconds,
    infinite where a signal is not named.

    An operator's knowledge replaces or feeds these priors, and is worth at most `knowledge_cap` observations in any
    cell: `models` by model id, `prior_from` names the category that another one starts from, whose posterior is worth
    `prior_from_weight` observations at most, and `warm_start` holds what earlier logs say. It is left by half for
    every `knowledge_half_life` observations of a signal in a category, whatever the models; logs last ten times longer.

    `shifts` are the signals whose levels may change, `change` says how fast. `credits_quality` and
    `borrows_quality` let prior means of quality owe something to other cells (`bandit.borrowing`).
    """

    thumbs: BetaPrior = BetaPrior(mean=0.85, weight=2.0)
    scores: NormalPrior = NormalPrior(mean=0.85, variance=0.1, spread=0.15)
    error: BetaPrior = BetaPrior(mean=0.02, weight=2.0)
    latency: NormalPrior = NormalPrior(mean=math.log(2.0), variance=1.5, spread=0.25, spread_floor=1e-3)
    first_token: NormalPrior = NormalPrior(mean=math.log(0.5), variance=1.5, spread=0.25, spread_floor=1e-3)
    output_tokens: NormalPrior = NormalPrior(mean=math.log(200.0), variance=2.0, spread=0.1, spread_floor=1e-3)
    input_ratio: NormalPrior = NormalPrior(mean=0.0, variance=0.1, spread=0.02, spread_floor=1e-4)
    quality_sources: Mapping[str, str] = field(default_factory=dict)
    half_lives_s: Mapping[Signal, float] = field(default_factory=dict)
    models: Mapping[str, ModelPrior] = field(default_factory=dict)
    prior_from: Mapping[str, str] = field(default_factory=dict)
    warm_start: tuple[PastCell, ...] = ()
    knowledge_cap: float = KNOWLEDGE_CAP
    prior_from_weight: float = 3.0
    knowledge_half_life: float = 20.0
    judge_bias: float = 0.15
    judge_delta: float = 0.05
    shifts: Mapping[Signal, ShiftSettings] = field(default_factory=_default_shifts)
    change: ChangeSettings = ChangeSettings()
    credits_quality: bool = True
    borrows_quality: bool = True


CELLS_ALONE: Final = InferenceSettings(shifts={}, credits_quality=False, borrows_quality=False)
"""Every cell learns from its own observations only: what the mechanisms above are measured against."""
