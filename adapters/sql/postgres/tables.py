"""What PostgreSQL makes of the tables besides: the logs in partitions of a day, and an index on what changed."""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Column, Connection, Index, MetaData, Table, exists, inspect, select, text

from adapters.sql.schema import CHANGED, decisions, metadata, revisions, signals, spend, sums

DAY_US: Final = 86_400_000_000
LOGS: Final = (signals, decisions)
DEFAULT: Final = "default"
"""Name of the partition for days that have none of their own."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def create(connection: Connection) -> None:
    """Make every table of the schema."""
    metadata.create_all(connection, tables=[table for table in metadata.sorted_tables if table not in LOGS])
    for log in LOGS:
        _partitioned(log).create(connection)
        connection.execute(text(f"CREATE TABLE {partition(log, None)} PARTITION OF {log.name} DEFAULT"))
    for table in (sums, spend, revisions):
        connection.execute(text(f"CREATE INDEX ix_{table.name}_{CHANGED} ON {table.name} ({CHANGED})"))


def partition(log: Table, day: int | None) -> str:
    """Return the name of the partition of a log for a day since 1970; None for what has none."""
    return f"{log.name}_{DEFAULT}" if day is None else f"{log.name}_{_EPOCH + timedelta(days=day):%Y%m%d}"


def days_of(connection: Connection, log: Table) -> dict[int, str]:
    """Return the days that have a partition of their own, with its name, oldest first."""
    names = connection.scalars(
        text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(:name)"),
        {"name": log.name},
    )
    prefix = f"{log.name}_"
    found = {}
    for name in sorted(names):
        day = name.removeprefix(prefix)
        if day != DEFAULT:
            found[(datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC) - _EPOCH).days] = name
    return found


def make_partition(connection: Connection, log: Table, day: int) -> None:
    """Make the partition for a day, unless it has one, or rows elsewhere."""
    name, (start_us, end_us) = partition(log, day), (day * DAY_US, (day + 1) * DAY_US)
    if inspect(connection).has_table(name):
        return
    # Nobody may add a row of the day between our look and the partition.
    connection.execute(text(f"LOCK TABLE {partition(log, None)} IN SHARE MODE"))
    if connection.scalar(select(exists().where(log.c.decided_us >= start_us, log.c.decided_us < end_us))):
        return
    bounds = f"FROM ({start_us}) TO ({end_us})"
    # Attaching lets others read and write the other days meanwhile; making it in place would not.
    connection.execute(text(f"CREATE TABLE {name} (LIKE {log.name} INCLUDING ALL)"))
    connection.execute(text(f"ALTER TABLE {log.name} ATTACH PARTITION {name} FOR VALUES {bounds}"))


def drop_partition(connection: Connection, name: str) -> None:
    """Drop a partition with its rows."""
    connection.execute(text(f"DROP TABLE {name}"))


def of_partition(log: Table, name: str) -> Table:
    """Return a partition as a table of its own, with the columns of its log."""
    return log.to_metadata(MetaData(), name=name)


def _partitioned(log: Table) -> Table:
    """Return a log whose key has its day: PostgreSQL wants that, and equal keys have equal days."""
    columns = [
        Column(
            column.name,
            column.type,
            primary_key=column.primary_key or column is log.c.decided_us,
            nullable=column.nullable,
            autoincrement=False,
        )
        for column in log.c
    ]
    copy = Table(
        log.name,
        MetaData(naming_convention=metadata.naming_convention),
        *columns,
        postgresql_partition_by="RANGE (decided_us)",
    )
    for index in log.indexes:
        Index(index.name, *(copy.c[column.name] for column in index.columns))
    return copy
