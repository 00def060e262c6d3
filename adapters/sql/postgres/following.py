"""What changed since a replica last looked.

A row carries the number of the transaction that wrote it last. A snapshot of PostgreSQL says below which number every
transaction had ended when it was taken (`pg_snapshot_xmin`), so rows of later numbers are all that may have changed
since: nothing is skipped however late it commits, and no clock is asked. What was read already may be read again;
rows are absolute, so that does no harm.
"""

from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, Connection, Select, Table, bindparam, select, text, tuple_

from adapters.ledger import Followed, Position, StoredSums
from adapters.sql.marks import LAYOUT, REGISTRY, STORE, mark
from adapters.sql.reading import added_up
from adapters.sql.schema import CHANGED, categories, revisions, spend, sums
from bandit.spend import MINUTE_US, SpendKey, Tally
from bandit.sums import Moments, RowKey

_MOMENT: Final = text(
    "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, "
    + ", ".join(f"pg_relation_filenode('{table.name}')::bigint" for table in (sums, spend, revisions))
)
"""Below which number every transaction has ended, and which files hold the tables.

A table that was emptied at once (TRUNCATE), or made anew, has another file than before.
"""


class _Found(NamedTuple):
    rows: dict[RowKey, Moments]
    categories: list[str]
    spend: dict[SpendKey, Tally]


def follow(connection: Connection, seen: Position | None, billed_since_us: Mapping[str, int]) -> Followed:
    """Return what changed since `seen`, within a transaction that sees one moment."""
    horizon, *files = map(int, connection.execute(_MOMENT).one())
    held = (mark(connection, LAYOUT), mark(connection, STORE), *files)
    # A smaller number, or another store, is what was restored from a backup.
    whole = seen is None or seen[1:] != held or seen[0] > horizon
    since = 0 if whole or seen is None else seen[0]
    found: defaultdict[str, _Found] = defaultdict(lambda: _Found({}, [], {}))
    for namespace, category, model, signal, source, bucket, *numbers in _changed_rows(connection, sums, since):
        found[namespace].rows[RowKey(category, model, signal, source, bucket)] = Moments(*numbers)
    if billed_since_us:
        for namespace, category, profile, priced, minute, *numbers in _changed_rows(connection, spend, since):
            if minute >= billed_since_us.get(namespace, (minute + 1) * MINUTE_US) // MINUTE_US:
                found[namespace].spend[SpendKey(category, profile, priced, minute)] = Tally(*numbers)
    named = select(categories.c.namespace, categories.c.name).where(categories.c[CHANGED] >= since)
    for namespace, name in connection.execute(named):
        found[namespace].categories.append(name)
    counts = dict(map(tuple, _changed_rows(connection, revisions, since)))
    namespaces = {
        name: StoredSums(counts.get(name, 0), found[name].rows, tuple(found[name].categories), found[name].spend)
        for name in sorted({*found, *counts})
    }
    return Followed((horizon, *held), whole, namespaces, mark(connection, REGISTRY))


def _changed_rows(connection: Connection, table: Table, since: int) -> list[Any]:
    statement = added_up(table) if not since else _since(table)
    return list(connection.execute(statement, {"since": since} if since else {}))


@cache
def _since(table: Table) -> Select[*tuple[Any, ...]]:
    """Select the rows of keys of which any shard changed, added up over all shards."""
    key = [column for column in table.primary_key if column.name != "shard"]
    changed = select(*key).where(table.c[CHANGED] >= bindparam("since", type_=BigInteger))
    return added_up(table).where(tuple_(*key).in_(changed))
