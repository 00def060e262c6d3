"""A circuit breaker for one model: closed, open once calls fail, half-open while one probe is under way.

What one caller does may not take a model from the others: failures of his alone do not open it while others call.
"""

import math
from collections import Counter, deque
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

CONSECUTIVE: Final = 5
"""Failures in a row that open it."""

OTHERS: Final = 2
"""Failures in that row that have to be of others than one caller, where others call."""

WINDOW_S: Final = 10
MIN_CALLS: Final = 20
FAILED_SHARE: Final = 0.5
"""The other way to open it: this share of at least so many calls within the window."""

PROBE_EVERY_S: Final = 5.0

FORGOTTEN_S: Final = 60.0
"""How long a probe may be due: where no call comes that could be one, calls decide again."""


class State(IntEnum):
    """What a breaker lets through: everything, a probe, nothing."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass(slots=True)
class _Second:
    """The calls of one second, and who made them."""

    second: int
    calls: int = 0
    failures: int = 0
    callers: Counter[str] = field(default_factory=Counter)
    failing: Counter[str] = field(default_factory=Counter)


class Breaker:
    """Counts the calls of one model, in seconds of a clock that never goes back; for one thread.

    A model that asked to be left alone (`hold`) is open until then, and closed afterwards without a probe.
    """

    __slots__ = (
        "_closed_s",
        "_due_seen_s",
        "_held_until_s",
        "_probe_at_s",
        "_probe_began_s",
        "_probing",
        "_row",
        "_seconds",
        "opened_s",
    )

    def __init__(self) -> None:
        self.opened_s: float | None = None
        self._closed_s = -math.inf
        self._due_seen_s: float | None = None
        self._row: Counter[str] = Counter()
        self._held_until_s = 0.0
        self._probe_at_s = 0.0
        self._probe_began_s = 0.0
        self._probing = False
        self._seconds: deque[_Second] = deque()

    def state(self, now_s: float) -> State:
        """Return what it lets through now."""
        if self._probing:
            return State.HALF_OPEN
        return State.OPEN if self.opened_s is not None or now_s < self._held_until_s else State.CLOSED

    def succeeded(self, caller: str, began_s: float, now_s: float) -> bool:
        """Take in a call that was served: what was wrong before it began is over. Returns whether that closed it."""
        was_open = self.opened_s is not None
        if self.opened_s is not None:
            if began_s < self.opened_s:
                return False
            self._close(now_s)
        self._row.clear()
        self._counted(now_s, caller)
        return was_open

    def failed(self, caller: str, began_s: float, now_s: float, wait_s: float) -> bool:
        """Take in a call that was not; `wait_s` is the time to a probe. Returns whether that opened it.

        One that began before it closed is what was wrong then.
        """
        if self.opened_s is not None or began_s < self._closed_s:
            return False
        second = self._counted(now_s, caller)
        second.failures += 1
        second.failing[caller] += 1
        self._row[caller] += 1
        if not (self._is_failing() and self._concerns_all()):
            return False
        self.opened_s, self._probe_at_s = now_s, now_s + wait_s
        return True

    def hold(self, now_s: float, seconds: float) -> None:
        """Let nothing through for a while, because the provider asks for it."""
        self._held_until_s = max(self._held_until_s, now_s + seconds)

    def held_s(self, now_s: float) -> float:
        """Return how long the provider still wants to be left alone."""
        return max(self._held_until_s - now_s, 0.0)

    def forget(self, now_s: float) -> bool:
        """Close it where nobody came to probe for long. Returns whether that closed it.

        That time begins when somebody asks after a probe is due: his own call may be the probe.
        """
        if self.opened_s is None or self._probing or now_s < max(self._probe_at_s, self._held_until_s):
            return False
        if self._due_seen_s is None:
            self._due_seen_s = now_s
        if now_s < self._due_seen_s + FORGOTTEN_S:
            return False
        self._close(now_s)
        return True

    def begin_probe(self, now_s: float) -> bool:
        """Return whether the caller is the one that may try whether the model is back; it then ends the probe."""
        may = self.opened_s is not None and not self._probing and now_s >= max(self._probe_at_s, self._held_until_s)
        if may:
            self._probing, self._probe_began_s, self._due_seen_s = True, now_s, None
        return may

    def end_probe(self, served: bool, caller: str, now_s: float, wait_s: float) -> bool:
        """Take in how a probe went; a cancelled one did not serve. Returns whether that closed it.

        The next one is due `wait_s` after this one began. What opened it since then is not what was probed.
        """
        self._probing = False
        is_of_now = self.opened_s is not None and self._probe_began_s >= self.opened_s
        if served:
            return self.succeeded(caller, self._probe_began_s, now_s) and is_of_now
        if is_of_now:
            self._probe_at_s = self._probe_began_s + wait_s
        return False

    def _close(self, now_s: float) -> None:
        self.opened_s, self._closed_s, self._due_seen_s = None, now_s, None
        self._row.clear()
        self._seconds.clear()

    def _counted(self, now_s: float, caller: str) -> _Second:
        """Count a call in its second, and forget those that left the window."""
        second, seconds = int(now_s), self._seconds
        while seconds and seconds[0].second <= second - WINDOW_S:
            seconds.popleft()
        if not seconds or seconds[-1].second != second:
            seconds.append(_Second(second))
        seconds[-1].calls += 1
        seconds[-1].callers[caller] += 1
        return seconds[-1]

    def _is_failing(self) -> bool:
        if self._row.total() >= CONSECUTIVE:
            return True
        calls, failures = sum(one.calls for one in self._seconds), sum(one.failures for one in self._seconds)
        return calls >= MIN_CALLS and failures >= FAILED_SHARE * calls

    def _concerns_all(self) -> bool:
        """Whether calls fail for others than the caller whose fail most, or nobody else calls.

        One failure of another is chance; two in the same row, or half of what he calls, are not.
        """
        calls = sum((one.callers for one in self._seconds), Counter[str]())
        failures = sum((one.failing for one in self._seconds), Counter[str]())
        worst = max(failures, key=failures.__getitem__)
        others = calls.total() - calls[worst]
        failed = failures.total() - failures[worst]
        return not others or self._row.total() - self._row[worst] >= OTHERS or failed >= FAILED_SHARE * others
