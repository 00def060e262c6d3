"""Everything that a store has of a namespace: counted, read, and removed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Function, Table, delete, func, select, update

from adapters.ledger import StoreError
from adapters.sql import registry
from adapters.sql.marks import advance_layout
from adapters.sql.reading import namespaces_in
from adapters.sql.schema import categories, decisions, metadata, revisions, signals

KEPT: Final = frozenset({"audit"})
"""What stays of a namespace that is removed: who did what, and never what was learned or said."""

SHARED: Final = ""
"""What stands for a namespace where all of them share an entry of the registry: no tenant."""

CHUNK: Final = 1000
"""Rows in memory at a time."""


class NamespaceSummary(NamedTuple):
    """What a store has of a namespace. Times are those of decisions, None without any."""

    namespace: str
    revision: int
    signals: int
    decisions: int
    categories: int
    oldest_us: int | None
    newest_us: int | None


def tables() -> Sequence[Table]:
    """Return the tables whose rows belong to namespaces."""
    return [table for table in metadata.sorted_tables if "namespace" in table.c and table.name not in KEPT]


def summaries(connection: Connection) -> Sequence[NamespaceSummary]:
    """Return what there is of each namespace, sorted by its name."""
    said, decided = _extents(connection, signals), _extents(connection, decisions)
    named = _by_namespace(connection, categories, func.count())
    counted = _by_namespace(connection, revisions, func.sum(revisions.c.revision))
    return [
        _summary(name, counted.get(name, 0), said.get(name, _NONE), decided.get(name, _NONE), named.get(name, 0))
        for name in namespaces_in(connection, *tables())
        if name != SHARED
    ]


def rows_of(connection: Connection, table: Table, namespace: str) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a table that belong to a namespace, in the order of their keys."""
    rows = select(table).where(table.c.namespace == namespace).order_by(*table.primary_key)
    for row in connection.execute(rows, execution_options={"yield_per": CHUNK}):
        yield row._asdict()


def remove(connection: Connection, namespace: str, *, time_us: int) -> Mapping[str, int]:
    """Remove every row of a namespace; return how many of each table.

    The audit says that its registered categories went, and when. In SQLite what was there is written over with zeros.
    Raises StoreError for an empty name.
    """
    if namespace == SHARED:
        raise StoreError("a namespace has a name: without one stand the models and profiles that all of them share")
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
    registry.note_removal(connection, namespace, time_us=time_us)
    removed = {
        table.name: connection.execute(delete(table).where(table.c.namespace == namespace)).rowcount
        for table in tables()
    }
    advance_layout(connection)
    return removed


def erase_rater(connection: Connection, namespace: str, rater: str) -> int:
    """Empty the rater of what one said; return how many signals that were. What they taught stays."""
    said = (signals.c.namespace == namespace) & (signals.c.rater == rater)
    return connection.execute(update(signals).where(said).values(rater="")).rowcount


def _by_namespace(connection: Connection, table: Table, figure: Function[Any]) -> Mapping[str, int]:
    rows = connection.execute(select(table.c.namespace, figure).group_by(table.c.namespace))
    return {namespace: int(value) for namespace, value in rows}


_Extent = tuple[int, int | None, int | None]
_NONE: Final[_Extent] = (0, None, None)


def _extents(connection: Connection, table: Table) -> Mapping[str, _Extent]:
    times = table.c.decided_us
    counted = select(table.c.namespace, func.count(), func.min(times), func.max(times)).group_by(table.c.namespace)
    return {namespace: (rows, oldest, newest) for namespace, rows, oldest, newest in connection.execute(counted)}


def _summary(name: str, revision: int, said: _Extent, decided: _Extent, named: int) -> NamespaceSummary:
    oldest = min((one for one in (said[1], decided[1]) if one is not None), default=None)
    newest = max((one for one in (said[2], decided[2]) if one is not None), default=None)
    return NamespaceSummary(name, revision, said[0], decided[0], named, oldest, newest)
