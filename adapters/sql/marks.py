"""Numbers kept in `meta`: times that only move forward, counts, and what tells stores apart."""

import secrets
from typing import Final

from sqlalchemy import Connection, bindparam, select

from adapters.ledger import moved
from adapters.sql.schema import meta
from adapters.sql.statements import execute, insert_or_add, insert_or_replace, insert_rows

BUCKET: Final = "bucket_us"
"""Width of a time bucket of the sums, which never changes."""

COMPACTED: Final = "compacted_us"
"""Time whose grid no row of the sums is finer than is needed for."""

RETAINED: Final = "retained_us"
"""Time of the oldest decision whose signals are still kept; older ones were dropped."""

LAYOUT: Final = "layout"
"""How often rows of the sums or the spend were merged or taken away; no time, but it only moves forward too."""

REGISTRY: Final = "registry_version"
"""How often the registry was changed: whoever changes it holds this row first, so that changes are serial."""

OLDEST_CODE: Final = "oldest_code"
"""Newest migration known to the oldest code that may use the tables, as a number."""

STORE: Final = "store"
"""A number that tells a store from any other, drawn when its tables are made and when a backup is restored."""

REPAIRS: Final = "repairs"
"""How often sums or spend were mended."""

_VALUE: Final = select(meta.c.value).where(meta.c.name == bindparam("name"))


def mark(connection: Connection, name: str) -> int:
    """Return a mark; 0 before it was first set."""
    found = execute(connection, _VALUE, (name,))
    return found[0][0] if found else 0


def advance(connection: Connection, name: str, value_us: int) -> int:
    """Move a mark towards `value_us`, as `moved` allows; return where it is."""
    latest = moved(mark(connection, name), value_us)
    insert_rows(connection, meta, insert_or_replace, [(name, latest)])
    return latest


def advance_layout(connection: Connection) -> None:
    """Let whoever follows the sums read all of them anew: rows were merged or taken away."""
    count(connection, LAYOUT)


def name_store(connection: Connection) -> None:
    """Make it another store than whatever had its tables, or its rows, before."""
    insert_rows(connection, meta, insert_or_replace, [(STORE, secrets.randbits(62))])


def count(connection: Connection, name: str, more: int = 1) -> None:
    """Add to a mark that counts."""
    insert_rows(connection, meta, insert_or_add, [(name, more)])
