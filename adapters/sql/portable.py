"""The tables of a store as rows, from one database to another: backups of PostgreSQL, and their return."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, func, insert, select

from adapters.ledger import StoreError
from adapters.sql import versions
from adapters.sql.marks import BUCKET, LAYOUT, count, mark
from adapters.sql.namespaces import tables
from adapters.sql.reading import namespaces_in
from adapters.sql.schema import metadata
from adapters.sql.sqlite.copying import writing
from adapters.sql.sqlite.database import APPLICATION_ID
from adapters.sql.sqlite.inspection import read_only
from adapters.sql.statements import given_columns

CHUNK: Final = 1000
"""Rows in memory at a time."""

Progress = Callable[[int, int], object]
"""Told how many rows were copied, of how many."""


def dump(source: Connection, file: Path, progress: Progress) -> Mapping[str, int]:
    """Write everything that a store holds to an empty SQLite file; return how many rows of each table."""
    with writing(file) as target:
        target.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        versions.prepare(target, bucket_us=mark(source, BUCKET))
        return copy_tables(source, target, progress)


def load(target: Connection, file: Path, progress: Progress) -> Mapping[str, int]:
    """Copy everything that a SQLite file of this version holds into an empty store; as `copy_tables`."""
    with read_only(file) as source:
        widths = mark(source, BUCKET), mark(target, BUCKET)
        if widths[0] != widths[1]:
            raise StoreError(f"the backup keeps time buckets of {widths[0]} us, the store of {widths[1]} us")
        return copy_tables(source, target, progress)


def copy_tables(source: Connection, target: Connection, progress: Progress) -> Mapping[str, int]:
    """Copy every row into a store that has learned nothing yet; return how many of each table.

    Both are read and written in one transaction each. Raises StoreError, and writes nothing, where the target holds
    anything of a namespace.
    """
    if holding := namespaces_in(target, *tables()):
        raise StoreError(f"the store holds namespaces already ({', '.join(holding[:5])}): restore into an empty one")
    counts = {table: _count(source, table) for table in metadata.sorted_tables}
    total, done, layout = sum(counts.values()), 0, mark(target, LAYOUT)
    for table in counts:
        target.execute(delete(table))
        for chunk in _chunks(source, table):
            target.execute(insert(table), chunk)
            done += len(chunk)
            progress(done, total)
    # Above both: replicas of the target have seen its own, and must not take the one of the source for it.
    count(target, LAYOUT, layout + 1)
    return {table.name: rows for table, rows in counts.items()}


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _chunks(source: Connection, table: Table) -> Iterator[Sequence[Mapping[str, Any]]]:
    told = select(*(table.c[name] for name in given_columns(table)))
    rows = source.execute(told, execution_options={"yield_per": CHUNK})
    for part in rows.partitions(CHUNK):
        yield [row._asdict() for row in part]
