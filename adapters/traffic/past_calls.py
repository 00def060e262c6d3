"""What one row of a log says of a call: category, model, and whatever is known of how it went.

Columns: `category` and `model`; and any of `quality` (0 to 1), `latency_s` or `latency_ms` (0.001 ms to 7 days),
`output_tokens` and `input_tokens` (0 to 1e8), `cost_usd` or `cost` (0 to 1e6), `error` (true or false) or `status`.
Others are ignored. An empty cell, NULL or NaN is unknown, and never zero. Cost and input tokens are checked and teach
nothing: money is never learned, and what a prompt's tokens are compared with is not in a log.
"""

import math
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from adapters.traffic.rows import BROKEN, Row
from bandit.signals import Status

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")
_UNKNOWN: Final = {"", "nan", "null", "none"}
_RANGES: Final = {
    "quality": (0.0, 1.0),
    "latency_s": (1e-6, 7 * 86_400.0),
    "latency_ms": (1e-3, 7 * 86_400_000.0),
    "output_tokens": (0.0, 1e8),
    "input_tokens": (0.0, 1e8),
    "cost_usd": (0.0, 1e6),
    "cost": (0.0, 1e6),
}
_TRUTH: Final = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
_STATUS: Final[Mapping[str, Status]] = {
    **dict.fromkeys(("ok", "success", "succeeded"), Status.OK),
    **dict.fromkeys(("error", "failed", "failure"), Status.ERROR),
    **dict.fromkeys(("timeout", "408", "504"), Status.TIMEOUT),
    **dict.fromkeys(("rate_limited", "429"), Status.RATE_LIMITED),
    **dict.fromkeys(("cancelled", "canceled", "499"), Status.CANCELLED),
}


class PastCall(NamedTuple):
    """A call that was made; None is unknown."""

    category: str
    model: str
    quality: float | None
    latency_s: float | None
    output_tokens: int | None
    status: Status | None


def past_call(row: Row) -> PastCall:
    """Read a row. Raises ValueError with the reason for which it cannot be used."""
    if row is BROKEN:
        raise ValueError("not a row of the log's format")
    category, model = name_of(row, "category"), name_of(row, "model")
    numbers = {column: _number(column, row[column]) for column in _RANGES if column in row}
    latency_s, latency_ms = numbers.get("latency_s"), numbers.get("latency_ms")
    if latency_s is None and latency_ms is not None:
        latency_s = latency_ms * 1e-3
    tokens = numbers.get("output_tokens")
    call = PastCall(
        category=category,
        model=model,
        quality=numbers.get("quality"),
        latency_s=latency_s,
        output_tokens=None if tokens is None else round(tokens),
        status=_status(row),
    )
    if all(part is None for part in call[2:]):
        raise ValueError("nothing is known of how the call went")
    return call


def name_of(row: Row, column: str) -> str:
    """Return the name that a row has in a column. Raises ValueError where there is none."""
    name = _text(row.get(column))
    if not name:
        raise ValueError(f"{column} is missing")
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{column} is no name (1 to 64 characters of A-Z a-z 0-9 . _ : / -)")
    return name


def _number(column: str, cell: object) -> float | None:
    text = _text(cell)
    if text.lower() in _UNKNOWN:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value) or isinstance(cell, bool):
        raise ValueError(f"{column} is not a number")
    low, high = _RANGES[column]
    if not low <= value <= high:
        raise ValueError(f"{column} is out of range")
    return value


def _status(row: Row) -> Status | None:
    status, error = _text(row.get("status")).lower(), _text(row.get("error")).lower()
    if status not in _UNKNOWN:
        known = _STATUS.get(status) or _status_of_http(status)
        if known is None:
            raise ValueError("status is not known (ok, error, timeout, rate_limited, cancelled, or one of HTTP)")
        return known
    if error in _UNKNOWN:
        return None
    if error not in _TRUTH:
        raise ValueError("error is neither true nor false")
    return Status.ERROR if _TRUTH[error] else Status.OK


def _status_of_http(code: str) -> Status | None:
    if re.fullmatch(r"[1-5]\d\d", code) is None:
        return None
    return Status.OK if code[0] == "2" else Status.ERROR


def _text(cell: object) -> str:
    return "" if cell is None else str(cell).strip()
