"""The tables of a store as rows, from one database to another: backups of PostgreSQL, and their return."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, func, insert, select

from adapters.ledger import StoreError
from adapters.sql.marks import advance_layout
from adapters.sql.namespaces import tables
from adapters.sql.reading import namespaces_in
from adapters.sql.schema import metadata

CHUNK: Final = 1000
"""Rows in memory at a time."""

Progress = Callable[[int, int], object]
"""Told how many rows were copied, of how many."""


def copy_tables(source: Connection, target: Connection, progress: Progress) -> Mapping[str, int]:
    """Copy every row into a store that has learned nothing yet; return how many of each table.

    Both are read and written in one transaction each. Raises StoreError, and writes nothing, where the target holds
    anything of a namespace.
    """
    if holding := namespaces_in(target, *tables()):
        raise StoreError(f"the store holds namespaces already ({', '.join(holding[:5])}): restore into an empty one")
    counts = {table: int(source.scalar(select(func.count()).select_from(table)) or 0) for table in _ordered()}
    total, done = sum(counts.values()), 0
    for table in counts:
        target.execute(delete(table))
        for chunk in _chunks(source, table):
            target.execute(insert(table), chunk)
            done += len(chunk)
            progress(done, total)
    advance_layout(target)
    return {table.name: count for table, count in counts.items()}


def _ordered() -> Sequence[Table]:
    return metadata.sorted_tables


def _chunks(source: Connection, table: Table) -> Iterator[Sequence[Mapping[str, Any]]]:
    rows = source.execute(select(table), execution_options={"yield_per": CHUNK})
    for part in rows.partitions(CHUNK):
        yield [row._asdict() for row in part]
