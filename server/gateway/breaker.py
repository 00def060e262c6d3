"""A circuit breaker for one model: closed, open once calls fail, half-open while one probe is under way."""

from collections import deque
from enum import IntEnum
from typing import Final

CONSECUTIVE: Final = 5
"""Failures in a row that open it."""

WINDOW_S: Final = 10
MIN_CALLS: Final = 20
FAILED_SHARE: Final = 0.5
"""The other way to open it: this share of at least so many calls within the window."""

PROBE_EVERY_S: Final = 5.0


class State(IntEnum):
    """What a breaker lets through: everything, a probe, nothing."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """Counts the calls of one model, in seconds of a clock that never goes back; for one thread.

    A model that asked to be left alone (`hold`) is open until then, and closed afterwards without a probe.
    """

    __slots__ = (
        "_failed_in_a_row",
        "_held_until_s",
        "_probe_at_s",
        "_probe_began_s",
        "_probing",
        "_seconds",
        "opened_s",
    )

    def __init__(self) -> None:
        self.opened_s: float | None = None
        self._failed_in_a_row = 0
        self._held_until_s = 0.0
        self._probe_at_s = 0.0
        self._probe_began_s = 0.0
        self._probing = False
        self._seconds: deque[list[int]] = deque()

    def state(self, now_s: float) -> State:
        """Return what it lets through now."""
        if self._probing:
            return State.HALF_OPEN
        return State.OPEN if self.opened_s is not None or now_s < self._held_until_s else State.CLOSED

    def succeeded(self, began_s: float, now_s: float) -> None:
        """Take in a call that was served: what was wrong before it began is over."""
        if self.opened_s is not None:
            if began_s < self.opened_s:
                return
            self.opened_s = None
            self._seconds.clear()
        self._failed_in_a_row = 0
        self._count(now_s, 0)

    def failed(self, now_s: float, wait_s: float) -> bool:
        """Take in a call that was not; `wait_s` is the time to a probe. Returns whether that opened it."""
        if self.opened_s is not None:
            return False
        self._failed_in_a_row += 1
        calls, failures = self._count(now_s, 1)
        if self._failed_in_a_row < CONSECUTIVE and (calls < MIN_CALLS or failures < FAILED_SHARE * calls):
            return False
        self.opened_s, self._probe_at_s = now_s, now_s + wait_s
        return True

    def hold(self, now_s: float, seconds: float) -> None:
        """Let nothing through for a while, because the provider asks for it."""
        self._held_until_s = max(self._held_until_s, now_s + seconds)

    def held_s(self, now_s: float) -> float:
        """Return how long the provider still wants to be left alone."""
        return max(self._held_until_s - now_s, 0.0)

    def begin_probe(self, now_s: float) -> bool:
        """Return whether the caller is the one that may try whether the model is back; it then ends the probe."""
        may = self.opened_s is not None and not self._probing and now_s >= max(self._probe_at_s, self._held_until_s)
        if may:
            self._probing, self._probe_began_s = True, now_s
        return may

    def end_probe(self, served: bool, now_s: float, wait_s: float) -> None:
        """Take in how a probe went; a cancelled one did not serve. The next is due `wait_s` after it began."""
        self._probing = False
        if served:
            self.succeeded(now_s, now_s)
        else:
            self._probe_at_s = self._probe_began_s + wait_s

    def _count(self, now_s: float, failures: int) -> tuple[int, int]:
        """Count a call and return the calls of the window, and those of them that failed."""
        second, seconds = int(now_s), self._seconds
        while seconds and seconds[0][0] <= second - WINDOW_S:
            seconds.popleft()
        if not seconds or seconds[-1][0] != second:
            seconds.append([second, 0, 0])
        seconds[-1][1] += 1
        seconds[-1][2] += failures
        if not failures:
            return 0, 0
        return sum(one[1] for one in seconds), sum(one[2] for one in seconds)
