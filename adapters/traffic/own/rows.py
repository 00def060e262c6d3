"""The own format by the row: one per decision, the same columns as JSON lines and as Parquet.

Every number comes back exactly. What is unknown is left out of a JSON object, and NULL in Parquet.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any, Final, TypeVar

from adapters.names import NAME
from adapters.traffic.calls import Call
from adapters.traffic.own.decision import Judgement, LoggedDecision
from adapters.traffic.own.soundness import HIGHEST, sound
from adapters.traffic.rows import Row
from bandit.signals import SCORE_PREFIX, THUMB, Kind, Status

NamedT = TypeVar("NamedT", bound=IntEnum)

FORMAT: Final = "routeward decisions 1"
COLUMNS: Final[Mapping[str, str]] = {
    "namespace": "VARCHAR",
    "call_id": "VARCHAR",
    "parent": "VARCHAR",
    "time_us": "BIGINT",
    "category": "VARCHAR",
    "model": "VARCHAR",
    "kind": "VARCHAR",
    "reason": "VARCHAR",
    "profile": "VARCHAR",
    "revision": "BIGINT",
    "request_id": "VARCHAR",
    "session": "VARCHAR",
    "client": "VARCHAR",
    "propensity": "DOUBLE",
    "probabilities": "MAP(VARCHAR, DOUBLE)",
    "answer_value_usd": "DOUBLE",
    "second_value_usd": "DOUBLE",
    "requested_tokens": "BIGINT",
    "status": "VARCHAR",
    "answered_us": "BIGINT",
    "latency_s": "DOUBLE",
    "first_token_s": "DOUBLE",
    "input_tokens": "BIGINT",
    "cached_input_tokens": "BIGINT",
    "output_tokens": "BIGINT",
    "cost_usd": "DOUBLE",
    "quality": "DOUBLE",
    "judged_us": "BIGINT",
    "judgements": "MAP(VARCHAR, DOUBLE)",
    "judgements_us": "MAP(VARCHAR, BIGINT)",
}
"""Name and SQL type of each column, in order."""
REQUIRED: Final = frozenset({"namespace", "call_id", "time_us", "category", "model", "kind"})
"""Columns that no row is without."""
SHARES: Final = ("propensity", "quality")
SIZES: Final = ("answer_value_usd", "second_value_usd", "latency_s", "first_token_s", "cost_usd")
COUNTS: Final = (
    "requested_tokens",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "answered_us",
    "judged_us",
)


def is_own(columns: Iterable[str]) -> bool:
    """Tell whether columns are those of this format."""
    found = set(columns)
    return found >= REQUIRED and found <= COLUMNS.keys()


def row_of(decision: LoggedDecision) -> dict[str, Any]:
    """Return the row of a decision, without what is unknown."""
    call, judgements = decision.call, decision.judgements
    row = {
        "namespace": decision.namespace,
        "call_id": call.call_id,
        "parent": decision.parent,
        "time_us": call.time_us,
        "category": call.category,
        "model": call.model,
        "kind": None if call.kind is None else call.kind.name,
        "reason": decision.reason,
        "profile": decision.profile,
        "revision": decision.revision,
        "request_id": decision.request_id,
        "session": call.session,
        "client": decision.client,
        "propensity": call.propensity,
        "probabilities": call.probabilities,
        "answer_value_usd": call.answer_value_usd,
        "second_value_usd": call.second_value_usd,
        "requested_tokens": call.requested_tokens,
        "status": None if call.status is None else call.status.name,
        "answered_us": call.answered_us,
        "latency_s": call.latency_s,
        "first_token_s": call.first_token_s,
        "input_tokens": call.input_tokens,
        "cached_input_tokens": call.cached_input_tokens,
        "output_tokens": call.output_tokens,
        "cost_usd": call.cost_usd,
        "quality": call.quality,
        "judged_us": call.judged_us,
        "judgements": {source: one.value for source, one in judgements.items()} or None,
        "judgements_us": {source: one.observed_us for source, one in judgements.items()} or None,
    }
    return {name: cell for name, cell in row.items() if cell is not None and cell != ""}


def decision_of(row: Row) -> LoggedDecision:
    """Return the decision of a row. Raises ValueError with the column and what is wrong with it."""
    numbers: dict[str, Any] = {name: _count(row, name) for name in COUNTS}
    numbers |= {name: _number(row, name) for name in (*SHARES, *SIZES)}
    call = Call(
        category=_name(row, "category"),
        model=_name(row, "model"),
        time_us=_required_count(row, "time_us"),
        call_id=_text(row, "call_id", required=True),
        session=_text(row, "session"),
        kind=_named(Kind, row, "kind", required=True),
        status=_named(Status, row, "status"),
        probabilities=_shares(row, "probabilities"),
        **numbers,
    )
    decision = LoggedDecision(
        call,
        _name(row, "namespace"),
        _text(row, "parent"),
        _text(row, "reason"),
        _text(row, "profile"),
        _count(row, "revision"),
        _text(row, "request_id"),
        _text(row, "client"),
        _judgements(row),
    )
    return sound(decision)


def _text(row: Row, column: str, *, required: bool = False) -> str:
    cell = row.get(column)
    if cell is None and not required:
        return ""
    if not isinstance(cell, str) or (required and not cell):
        raise ValueError(f"{column} is no text" if cell else f"{column} is missing")
    return cell


def _name(row: Row, column: str) -> str:
    found = _text(row, column, required=True)
    if NAME.fullmatch(found) is None:
        raise ValueError(f"{column} is no name (1 to 64 characters of A-Z a-z 0-9 . _ : / -)")
    return found


def _named(members: type[NamedT], row: Row, column: str, *, required: bool = False) -> NamedT | None:
    found = _text(row, column, required=required)
    if found and found not in members.__members__:
        raise ValueError(f"{column} is none of {', '.join(members.__members__)}")
    return members[found] if found else None


def _required_count(row: Row, column: str) -> int:
    found = _count(row, column)
    if found is None:
        raise ValueError(f"{column} is missing")
    return found


def _count(row: Row, column: str) -> int | None:
    cell = row.get(column)
    if cell is None:
        return None
    if isinstance(cell, bool) or not isinstance(cell, int) or cell < 0:
        raise ValueError(f"{column} is no whole number of 0 or more")
    return cell


def _number(row: Row, column: str) -> float | None:
    cell = row.get(column)
    return None if cell is None else _checked(column, cell, HIGHEST[column])


def _checked(column: str, cell: object, high: float) -> float:
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        raise ValueError(f"{column} is not a number")
    if not 0 <= cell <= high:  # before it is made a float, which cannot be as large as a whole number
        raise ValueError(f"{column} is out of range")
    return float(cell)


def _shares(row: Row, column: str) -> dict[str, float] | None:
    """Return numbers in [0, 1] by name, in the order in which they stand."""
    cell = row.get(column)
    if cell is None:
        return None
    if not isinstance(cell, Mapping):
        raise ValueError(f"{column} is no object")
    if not all(isinstance(name, str) and NAME.fullmatch(name.removeprefix(SCORE_PREFIX)) for name in cell):
        raise ValueError(f"{column} has something that is no name")
    return {name: _checked(column, share, 1.0) for name, share in cell.items()}


def _judgements(row: Row) -> dict[str, Judgement]:
    values, times = _shares(row, "judgements") or {}, row.get("judgements_us") or {}
    if not isinstance(times, Mapping) or values.keys() != times.keys():
        raise ValueError("judgements_us has other sources than judgements")
    if not all(source == THUMB or source.startswith(SCORE_PREFIX) for source in values):
        raise ValueError(f"judgements has a source that is neither {THUMB} nor {SCORE_PREFIX}NAME")
    return {source: Judgement(value, _required_count(times, source)) for source, value in values.items()}
