"""Which version the tables of a store have, and whether this code may use them.

Tables change in two steps, so that servers of two versions may run on them: see ADR 0023.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    delete,
    insert,
    inspect,
    select,
)

from adapters.ledger import StoreError, StoreSchemaError
from adapters.sql.marks import BUCKET, OLDEST_CODE, mark
from adapters.sql.schema import meta, metadata

HEAD: Final = "0005"
"""The newest migration."""

COMPATIBLE_FROM: Final = "0005"
"""The oldest code whose servers may run on tables of HEAD: the latest that any migration names."""

Create = Callable[[Connection], object]
"""Makes every table of HEAD."""

MIGRATIONS: Final = Path(__file__).parent / "migrations"

STAMP: Final = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


@dataclass(frozen=True, slots=True)
class Code:
    """What a version of the code knows: its newest migration, and the folder of all of them."""

    head: str = HEAD
    migrations: Path = MIGRATIONS


THIS: Final = Code()


@dataclass(frozen=True, slots=True)
class Schema:
    """The version of the tables of a store, None where it is empty, and the oldest code that may use them.

    The latter is None where nobody has said so: then only code that knows the version may.
    """

    version: str | None = None
    oldest_code: str | None = None

    def newer_than(self, code: Code) -> bool:
        """Tell whether a newer version of the code made these tables."""
        return self.version is not None and self.version > code.head

    def refuses(self, code: Code) -> bool:
        """Tell whether the code must leave these tables alone."""
        return self.newer_than(code) and (self.oldest_code is None or self.oldest_code > code.head)

    def behind(self, code: Code) -> bool:
        """Tell whether the code has something to make or to change before it can use these tables."""
        return self.version is None or self.version < code.head


def schema_of(connection: Connection) -> Schema:
    """Return what a store says of its tables."""
    found = inspect(connection)
    version = connection.scalar(select(STAMP.c.version_num)) if found.has_table(STAMP.name) else None
    if version is None or not found.has_table(meta.name):
        return Schema(version)
    oldest = mark(connection, OLDEST_CODE)
    return Schema(version, f"{oldest:04}" if oldest else None)


def examine(connection: Connection, *, bucket_us: int, code: Code = THIS) -> Schema:
    """Return what a store says of its tables.

    Raises StoreSchemaError where this code must leave them alone, StoreError for another bucket width.
    """
    schema = schema_of(connection)
    require_usable(schema, code)
    if schema.version is not None:
        _require_width(connection, bucket_us)
    return schema


def require_usable(schema: Schema, code: Code = THIS, store: str = "the store") -> None:
    """Raise StoreSchemaError where the code must leave the tables alone."""
    if schema.refuses(code):
        users = f", which servers that know {schema.oldest_code} or newer can use" if schema.oldest_code else ""
        raise StoreSchemaError(
            f"{store} has schema {schema.version}{users}, this version knows {code.head}: "
            "upgrade routeward before starting it here"
        )


def lacking(connection: Connection) -> Iterator[str]:
    """Yield the tables, and the columns as TABLE.COLUMN, that this code uses and the store does not have."""
    found = inspect(connection)
    names = set(found.get_table_names())
    for table in metadata.sorted_tables:
        if table.name not in names:
            yield table.name
            continue
        columns = {column["name"] for column in found.get_columns(table.name)}
        yield from (f"{table.name}.{column.name}" for column in table.columns if column.name not in columns)


def note_oldest_code(connection: Connection, oldest: str, version: str) -> None:
    """Write down which code may use tables of a version, where older code may."""
    connection.execute(delete(meta).where(meta.c.name == OLDEST_CODE))
    if oldest < version:
        connection.execute(insert(meta).values(name=OLDEST_CODE, value=int(oldest)))


def _require_width(connection: Connection, bucket_us: int) -> None:
    stored = mark(connection, BUCKET)
    if stored != bucket_us:
        raise StoreError(
            f"the store keeps time buckets of {stored} us and is asked for {bucket_us} us; "
            "set the width back, or start with a new store"
        )
