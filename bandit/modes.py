"""What a category asks of the policy besides its objective: which models it prefers, and how far it may stray.

A mode holds settings alone. What it does is in `bandit.cheapest` and `bandit.baseline`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


@dataclass(frozen=True, slots=True)
class CheapestWithin:
    """Choose the cheapest model whose answers are within `within` of the best with probability `probability`.

    `within` is in units of a fully good answer, in (0, 1]; `probability` in [.5, 1). At most `exploration_share` of
    the requests find out about cheaper models, and raise the expected cost by no more than that share.
    """

    within: float = 0.02
    probability: float = 0.9
    exploration_share: float = 0.05


@dataclass(frozen=True, slots=True)
class Mode:
    """How a category chooses; the default is to maximize utility among all models.

    `baseline` is the id of the model in use so far. A share `observe_share` in [0, 1] of the requests gets the policy's
    draw and the rest the baseline. A `guard` alpha in (0, 1) allows that draw only while what was played is
    known to be worth (1 - alpha) of playing the baseline; 0 is no guard. Both need a baseline.
    """

    cheapest_within: CheapestWithin | None = None
    baseline: str = ""
    observe_share: float = 1.0
    guard: float = 0.0


MAXIMIZE: Final = Mode()


class Reason(StrEnum):
    """Why a distribution is not the ordinary one of its mode."""

    LEAST_VIOLATION = "LEAST_VIOLATION"
    LATENCY_UNKNOWN = "LATENCY_UNKNOWN"
    BASELINE_EXCLUDED = "BASELINE_EXCLUDED"
