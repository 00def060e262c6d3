"""The log of decisions, from which replay starts. What several were drawn from is stored once."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Connection, Row, Table, delete, select, tuple_

from adapters.sql.reading import PAGE
from adapters.sql.schema import decisions, distributions
from adapters.sql.statements import Values, insert_or_keep, insert_or_raise, insert_rows
from bandit.records import DecisionRecord, DistributionRecord, ModelForecast
from bandit.signals import Kind

DIGEST_BYTES: Final = 16

_USE: Final = partial(insert_or_raise, name="used_us")
_ORDER: Final = tuple(decisions.primary_key)
_DRAWN: Final = (distributions.c.namespace == decisions.c.namespace) & (distributions.c.id == decisions.c.distribution)
_BOTH: Final = select(decisions, *(column for column in distributions.c if not column.primary_key)).join(
    distributions, _DRAWN
)


def log(connection: Connection, records: Sequence[DecisionRecord]) -> None:
    """Append records; a decision that is already logged is left as it is."""
    used: dict[tuple[str, int], tuple[DistributionRecord, int]] = {}
    for record in records:
        key = record.namespace, id(record.distribution)
        used[key] = record.distribution, max(record.decided_us, used.get(key, (None, 0))[1])
    rows = {key: _distribution_row(key[0], *use) for key, use in used.items()}
    insert_rows(connection, distributions, _USE, _latest(rows.values()))
    digests = {key: row[1] for key, row in rows.items()}
    insert_rows(connection, decisions, insert_or_keep, [_decision_row(record, digests) for record in records])


def _latest(rows: Iterable[Values]) -> Sequence[Values]:
    """Return one row for each namespace and digest, that of the latest use: records may be equal and not the same.

    No statement may meet a row twice, and two replicas must meet theirs in one order.
    """
    latest: dict[tuple[str, bytes], Values] = {}
    for row in sorted(rows, key=itemgetter(2)):
        latest[row[0], bytes(row[1])] = row
    return [row for _, row in sorted(latest.items(), key=itemgetter(0))]


def after(connection: Connection, last: DecisionRecord | None) -> Sequence[DecisionRecord]:
    """Return the next page of decisions, oldest first; None starts."""
    page = _BOTH.order_by(*_ORDER).limit(PAGE)
    if last is not None:
        page = page.where(tuple_(*_ORDER) > (last.decided_us, last.namespace, last.nonce))
    return [_record(row) for row in connection.execute(page)]


def find(connection: Connection, namespace: str, nonce: bytes, decided_us: int) -> DecisionRecord | None:
    """Return a decision by its key; None for one that is not logged."""
    key = {decisions.c.decided_us: decided_us, decisions.c.namespace: namespace, decisions.c.nonce: nonce}
    row = connection.execute(_BOTH.where(*(column == value for column, value in key.items()))).one_or_none()
    return None if row is None else _record(row)


def drop(connection: Connection, before_us: int, log: Table = decisions) -> int:
    """Drop decisions of `log` before this time and what only they were drawn from; return how many decisions."""
    connection.execute(delete(distributions).where(distributions.c.used_us < before_us))
    return connection.execute(delete(log).where(log.c.decided_us < before_us)).rowcount


def _distribution_row(namespace: str, one: DistributionRecord, used_us: int) -> Values:
    forecasts, exclusions = json.dumps(_columnar(one.forecasts)), json.dumps(dict(one.exclusions))
    intended = None if one.intended is None else json.dumps(dict(one.intended))
    content = *one[:5], forecasts, exclusions, *one[7:-1], intended
    digest = blake2b(repr(content).encode(), digest_size=DIGEST_BYTES).digest()
    return namespace, bytearray(digest), used_us, *content


def _decision_row(record: DecisionRecord, digests: Mapping[tuple[str, int], object]) -> Values:
    namespace, nonce, decided_us, category, model, kind, propensity, uniform, reason, profile, drawn_from = record[:11]
    return (
        decided_us,
        namespace,
        bytearray(nonce),
        category,
        model,
        int(kind),
        propensity,
        uniform,
        reason,
        profile,
        digests[namespace, id(drawn_from)],
        *record[11:],
    )


def _record(row: Row[*tuple[Any, ...]]) -> DecisionRecord:
    decided_us, namespace, nonce, *facts = row[:10]
    facts[2] = Kind(facts[2])
    own, drawn_from = row[11:17], row[18:]
    revision, snapshot_us, config_hash, answer_usd, second_usd, columns, exclusions, *limits = drawn_from
    forecasts = dict(zip(columns["model"], _forecasts(columns), strict=True))
    values = revision, snapshot_us, config_hash, answer_usd, second_usd, forecasts, exclusions, *limits
    return DecisionRecord._make((namespace, nonce, decided_us, *facts, DistributionRecord._make(values), *own))


def _forecasts(columns: Mapping[str, Sequence[Any]]) -> Sequence[ModelForecast]:
    unknown = [None] * len(columns["model"])
    # Rows of earlier versions lack the later fields.
    known = (columns.get(name, unknown) for name in ModelForecast._fields)
    return [ModelForecast(*row) for row in zip(*known, strict=True)]


def _columnar(forecasts: Mapping[str, ModelForecast]) -> Mapping[str, Sequence[object]]:
    """One list per number rather than one object per model: half the bytes, and what analytics wants."""
    columns = zip(*forecasts.values(), strict=True) if forecasts else ((),) * len(ModelForecast._fields)
    return {"model": list(forecasts), **dict(zip(ModelForecast._fields, map(list, columns), strict=True))}
