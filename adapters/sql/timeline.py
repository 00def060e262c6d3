"""The decisions of a store in the order of time, each with its signals, page by page.

A page covers whole microseconds: a decision, its fallbacks and what was said of them have the same time, so they are
on the same page. What was said of decisions that are not in the decision log is on it too.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, String, Table, bindparam, cast, func, select, tuple_, union

from adapters.sql.rows import signal_record
from adapters.sql.schema import decisions, distributions, signals
from adapters.sql.statements import execute
from adapters.traffic.cells import LATEST_US
from bandit.records import SignalRecord

PAGE: Final = 5000
"""Decisions, and signals, that one page holds, unless more are of one microsecond."""
LOOKED_UP: Final = 500
"""Distributions that one statement looks up."""

DecisionKey = tuple[str, bytes]
"""Namespace and nonce."""


class Decided(NamedTuple):
    """A row of the decision log."""

    decided_us: int
    namespace: str
    nonce: bytes
    category: str
    model: str
    kind: int
    propensity: float
    reason: str
    profile: str
    distribution: bytes
    input_tokens: int | None
    request_id: str
    session_id: str
    client: str


class DrawnFrom(NamedTuple):
    """What traffic logs need of a distribution."""

    revision: int
    answer_value_usd: float
    second_value_usd: float
    probabilities: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Page:
    """Decisions from a time up to before `end_us`, in the order of their keys, and what is known of them."""

    end_us: int
    decisions: Mapping[DecisionKey, Decided]
    drawn_from: Mapping[DecisionKey, DrawnFrom]
    signals: Mapping[DecisionKey, Sequence[SignalRecord]]


_DECIDED: Final = (
    select(*(decisions.c[name] for name in Decided._fields))
    .where(decisions.c.decided_us >= bindparam("start"), decisions.c.decided_us < bindparam("end"))
    .order_by(*decisions.primary_key)
)
# Without the bills, which stores of earlier versions lack.
_SAID: Final = select(*(column for column in signals.c if not column.name.startswith("bill_"))).where(
    signals.c.decided_us >= bindparam("start"), signals.c.decided_us < bindparam("end")
)
_NO_BILL: Final = (None, None, None)


def span(connection: Connection) -> tuple[int, int] | None:
    """Return the times of the oldest and of the newest decision that a row is about, of those that there can be.

    None without rows.
    """
    known: list[int] = []
    for table in (decisions, signals):
        times, possible = table.c.decided_us, table.c.decided_us <= LATEST_US
        for end in (times.asc(), times.desc()):
            known += connection.scalars(select(times).where(possible).order_by(end).limit(1)).all()
    return (min(known), max(known)) if known else None


def next_time(connection: Connection, start_us: int) -> int | None:
    """Return the time of the first decision at `start_us` or later that a row is about."""
    found = [
        connection.scalar(select(func.min(table.c.decided_us)).where(table.c.decided_us >= start_us))
        for table in (decisions, signals)
    ]
    return min((time for time in found if time is not None), default=None)


def impossible(connection: Connection) -> Mapping[str, int]:
    """Return by namespace how many decisions rows are about whose time there cannot be: a clock was wrong."""
    keys = (
        select(table.c.namespace, table.c.nonce).where(table.c.decided_us > LATEST_US) for table in (decisions, signals)
    )
    each = union(*keys).subquery()
    counted = select(each.c.namespace, func.count()).group_by(each.c.namespace)
    return dict(connection.execute(counted).all())


def namespaces(connection: Connection) -> Sequence[str]:
    """Return every namespace that has decisions or signals, sorted; each costs two searches."""
    return sorted({*_distinct(connection, distributions), *_distinct(connection, signals)})


def page(connection: Connection, start_us: int, until_us: int, known: Mapping[DecisionKey, DrawnFrom]) -> Page:
    """Return the page that begins at `start_us`; the last one ends at `until_us`.

    `known` are distributions that need not be read again.
    """
    end_us = min(_end(connection, table, start_us, until_us) for table in (decisions, signals))
    decided = [Decided._make(row) for row in execute(connection, _DECIDED, (start_us, end_us))]
    said: defaultdict[DecisionKey, list[SignalRecord]] = defaultdict(list)
    for row in execute(connection, _SAID, (start_us, end_us)):
        record = signal_record((*row, *_NO_BILL))
        said[record.namespace, record.nonce].append(record)
    drawn_from = _drawn_from(connection, {(one.namespace, one.distribution) for one in decided}, known)
    return Page(end_us, {(one.namespace, one.nonce): one for one in decided}, drawn_from, said)


def _end(connection: Connection, table: Table, start_us: int, until_us: int) -> int:
    """Return the time at which a page is full of rows of this table."""
    times = select(table.c.decided_us).where(table.c.decided_us >= start_us, table.c.decided_us < until_us)
    last = connection.scalar(times.order_by(table.c.decided_us).offset(PAGE - 1).limit(1))
    return until_us if last is None else int(last) + 1


def _drawn_from(
    connection: Connection, wanted: set[DecisionKey], known: Mapping[DecisionKey, DrawnFrom]
) -> Mapping[DecisionKey, DrawnFrom]:
    found = {key: known[key] for key in wanted if key in known}
    missing = sorted(wanted - found.keys())
    for start in range(0, len(missing), LOOKED_UP):
        for row in connection.execute(_lookup(missing[start : start + LOOKED_UP])):
            namespace, digest, revision, answer_value_usd, second_value_usd, forecasts = row
            columns = json.loads(forecasts)
            probabilities = dict(zip(columns["model"], columns["probability"], strict=True))
            found[namespace, digest] = DrawnFrom(revision, answer_value_usd, second_value_usd, probabilities)
    return found


def _lookup(keys: Sequence[DecisionKey]) -> Select[*tuple[Any, ...]]:
    names = "namespace", "id", "revision", "answer_value_usd", "second_value_usd"
    # As text: SQLAlchemy's reading of JSON would be a second one.
    forecasts = cast(distributions.c.forecasts, String)
    return select(*(distributions.c[name] for name in names), forecasts).where(
        tuple_(distributions.c.namespace, distributions.c.id).in_(keys)
    )


def _distinct(connection: Connection, table: Table) -> Iterator[str]:
    last = connection.scalar(select(func.min(table.c.namespace)))
    while last is not None:
        yield last
        last = connection.scalar(select(func.min(table.c.namespace)).where(table.c.namespace > last))
