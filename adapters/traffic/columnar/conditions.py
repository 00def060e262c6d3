"""When a row is certain: no reader would leave it out, or read another thing in it than what stands there.

The conditions are those of the reader of the own format and of that of generic tables together, on the strict side.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from adapters.traffic.cells import LATEST_US
from adapters.traffic.fields import NUMBERS
from adapters.traffic.own.rows import REQUIRED
from adapters.traffic.reading import NOT_DRAWN
from bandit.signals import Kind, Status

NEEDED: Final = frozenset({"category", "model", "time_us", "propensity"})
"""Columns without which nothing can be evaluated, or not by the time."""
_TEXTS: Final = ("call_id", "session")
_TIMES: Final = ("time_us", "answered_us", "judged_us")
# Nothing to cut off at the ends, and no word for "unknown".
_TEXT: Final = (
    "coalesce(min({0}) >= '!' AND max({0}) <= '~~' AND min({0}[-1]) >= '!' AND max({0}[-1]) <= '~', true)",
    "count(*) FILTER (strlen({0}) <= 4 AND lower({0}) IN ('nan', 'null', 'none')) = 0",
)
_JUDGEMENTS: Final = (
    "bool_and(map_keys(judgements) IS NOT DISTINCT FROM map_keys(judgements_us))",
    "coalesce(min(list_min(map_values(judgements))) >= 0 AND max(list_max(map_values(judgements))) <= 1, true)",
    "coalesce(min(list_min(map_values(judgements_us))) >= 0, true)",
    f"coalesce(max(list_max(map_values(judgements_us))) <= {LATEST_US}, true)",
    "coalesce(bool_and(list_count(map_values(judgements)) = cardinality(judgements)), true)",
    "coalesce(bool_and(list_count(map_values(judgements_us)) = cardinality(judgements_us)), true)",
)


def certain(*, is_own: bool) -> str:
    """Return what is true of rows together that are all certain, apart from their names and their distributions."""
    return f"coalesce({' AND '.join(f'({one})' for one in _conditions(is_own=is_own))}, false)"


def _conditions(*, is_own: bool) -> Iterator[str]:
    yield from (f"count({name}) = count(*)" for name in sorted(REQUIRED if is_own else {"category", "model"}))
    for column, members in (("kind", Kind), ("status", Status)):
        listed = ", ".join(f"'{name}'" for name in members.__members__)
        yield f"coalesce(bool_and({column} IN ({listed})), true)"
    yield from (condition.format(name) for name in _TEXTS for condition in _TEXT)
    yield from (_between(name, 0, LATEST_US) for name in _TIMES)
    yield from (_between(field.attribute, field.low, field.high) for field in NUMBERS.values())
    if is_own:
        yield "coalesce(min(revision) >= 0, true)"
        yield from _JUDGEMENTS


def _between(column: str, low: float, high: float) -> str:
    # What is no number counts as larger than any.
    return f"coalesce(min({column}) >= {low!r} AND max({column}) <= {high!r}, true)"


def distributed(shares: Sequence[str]) -> str:
    """Return what is true of the distribution of a certain row, of which these columns have the probabilities.

    `named` is how many it should have, `model` the number of the column that was drawn.
    """
    able = " + ".join(f"({share} IS NOT NULL)::BIGINT" for share in shares)
    total = " + ".join(f"coalesce({share}, 0)" for share in shares)
    drawn = "CASE model " + " ".join(f"WHEN {number} THEN {share}" for number, share in enumerate(shares)) + " END"
    listed = ", ".join(str(kind.value) for kind in NOT_DRAWN)
    whole = f"named > 0 AND {able} = named AND least({', '.join(shares)}) >= 0 AND abs({total} - 1) < 5e-4"
    agrees = f"{drawn} > 0 AND abs(propensity - {drawn}) < 0.9e-3 * {drawn}"
    consistent = (
        f"coalesce(kind IN ({listed}), false) OR coalesce(propensity > 0, true) AND (named IS NULL OR {agrees})"
    )
    return f"coalesce((named IS NULL OR {whole}) AND ({consistent}), false)"
