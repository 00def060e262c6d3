"""Times that only move forward, kept in `meta`."""

from typing import Final

from sqlalchemy import Connection, bindparam, select

from adapters.ledger import moved
from adapters.sql.schema import meta
from adapters.sql.statements import execute, insert_or_replace

COMPACTED: Final = "compacted_us"
"""Time whose grid no row of the sums is finer than is needed for."""

RETAINED: Final = "retained_us"
"""Time of the oldest decision whose signals are still kept; older ones were dropped."""

_VALUE: Final = select(meta.c.value).where(meta.c.name == bindparam("name"))
_REMEMBER: Final = insert_or_replace(meta, meta.c.keys())


def mark(connection: Connection, name: str) -> int:
    """Return a mark; 0 before it was first set."""
    found = execute(connection, _VALUE, (name,))
    return found[0][0] if found else 0


def advance(connection: Connection, name: str, value_us: int) -> int:
    """Move a mark towards `value_us`, as `moved` allows; return where it is."""
    latest = moved(mark(connection, name), value_us)
    connection.execute(_REMEMBER, {"name": name, "value": latest})
    return latest
