"""The tables of a store as rows, from one database to another: backups of PostgreSQL, and their return."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import JSON, Connection, Row, String, Table, cast, delete, func, select

from adapters.ledger import StoreError
from adapters.sql import preparing
from adapters.sql.marks import BUCKET, LAYOUT, count, mark, name_store
from adapters.sql.namespaces import tables as of_namespaces
from adapters.sql.postgres import tables
from adapters.sql.reading import namespaces_in
from adapters.sql.schema import metadata, registry
from adapters.sql.sqlite.copying import writing
from adapters.sql.sqlite.database import APPLICATION_ID
from adapters.sql.sqlite.inspection import read_only
from adapters.sql.statements import POSTGRESQL, given_columns, insert_only, insert_rows
from adapters.traffic.cells import LATEST_US

CHUNK: Final = 1000
"""Rows in memory at a time."""

DAYS: Final = 40
"""The newest days of a log that get a partition of their own in PostgreSQL; retention drops older rows one by one."""

Progress = Callable[[int, int], object]
"""Told how many rows were copied, of how many."""


def dump(source: Connection, file: Path, progress: Progress) -> Mapping[str, int]:
    """Write everything that a store holds to an empty SQLite file; return how many rows of each table."""
    with writing(file) as target:
        target.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        preparing.prepare(target, bucket_us=mark(source, BUCKET))
        return copy_tables(source, target, progress)


def load(target: Connection, file: Path, progress: Progress) -> Mapping[str, int]:
    """Copy everything that a SQLite file of this version holds into an empty store; as `copy_tables`."""
    require_width(file, mark(target, BUCKET))
    with read_only(file) as source:
        return copy_tables(source, target, progress)


def require_width(file: Path, bucket_us: int) -> None:
    """Raise StoreError for a backup that counts in other time buckets than a store of this width."""
    with read_only(file) as source:
        width_us = mark(source, BUCKET)
    if width_us != bucket_us:
        raise StoreError(
            f"the backup keeps time buckets of {width_us} us, the store of {bucket_us} us: "
            f"set bucket_seconds = {width_us / 1e6:g} in [learning], for an empty database"
        )


def require_empty(target: Connection) -> None:
    """Raise StoreError for a store that holds anything of a namespace, or a registry."""
    told = (table for table in of_namespaces() if table is not registry)
    if holding := namespaces_in(target, *told):
        raise StoreError(f"the store holds namespaces already ({', '.join(holding[:5])}): restore into an empty one")
    if entries := target.scalars(select(registry.c.name).order_by(registry.c.name).limit(5)).all():
        raise StoreError(f"the store holds a registry already ({', '.join(entries)}): restore into an empty one")


def copy_tables(source: Connection, target: Connection, progress: Progress) -> Mapping[str, int]:
    """Copy every row into a store that has learned nothing yet; return how many of each table.

    Both are read and written in one transaction each. Raises StoreError, and writes nothing, where the target holds
    anything of a namespace, or a registry.
    """
    require_empty(target)
    counts = {table: _count(source, table) for table in metadata.sorted_tables}
    total, done, layout = sum(counts.values()), 0, mark(target, LAYOUT)
    if target.dialect.name == POSTGRESQL:
        _make_days(source, target)
    for table in counts:
        target.execute(delete(table))
        for chunk in _chunks(source, table):
            insert_rows(target, table, insert_only, chunk)
            done += len(chunk)
            progress(done, total)
    # Above both: replicas of the target have seen its own, and must not take the one of the source for it.
    count(target, LAYOUT, layout + 1)
    name_store(target)
    return {table.name: rows for table, rows in counts.items()}


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _make_days(source: Connection, target: Connection) -> None:
    """Make the partitions of the days that the logs of the source have rows of: each day can then be dropped whole."""
    for log in tables.LOGS:
        day = log.c.decided_us // tables.DAY_US
        possible = select(day).where(log.c.decided_us <= LATEST_US).distinct()
        for found in source.scalars(possible.order_by(day.desc()).limit(DAYS)).all():
            tables.make_partition(target, log, found)


def _chunks(source: Connection, table: Table) -> Iterator[Sequence[Row[Any]]]:
    columns = (table.c[name] for name in given_columns(table))
    # As text, which is what a statement for many rows takes, and which keeps it as it is written.
    told = select(*(cast(column, String) if isinstance(column.type, JSON) else column for column in columns))
    yield from source.execute(told, execution_options={"yield_per": CHUNK}).partitions(CHUNK)
