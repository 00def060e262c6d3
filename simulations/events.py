"""What may happen during a run: data, which a scenario lists.

An event says when it holds, in requests counted from 0 (`start` inclusive, `end` exclusive), and to which model: by
id, or by the part that the model plays in the world.
"""

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar


class Role(Enum):
    """A part that some model of a world plays, whichever it is; `simulations.roles` knows how to find it."""

    BEST = "best"
    WORST = "worst"
    BARGAIN = "bargain"
    DEAREST = "dearest"


@dataclass(frozen=True, slots=True)
class QualityDrop:
    """A good answer turns bad with probability `share`: its thumb is down, its graded quality 0."""

    kind: ClassVar[str] = "quality-drop"
    model: str | Role
    start: int
    end: int
    share: float = 0.6


@dataclass(frozen=True, slots=True)
class Outage:
    """A call fails with probability `share`: no answer, and no quality to judge."""

    kind: ClassVar[str] = "outage"
    model: str | Role
    start: int
    end: int
    share: float = 0.9


@dataclass(frozen=True, slots=True)
class LatencyChange:
    """Waiting takes `factor` times as long."""

    kind: ClassVar[str] = "latency-change"
    model: str | Role
    start: int
    end: int
    factor: float = 10.0


@dataclass(frozen=True, slots=True)
class PriceChange:
    """Each price is `factor` times as high."""

    kind: ClassVar[str] = "price-change"
    model: str | Role
    start: int
    end: int
    factor: float = 0.1


@dataclass(frozen=True, slots=True)
class FalseJudgements:
    """A share of the requests are an attacker's, who votes each answer of the model down, and each of `favoured` up.

    A decision takes one judgement of a kind, so false ones need decisions of the attacker's own. Nothing is said of the
    answers of other models.
    """

    kind: ClassVar[str] = "false-judgements"
    model: str | Role
    start: int
    end: int
    share: float = 0.1
    favoured: str | Role = Role.WORST


@dataclass(frozen=True, slots=True)
class ModelAdded:
    """Before `start` the model cannot be chosen."""

    kind: ClassVar[str] = "model-added"
    model: str | Role
    start: int


@dataclass(frozen=True, slots=True)
class CategoriesAdded:
    """Before `start`, `count` categories do not occur; which ones, each seed draws for itself."""

    kind: ClassVar[str] = "categories-added"
    count: int
    start: int


ModelEvent = QualityDrop | Outage | LatencyChange | PriceChange | FalseJudgements | ModelAdded
Event = ModelEvent | CategoriesAdded
