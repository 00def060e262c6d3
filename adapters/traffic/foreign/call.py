"""What the readers of other programs' logs share: names are mended, and a cost of 0 says little."""

from collections.abc import Mapping
from typing import Any

from adapters.traffic import cells
from adapters.traffic.calls import Call
from adapters.traffic.plan import Plan
from adapters.traffic.reading import Reading, consistent
from adapters.traffic.rows import Row


def foreign_call(
    row: Row, plan: Plan, reading: Reading, judgements: Mapping[str, float], **known: Any
) -> tuple[Call, tuple[str, ...]]:
    """Read a row with the names in it mended; `known` are attributes that its reader found by its own rules."""
    column, cell = plan.first(row, "category")
    category = reading.category(column.path, cell)
    model = cells.name("model", plan.first(row, "model")[1], mended=True)
    said = {**judgements, **plan.judgements(row)}
    attributes = {**plan.attributes(row), **known}
    call = Call(category, model, **attributes)
    return consistent(call._replace(quality=reading.quality(said))), tuple(said)


def paid(call: Call, *, is_free: bool) -> Call:
    """Return a call whose cost is unknown where a 0 is what its program writes for a price it does not know."""
    return call if call.cost_usd != 0.0 or is_free else call._replace(cost_usd=None)


def timed(call: Call, first_token_us: int | None, reading: Reading) -> Call:
    """Return a call with the durations between its times, where nothing else was mapped.

    A first token that came with the last one is that of an answer that was not streamed, and unknown.
    """
    began, ended = call.time_us, call.answered_us
    if began is None or ended is None or ended <= began:
        return call
    if "latency" not in reading.column_map:
        call = call._replace(latency_s=(ended - began) / 1e6)
    if "first_token" not in reading.column_map and first_token_us is not None and began < first_token_us < ended:
        call = call._replace(first_token_s=(first_token_us - began) / 1e6)
    return call
