"""A clock that tests set."""

from datetime import UTC, datetime, timedelta


class ManualClock:
    """Stands still until it is told to pass; begins at the time of day `start`."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._passed_s = 0.0

    def now(self) -> datetime:
        """Return the time of day."""
        return self._start + timedelta(seconds=self._passed_s)

    def monotonic(self) -> float:
        """Return the seconds that have passed."""
        return self._passed_s

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self._passed_s += seconds
