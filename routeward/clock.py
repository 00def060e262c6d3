"""Where the client reads the time, so that tests can say what it is."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time of day and measures durations."""

    def now(self) -> datetime:
        """Return the time of day, with a time zone."""

    def monotonic(self) -> float:
        """Return seconds since some fixed point; never goes back."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the time of day in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the seconds of `time.monotonic`."""
        return time.monotonic()
