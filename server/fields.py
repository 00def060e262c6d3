"""Reads the fields of a message, and notes every rule of the contract that one breaks."""

import re
from typing import Any, Final

from google.protobuf.message import Message

from server.errors import InvalidFieldError, Violation

MAX_TOKENS: Final = 100_000_000
MAX_USD: Final = 1_000_000.0
MAX_DURATION_S: Final = 7 * 86_400
FUTURE_LEEWAY_US: Final = 86_400_000_000
"""How far ahead of the server's clock an observation may be: clients' clocks are wrong by hours, not by days."""

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")


class Fields:
    """The fields of one message. `path` is where the message sits in the request: empty, or with a dot at its end.

    A field that is not set reads as None, or as what proto3 makes of it where it has no presence. A field that
    breaks its rule still reads as something of its type; `check` then raises.
    """

    def __init__(self, message: Message, path: str = "", violations: list[Violation] | None = None) -> None:
        self._message: Any = message
        self._path = path
        self.violations: list[Violation] = [] if violations is None else violations

    def nested(self, field: str) -> "Fields":
        """Return the fields of a message within this one."""
        return Fields(getattr(self._message, field), f"{self._path}{field}.", self.violations)

    def reject(self, field: str, rule: str) -> None:
        """Note that a field breaks a rule."""
        self.violations.append(Violation(self._path + field, rule))

    def check(self) -> None:
        """Raise InvalidFieldError if any rule was broken."""
        if self.violations:
            raise InvalidFieldError(self.violations)

    def name(self, field: str, *, required: bool = False) -> str:
        """Read a name; empty where none is set and none is required."""
        value: str = getattr(self._message, field)
        if (value or required) and NAME.fullmatch(value) is None:
            self.reject(field, f"must match {NAME.pattern}")
        return value

    def names(self, field: str, most: int) -> frozenset[str]:
        """Read a set of names."""
        values = getattr(self._message, field)
        if len(values) > most:
            self.reject(field, f"has at most {most} entries")
            return frozenset()
        for index, value in enumerate(values):
            if NAME.fullmatch(value) is None:
                self.reject(f"{field}[{index}]", f"must match {NAME.pattern}")
        return frozenset(values)

    def label(self, field: str, most: int) -> str:
        """Read text that is only stored."""
        value: str = getattr(self._message, field)
        if len(value) > most or not value.isprintable():
            self.reject(field, f"has at most {most} characters, all printable")
        return value

    def integer(self, field: str, low: int = 0, high: int = MAX_TOKENS) -> int | None:
        """Read a number of tokens."""
        if not self._message.HasField(field):
            return None
        value: int = getattr(self._message, field)
        if not low <= value <= high:
            self.reject(field, f"is {low} to {high}")
        return value

    def number(self, field: str, high: float = MAX_USD) -> float | None:
        """Read a number from 0 to `high`, which NaN and infinity are not."""
        if not self._message.HasField(field):
            return None
        value: float = getattr(self._message, field)
        return value if self.in_range(field, value, high) else 0.0

    def in_range(self, field: str, value: float, high: float) -> bool:
        """Check that a number lies between 0 and `high`."""
        fits = 0.0 <= value <= high
        if not fits:
            self.reject(field, f"is a number from 0 to {high:g}")
        return fits

    def duration_us(self, field: str) -> int | None:
        """Read a duration of at most 7 days, in microseconds."""
        if not self._message.HasField(field):
            return None
        value = getattr(self._message, field)
        seconds, nanos = value.seconds, value.nanos
        if not (0 <= seconds <= MAX_DURATION_S and 0 <= nanos < 10**9 and (seconds < MAX_DURATION_S or not nanos)):
            self.reject(field, "is 0 to 7 days")
        return int(seconds * 1_000_000 + nanos // 1000)

    def time_us(self, field: str, now_us: int) -> int | None:
        """Read a time since 1970 that is at most a day ahead of `now_us`."""
        if not self._message.HasField(field):
            return None
        value = getattr(self._message, field)
        time_us = int(value.seconds * 1_000_000 + value.nanos // 1000)
        if value.seconds < 0 or not 0 <= value.nanos < 10**9 or time_us > now_us + FUTURE_LEEWAY_US:
            self.reject(field, "is a time since 1970, at most a day ahead of the server's clock")
        return time_us


FINGERPRINT_PREFIX: Final = "auto-"
FINGERPRINT_BYTES: Final = 6
"""Of a hundred kinds of tasks two share a name with a chance of 2 in a hundred billion."""


def is_fingerprint(category: str) -> bool:
    """Return whether a category has the form of a name that nobody gave."""
    return category.startswith(FINGERPRINT_PREFIX) and len(category) == len(FINGERPRINT_PREFIX) + 2 * FINGERPRINT_BYTES
