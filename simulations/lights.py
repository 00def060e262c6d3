"""Lights: whether a result can be trusted, check by check."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Status = Literal["green", "amber", "red"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check: a `value` held against a `limit`, and what that means. `policy` is empty for the log."""

    name: str
    status: Status
    value: float | None
    limit: float | None
    says: str
    policy: str = ""


def worst(statuses: Sequence[Status]) -> Status:
    """Return the most serious one; green where there is none."""
    return max(statuses, key=("green", "amber", "red").index, default="green")
