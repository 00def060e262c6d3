"""How long a provider asks to be left alone."""

import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

MAX_RETRY_AFTER_S: Final = 300.0
"""Longer is taken as this: who asks for more is asked again, as anyone is who came back early."""

_LONGEST_VALUE: Final = 64


def retry_after_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """Return the seconds from `now_s` (since 1970) that `retry-after-ms` or `retry-after` ask for, at most the maximum.

    Names of headers are lower case. A time that is over is 0; what is negative or cannot be read is None. What
    `x-ratelimit-reset-*` say is not read: they tell of limits that may not be the one that was met.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return _within(milliseconds / 1000.0)
    value = headers.get("retry-after", "")
    seconds = _number(value)
    if seconds is not None:
        return _within(seconds)
    time_s = _date(value)
    return None if time_s is None else _within(max(time_s - now_s, 0.0))


def _within(seconds: float) -> float | None:
    return min(seconds, MAX_RETRY_AFTER_S) if seconds >= 0.0 else None


def _number(value: str) -> float | None:
    try:
        number = float(value[:_LONGEST_VALUE])
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _date(value: str) -> float | None:
    try:
        moment = parsedate_to_datetime(value[:_LONGEST_VALUE])
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
