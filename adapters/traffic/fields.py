"""The fields that a log can have of a call, the units they come in, and where a format keeps them.

A format is a `Layout`: for each field the columns that may hold it, the first that does counts. What a user maps takes
their place.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from adapters.traffic.errors import LogError

_DURATION: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_MONEY: Final = {"usd": 1.0, "usd_cents": 1e-2, "usd_micros": 1e-6, "usd_nanos": 1e-9}
_TIME: Final = {"iso": 0.0, "s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}
_SHARE: Final = {"": 1.0, "percent": 1e-2}
_PLAIN: Final = {"": 1.0}


class Field(NamedTuple):
    """A field: the attribute of `Call` it becomes, its range in that one's unit, and the units it is read in."""

    attribute: str
    low: float = 0.0
    high: float = 0.0
    units: Mapping[str, float] = MappingProxyType(_PLAIN)


WEEK_S: Final = 7 * 86_400.0
NUMBERS: Final[Mapping[str, Field]] = MappingProxyType(
    {
        "propensity": Field("propensity", 0.0, 1.0),
        "answer_value": Field("answer_value_usd", 0.0, 1e6, _MONEY),
        "second_value": Field("second_value_usd", 0.0, 1e6, _MONEY),
        "requested_tokens": Field("requested_tokens", 0.0, 1e8),
        "input_tokens": Field("input_tokens", 0.0, 1e8),
        "cached_input_tokens": Field("cached_input_tokens", 0.0, 1e8),
        "output_tokens": Field("output_tokens", 0.0, 1e8),
        "cost": Field("cost_usd", 0.0, 1e6, _MONEY),
        "latency": Field("latency_s", 1e-6, WEEK_S, _DURATION),
        "first_token": Field("first_token_s", 1e-6, WEEK_S, _DURATION),
        "quality": Field("quality", 0.0, 1.0, _SHARE),
    }
)
TIMES: Final[Mapping[str, Field]] = MappingProxyType(
    {
        "time": Field("time_us", units=_TIME),
        "answered": Field("answered_us", units=_TIME),
        "judged": Field("judged_us", units=_TIME),
    }
)
TEXTS: Final = ("category", "model", "call_id", "session", "prompt_id", "kind", "status", "error", "thumb")
STRUCTURES: Final = ("probabilities", "eligible")
SCORE: Final = "score:"
FIELDS: Final = (*TEXTS, *STRUCTURES, *NUMBERS, *TIMES)


class Column(NamedTuple):
    """A column, or a path with dots to a value inside one, and the unit of what it holds."""

    path: str
    unit: str = ""


Layout = Mapping[str, tuple[Column, ...]]
ColumnMap = Mapping[str, Column]
"""For a field the column that a user says it is in."""


def parsed_map(words: tuple[str, ...]) -> dict[str, Column]:
    """Read words like `latency=elapsed:ms`. Raises LogError with the word and what is wrong with it."""
    found: dict[str, Column] = {}
    for word in words:
        field, equals, column = (part.strip() for part in word.partition("="))
        if not (field and equals and column):
            raise LogError(f"--map {word}: give FIELD=COLUMN or FIELD=COLUMN:UNIT, as latency=elapsed:ms")
        known, implied = _field_of(field)
        if known in found:
            raise LogError(f"--map {word}: {known} is mapped twice")
        path, colon, unit = column.rpartition(":")
        found[known] = _checked(word, known, Column(path, unit) if colon else Column(column, implied))
    return found


def _field_of(word: str) -> tuple[str, str]:
    """Return the field that a word names, and the unit it says by its ending, as `latency_ms` does."""
    if word in FIELDS or (word.startswith(SCORE) and len(word) > len(SCORE)):
        return word, ""
    for field, described in {**NUMBERS, **TIMES}.items():
        for unit in described.units:
            if unit and word == f"{field}_{unit}":
                return field, unit
    raise LogError(f"--map {word}: no field of a call; known: {', '.join(FIELDS)}, {SCORE}NAME")


def _checked(word: str, field: str, column: Column) -> Column:
    described = NUMBERS.get(field) or TIMES.get(field)
    if field.startswith(SCORE):
        described = NUMBERS["quality"]
    units = dict(described.units) if described else _PLAIN
    if column.unit in units:
        return column
    if "" not in units and not column.unit and field not in TIMES:
        raise LogError(f"--map {word}: say the unit of {field}, as {field}={column.path}:{next(iter(units))}")
    if not column.unit:
        return column
    if "" in units and len(units) == 1:
        raise LogError(f"--map {word}: {field} has no unit")
    raise LogError(f"--map {word}: {column.unit} is no unit of {field}; known: {', '.join(filter(None, units))}")
