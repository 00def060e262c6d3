"""The log of decisions, from which replay starts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Connection, Row

from adapters.sql import reading
from adapters.sql.schema import decisions
from adapters.sql.statements import execute_rows, insert_or_keep
from bandit.records import DecisionRecord, ModelForecast
from bandit.signals import Kind

_KEEP: Final = insert_or_keep(decisions)
_COLUMNS: Final = tuple(decisions.c.keys())
_KIND, _JSON = _COLUMNS.index("kind"), _COLUMNS.index("forecasts")
_BEFORE: Final = attrgetter(*_COLUMNS[:_KIND])
_BETWEEN: Final = attrgetter(*_COLUMNS[_KIND + 1 : _JSON])
_AFTER: Final = attrgetter(*_COLUMNS[_JSON + 2 :])
_FORECAST: Final = tuple(field.name for field in fields(ModelForecast))
_FORECAST_VALUES: Final = attrgetter(*_FORECAST)


def log(connection: Connection, records: Sequence[DecisionRecord]) -> None:
    """Append records; a decision that is already logged is left as it is."""
    # Decisions of one distribution share their forecasts, which are most of a row: each is encoded once.
    forecasts = {id(record.forecasts): record.forecasts for record in records}
    encoded = {key: json.dumps(_columnar(value)) for key, value in forecasts.items()}
    execute_rows(connection, _KEEP, [_row(record, encoded[id(record.forecasts)]) for record in records])


def after(connection: Connection, last: DecisionRecord | None) -> Sequence[DecisionRecord]:
    """Return the next page of decisions, oldest first; None starts."""
    order = decisions.c.decided_us, decisions.c.namespace, decisions.c.nonce
    position = (last.decided_us, last.namespace, last.nonce) if last else None
    return [_record(row) for row in reading.page(connection, decisions, order, position)]


def _row(record: DecisionRecord, forecasts: str) -> tuple[object, ...]:
    exclusions = json.dumps(dict(record.exclusions)) if record.exclusions else "{}"
    return *_BEFORE(record), int(record.kind), *_BETWEEN(record), forecasts, exclusions, *_AFTER(record)


def _record(row: Row[Any]) -> DecisionRecord:
    values = row._asdict()
    columns = values.pop("forecasts")
    forecasts = zip(*(columns[name] for name in _FORECAST), strict=True)
    return DecisionRecord(
        **values | {"kind": Kind(row.kind)},
        forecasts={m: ModelForecast(*f) for m, f in zip(columns["model"], forecasts, strict=True)},
    )


def _columnar(forecasts: Mapping[str, ModelForecast]) -> Mapping[str, Sequence[object]]:
    """One list per number rather than one object per model: half the bytes, and what analytics wants."""
    columns = zip(*map(_FORECAST_VALUES, forecasts.values()), strict=True) if forecasts else ((),) * len(_FORECAST)
    return {"model": list(forecasts), **dict(zip(_FORECAST, map(list, columns), strict=True))}
