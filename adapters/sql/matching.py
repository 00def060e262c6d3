"""Finding the signals that an exclusion covers."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, false, func, or_, select, tuple_

from adapters.exclusion import Exclusion
from adapters.ledger import covering, grid, key_of
from adapters.sql.marks import COMPACTED, RETAINED, mark
from adapters.sql.rows import signal_record
from adapters.sql.schema import signals, sums_base
from bandit.evidence import events_of
from bandit.records import SignalRecord

PAGE: Final = 1000


def after(connection: Connection, last: SignalRecord | None, *, exclusion: Exclusion) -> Sequence[SignalRecord]:
    """Return the next page of what an exclusion covers, in the order of keys; None starts."""
    order = signals.c.namespace, signals.c.nonce, signals.c.signal
    page = select(signals).where(_covered(exclusion), _in_reach(connection)).order_by(*order).limit(PAGE)
    if last is not None:
        page = page.where(tuple_(*order) > key_of(last))
    return [signal_record(row) for row in connection.execute(page)]


def count(connection: Connection, exclusion: Exclusion) -> int:
    """Return how many signals an exclusion covers."""
    covered = select(func.count()).select_from(signals).where(_covered(exclusion), _in_reach(connection))
    return connection.execute(covered).scalar_one()


def out_of_reach(connection: Connection, exclusion: Exclusion, *, bucket_us: int, age_us: int) -> int:
    """Return how many observations may be among what an exclusion means, and stay.

    Signals that were dropped taught them, and of these nobody knows any more who gave them; it is known when their
    decisions were made, and feedback is received up to `age_us` after that. Or signals did that are still there and
    will be dropped next.
    """
    return _dropped(connection, exclusion, bucket_us, age_us) + _about_to_be_dropped(connection, exclusion)


def _dropped(connection: Connection, exclusion: Exclusion, bucket_us: int, age_us: int) -> int:
    starts = grid(mark(connection, COMPACTED), bucket_us)
    within = [sums_base.c.n != 0]
    if exclusion.since_us is not None:
        first = covering(starts, max(exclusion.since_us - age_us, 0) // bucket_us)
        within.append(sums_base.c.bucket >= first)
    if exclusion.until_us is not None:
        within.append(sums_base.c.bucket <= exclusion.until_us // bucket_us)
    if exclusion.namespace:
        within.append(sums_base.c.namespace == exclusion.namespace)
    return int(connection.scalar(select(func.sum(sums_base.c.n)).where(*within)) or 0)


def _about_to_be_dropped(connection: Connection, exclusion: Exclusion) -> int:
    covered = select(signals).where(_covered(exclusion), ~_in_reach(connection))
    rows = connection.execute(covered, execution_options={"yield_per": PAGE})
    return sum(len(events_of(record.decision, record.fact)) for record in map(signal_record, rows))


def _in_reach(connection: Connection) -> ColumnElement[bool]:
    """Say that a signal is not to be dropped: what is said of an older one, also to take it back, is superseded.

    It may be there for long: a sweep was interrupted, or its day is not over.
    """
    return signals.c.decided_us >= mark(connection, RETAINED)


def _covered(exclusion: Exclusion) -> ColumnElement[bool]:
    """Say what `Exclusion.covers` says, to the database."""
    conditions: list[ColumnElement[bool]] = [signals.c.retracted == false()]
    if exclusion.clients or exclusion.raters:
        clients, raters = sorted(exclusion.clients), sorted(exclusion.raters)
        conditions.append(or_(signals.c.client.in_(clients), signals.c.rater.in_(raters)))
    if exclusion.since_us is not None:
        conditions.append(signals.c.received_us >= exclusion.since_us)
    if exclusion.until_us is not None:
        conditions.append(signals.c.received_us < exclusion.until_us)
    if exclusion.namespace:
        conditions.append(signals.c.namespace == exclusion.namespace)
    return and_(*conditions)
