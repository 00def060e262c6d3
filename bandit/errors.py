"""Errors of the learning core.

BanditError
├── OutOfRangeError        a number that no signal can have
├── PriorError             knowledge of an operator that contradicts itself
├── SumsOverflowError      more observations in a cell than its integers can hold
└── InfeasibleError        no model is left to choose from
"""

from collections.abc import Mapping


class BanditError(Exception):
    """The learning core was asked for something it cannot compute."""


class OutOfRangeError(BanditError, ValueError):
    """A number lies outside of what its signal can have."""


class PriorError(BanditError, ValueError):
    """What an operator knows contradicts itself."""


class SumsOverflowError(BanditError):
    """A cell would hold more than `MAX_COUNT` observations, beyond which its integers could overflow."""


class InfeasibleError(BanditError):
    """No model is left to choose from; `exclusions` names, for each model, what excluded it."""

    def __init__(self, exclusions: Mapping[str, str]) -> None:
        reasons = ", ".join(f"{model}: {reason}" for model, reason in sorted(exclusions.items()))
        super().__init__(f"no model is eligible ({reasons or 'no model is configured'})")
        self.exclusions = dict(exclusions)
