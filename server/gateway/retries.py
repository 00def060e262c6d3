"""How often a call may be repeated: a budget for all calls together, and growing waits for each."""

from collections.abc import Callable
from typing import Final

SHARE: Final = 0.2
"""Retries per call, in the long run."""

RESERVE: Final = 10.0
"""Retries that may be saved up, and that there are at the start."""

MAX_PER_CALL: Final = 2
FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 2.0

LONGEST_HOLD_S: Final = 10.0
"""A provider that asks for more than this is not waited for: the caller is told, and knows better what to do."""


class RetryBudget:
    """Lets a share of a tenant's calls be repeated, so that retries never turn a brown-out into a storm.

    For one thread.
    """

    __slots__ = ("_saved",)

    def __init__(self) -> None:
        self._saved = RESERVE

    def earn(self) -> None:
        """Take in a call that was not a retry."""
        self._saved = min(self._saved + SHARE, RESERVE)

    def spend(self) -> bool:
        """Return whether one retry is granted."""
        granted = self._saved >= 1.0
        self._saved -= granted
        return granted


def wait_s(retry: int, uniform: Callable[[], float]) -> float:
    """Return how long to wait before a retry, the first being 0: exponential, with full jitter.

    Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).
    """
    return uniform() * min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0**retry)
