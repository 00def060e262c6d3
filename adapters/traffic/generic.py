"""Tables and JSON lines with a call a row, in columns of these names or of those that the user maps to them."""

from collections.abc import Iterator
from typing import Final

from adapters.names import NAME
from adapters.traffic import cells
from adapters.traffic.calls import Call
from adapters.traffic.fields import SCORE, Column, Layout
from adapters.traffic.plan import Plan
from adapters.traffic.reading import Found, Reading, consistent
from adapters.traffic.rows import Row
from adapters.traffic.source import Source

COLUMNS: Final[Layout] = {
    "category": (Column("category"),),
    "model": (Column("model"),),
    "call_id": (Column("call_id"),),
    "session": (Column("session"), Column("session_id")),
    "time": (Column("time"), Column("time_s", "s"), Column("time_ms", "ms"), Column("time_us", "us")),
    "kind": (Column("kind"),),
    "propensity": (Column("propensity"),),
    "probabilities": (Column("probabilities"),),
    "eligible": (Column("eligible"),),
    "answer_value": (Column("answer_value_usd", "usd"),),
    "second_value": (Column("second_value_usd", "usd"),),
    "requested_tokens": (Column("requested_tokens"),),
    "input_tokens": (Column("input_tokens"),),
    "cached_input_tokens": (Column("cached_input_tokens"),),
    "output_tokens": (Column("output_tokens"),),
    "cost": (Column("cost_usd", "usd"), Column("cost", "usd")),
    "latency": (Column("latency_s", "s"), Column("latency_ms", "ms")),
    "first_token": (Column("first_token_s", "s"), Column("first_token_ms", "ms")),
    "status": (Column("status"),),
    "error": (Column("error"),),
    "quality": (Column("quality"),),
    "thumb": (Column("thumb"),),
    "answered": (Column("answered_time"), Column("answered_us", "us")),
    "judged": (Column("judged_time"), Column("judged_us", "us")),
}
"""The names that are read without being asked; a column named score:NAME is a score of that name."""
_SAYING: Final = frozenset(column.path for columns in COLUMNS.values() for column in columns) - {"model", "category"}


def matches(columns: frozenset[str]) -> bool:
    """Return whether a model, and anything else of a call, is named as it is here."""
    return "model" in columns and any(column in _SAYING or column.startswith(SCORE) for column in columns)


def named(field: str) -> frozenset[str]:
    """Return the names under which a field is read without being mapped."""
    return frozenset(column.path for column in COLUMNS.get(field, (Column(field),)))


def calls(source: Source, reading: Reading) -> Iterator[Found]:
    """Yield the calls of a log."""
    columns = frozenset[str]().union(*(file.columns for file in source.files))
    plan = Plan.of(present(reading.layout(COLUMNS), columns))
    return reading.usable(source.records(), lambda row: call_of(row, plan, reading))


def present(layout: Layout, columns: frozenset[str]) -> Layout:
    """Return what of a layout a log has, and its scores."""
    found = {
        name: kept
        for name, wanted in layout.items()
        if (kept := tuple(one for one in wanted if {one.path, one.path.partition(".")[0]} & columns))
    }
    scores = {name: (Column(name),) for name in sorted(columns) if name.startswith(SCORE) and NAME.fullmatch(name)}
    return scores | found


def call_of(row: Row, plan: Plan, reading: Reading) -> tuple[Call, tuple[str, ...]]:
    """Read a row. Raises ValueError with the reason for which it cannot be used.

    A category is wanted where the log has a column for it, and is empty elsewhere.
    """
    is_told = "category" in plan.layout
    category = cells.name("category", plan.first(row, "category")[1]) if is_told else ""
    model = cells.name("model", plan.first(row, "model")[1])
    judgements = plan.judgements(row)
    call = Call(category, model, quality=reading.quality(judgements), **plan.attributes(row))
    return consistent(call), tuple(judgements)
