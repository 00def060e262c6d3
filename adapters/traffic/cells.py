"""What a cell of a row says: names, texts, numbers in a unit, points in time. Unknown is None, and never zero.

Each raises ValueError with the column and the reason where a cell says something that it cannot say.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from adapters.names import NAME
from bandit.signals import SCORE_PREFIX, Kind, Status

_NO_NAME: Final = re.compile(r"[^A-Za-z0-9._:/-]+")
_UNKNOWN: Final = {"", "nan", "null", "none"}
_LONGEST_UNKNOWN: Final = max(map(len, _UNKNOWN))
_REMEMBERED: Final = 10_000
"""Names and distributions that need not be checked again."""
_TRUTH: Final = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
_THUMB: Final = _TRUTH | {"up": True, "down": False, "+1": True, "-1": False, "positive": True, "negative": False}
_STATUS: Final[Mapping[str, Status]] = {
    **dict.fromkeys(("ok", "success", "succeeded"), Status.OK),
    **dict.fromkeys(("error", "failed", "failure"), Status.ERROR),
    **dict.fromkeys(("timeout", "408", "504"), Status.TIMEOUT),
    **dict.fromkeys(("rate_limited", "429"), Status.RATE_LIMITED),
    **dict.fromkeys(("cancelled", "canceled", "499"), Status.CANCELLED),
}
_LONGEST_SCORE: Final = 57
SUM_TOLERANCE: Final = 1e-3
"""Probabilities are often written with a few digits."""
_DIGITS: Final = 20
LATEST_US: Final = 7_258_118_400_000_000
"""The year 2200: a time beyond it is in another unit than was said, or of a clock that was wrong."""


def cell_at(row: Mapping[str, Any], path: str) -> object:
    """Return the cell of a column, or what lies at a path with dots in it; JSON in a text is read as well."""
    if path in row or "." not in path:
        return row.get(path)
    head, _, rest = path.partition(".")
    while rest:
        inner = structure(row.get(head))
        if isinstance(inner, Mapping):
            return cell_at(inner, rest)
        step, _, rest = rest.partition(".")
        head = f"{head}.{step}"
    return None


def structure(cell: object) -> object:
    """Return the object or the list that a text is in JSON, or the cell itself."""
    if not isinstance(cell, str) or cell[:1] not in ("{", "["):
        return cell
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return cell


def text(cell: object) -> str:
    """Return a text without blanks around it; an empty one is unknown."""
    if cell is None:
        return ""
    found = (cell if isinstance(cell, str) else str(cell)).strip()
    return "" if len(found) <= _LONGEST_UNKNOWN and found.lower() in _UNKNOWN else found


def name(column: str, cell: object, *, mended: bool = False) -> str:
    """Return a name. `mended` writes a minus for each run of characters that no name can have."""
    return _name(column, text(cell), mended)


@lru_cache(maxsize=_REMEMBERED)
def _name(column: str, found: str, mended: bool) -> str:
    if mended:
        found = _NO_NAME.sub("-", found).strip("-").lstrip("._:/-")
    if not found:
        raise ValueError(f"{column} is missing")
    if NAME.fullmatch(found) is None:
        raise ValueError(f"{column} is no name (1 to 64 characters of A-Z a-z 0-9 . _ : / -)")
    return found


def judge(column: str, cell: object) -> str:
    """Return the source of a score by its name, mended."""
    found = name(column, cell, mended=True)
    if len(found) > _LONGEST_SCORE:
        raise ValueError(f"{column} of a score is longer than {_LONGEST_SCORE} characters")
    return SCORE_PREFIX + found


def number(column: str, cell: object, low: float, high: float) -> float | None:
    """Return a number between two bounds, both included."""
    value = cell if type(cell) is float else _number(column, cell)
    if value is None or low <= value <= high:
        return value
    if math.isnan(value):
        return None
    raise ValueError(f"{column} is out of range")


def _number(column: str, cell: object) -> float | None:
    if type(cell) is int:
        return _float(cell)
    written = text(cell)
    if not written:
        return None
    value = _float(written)
    if value is None or math.isnan(value) or isinstance(cell, bool):
        raise ValueError(f"{column} is not a number")
    return value


def truth(column: str, cell: object) -> bool | None:
    """Return true or false."""
    return _one_of(_TRUTH, cell, f"{column} is neither true nor false")


def thumb(column: str, cell: object) -> bool | None:
    """Return whether a thumb is up."""
    return _one_of(_THUMB, cell, f"{column} is neither up nor down")


def _one_of(values: Mapping[str, bool], cell: object, reason: str) -> bool | None:
    written = text(cell).lower()
    if not written:
        return None
    if written not in values:
        raise ValueError(reason)
    return values[written]


def status(column: str, cell: object) -> Status | None:
    """Return how a call went, from a word or an HTTP status."""
    written = text(cell).lower()
    if not written:
        return None
    known = _STATUS.get(written) or _status_of_http(written)
    if known is None:
        raise ValueError(f"{column} is not known (ok, error, timeout, rate_limited, cancelled, or one of HTTP)")
    return known


def _status_of_http(code: str) -> Status | None:
    if re.fullmatch(r"[1-5]\d\d", code) is None:
        return None
    return Status.OK if code[0] == "2" else Status.ERROR


def kind(column: str, cell: object) -> Kind | None:
    """Return how a decision came about."""
    written = text(cell).upper()
    if not written:
        return None
    if written not in Kind.__members__:
        raise ValueError(f"{column} is not known ({', '.join(Kind.__members__).lower()})")
    return Kind[written]


def instant(column: str, cell: object, unit_us: float | None = None) -> int | None:
    """Return a point in time in microseconds since 1970 UTC.

    A number is in units of `unit_us` microseconds since then; a text without a time zone is in UTC.
    """
    if isinstance(cell, datetime):
        return _microseconds(column, cell)
    written = text(cell)
    if not written:
        return None
    value = cell if type(cell) is int else int(written) if _is_count(written) else _float(written)
    if value is None:
        return _of_iso(column, written)
    if unit_us is None:
        raise ValueError(f"{column} is a number without a unit: name it, as in --map time={column}:ms")
    # Compared before it is multiplied: a whole number may be larger than any float.
    if not 0 <= value <= LATEST_US / unit_us:
        raise ValueError(f"{column} is out of range")
    return round(value * unit_us)


def _float(written: str | int) -> float | None:
    try:
        return float(written)
    except ValueError:
        return None
    except OverflowError:  # of a whole number
        return math.inf if int(written) > 0 else -math.inf


def _is_count(written: str) -> bool:
    return written.isascii() and written.isdecimal() and len(written) <= _DIGITS


def _of_iso(column: str, written: str) -> int:
    try:
        time = datetime.fromisoformat(written)
    except (ValueError, OverflowError):
        raise ValueError(f"{column} is no time (ISO 8601, as 2026-01-31T12:00:00Z)") from None
    return _microseconds(column, time)


def _microseconds(column: str, time: datetime) -> int:
    at = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    found = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    if not 0 <= found <= LATEST_US:
        raise ValueError(f"{column} is out of range")
    return found


def names(column: str, cell: object) -> tuple[str, ...] | None:
    """Return a list of names: an array, or a text with commas, semicolons, bars or blanks between them."""
    found = structure(cell)
    if isinstance(found, str):
        found = re.split(r"[,;|\s]+", found.strip())
    if found is None or found == [""]:
        return None
    if not isinstance(found, list | tuple) or not found:
        raise ValueError(f"{column} is no list of names")
    return tuple(name(column, one) for one in found)


def probabilities(column: str, cell: object) -> Mapping[str, float] | None:
    """Return the probability of each model that could have been drawn, from an object or a map."""
    found = structure(cell)
    if found is None or (isinstance(found, str) and not text(found)):
        return None
    if not isinstance(found, Mapping) or not found:
        raise ValueError(f"{column} is no object of models and their probabilities")
    try:
        return _distribution(column, tuple(found.items()))
    except TypeError:
        raise ValueError(f"{column} is no object of models and their probabilities") from None


@lru_cache(maxsize=_REMEMBERED)
def _distribution(column: str, found: tuple[tuple[object, object], ...]) -> Mapping[str, float]:
    known: dict[str, float] = {}
    for model, cell_of_model in found:
        probability = number(column, cell_of_model, 0.0, 1.0)
        if probability is None:
            raise ValueError(f"{column} leaves out the probability of a model")
        known[name(column, model)] = probability
    if abs(sum(known.values()) - 1.0) > SUM_TOLERANCE:
        raise ValueError(f"{column} do not add up to 1")
    return known
