"""What is believed before anything was observed, and how fast observations are forgotten."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from bandit.evidence import Signal

ANY_SOURCE: Final = "any"


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
class InferenceSettings:
    """Settings of `infer`.

    `thumbs` and `scores` are priors of quality from 0/1 thumbs and from graded scores. `quality_sources`
    names, per category, which source of quality counts: "thumb" (the default), "score:<name>" or "any".
    Half-lives are in seconds, infinite where a signal is not named.
    """

    thumbs: BetaPrior = BetaPrior(mean=0.85, weight=2.0)
    scores: NormalPrior = NormalPrior(mean=0.7, variance=0.1, spread=0.15)
    error: BetaPrior = BetaPrior(mean=0.02, weight=2.0)
    latency: NormalPrior = NormalPrior(mean=math.log(2.0), variance=1.5, spread=0.25, spread_floor=1e-3)
    first_token: NormalPrior = NormalPrior(mean=math.log(0.5), variance=1.5, spread=0.25, spread_floor=1e-3)
    output_tokens: NormalPrior = NormalPrior(mean=math.log(200.0), variance=2.0, spread=0.1, spread_floor=1e-3)
    input_ratio: NormalPrior = NormalPrior(mean=0.0, variance=0.1, spread=0.02, spread_floor=1e-4)
    quality_sources: Mapping[str, str] = field(default_factory=dict)
    half_lives_s: Mapping[Signal, float] = field(default_factory=dict)
