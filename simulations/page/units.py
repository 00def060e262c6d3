"""Numbers as people read them. `assets/units.js` writes them alike. Unknown is "unknown"."""

import math
from datetime import UTC, datetime
from typing import Final

UNKNOWN: Final = "unknown"
_BLANK: Final = "\N{NO-BREAK SPACE}"
_MINUS: Final = "\N{MINUS SIGN}"


def usd(value: float | None, *, signed: bool = False) -> str:
    """Write dollars with three digits that count; amounts of a thousand or more in whole dollars."""
    if value is None:
        return UNKNOWN
    return f"{_sign(value, signed)}${_digits(abs(value))}"


def usd_per_thousand(value: float | None, *, signed: bool = False) -> str:
    """Write dollars per 1,000 requests, of dollars per request."""
    return usd(None if value is None else 1000 * value, signed=signed)


def seconds(value: float | None) -> str:
    """Write a duration in the unit that suits it."""
    if value is None:
        return UNKNOWN
    if value < 0.9995:
        return f"{value * 1000:.3g}{_BLANK}ms"
    return f"{value:.3g}{_BLANK}s" if value < 99.5 else f"{value / 60:.3g}{_BLANK}min"


def percent(value: float | None) -> str:
    """Write a share of 1; small ones keep a digit."""
    if value is None:
        return UNKNOWN
    return f"{value:.1%}" if 0 < abs(value) < 0.0995 else f"{value:.0%}"


def count(value: float | None) -> str:
    """Write a number of things."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def figure(value: float | None) -> str:
    """Write a number without a unit."""
    if value is None:
        return UNKNOWN
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def day(time_us: float | None) -> str:
    """Write a time as a day and minute, UTC."""
    return UNKNOWN if time_us is None else f"{moment(time_us):%Y-%m-%d %H:%M} UTC"


def moment(time_us: float) -> datetime:
    """Return a time in microseconds since 1970-01-01 UTC."""
    return datetime.fromtimestamp(time_us / 1e6, UTC)


def _digits(size: float) -> str:
    if size == 0:
        return "0"
    digits = 2 - math.floor(math.log10(size))
    return f"{size:,.{min(max(digits, 0 if size >= 100 else 2), 12)}f}"


def _sign(value: float, signed: bool) -> str:
    if value < 0:
        return _MINUS
    return "+" if signed and value > 0 else ""
