"""What a store says of itself."""

from dataclasses import dataclass

from sqlalchemy import Connection, inspect, select, table, text

from adapters.ledger import StoreError, StoreSchemaError
from adapters.sql.marks import BUCKET, mark
from adapters.sql.schema import meta
from adapters.sql.versions import HEAD

STAMP = "alembic_version"
"""Name of the table that says which migration was the last."""


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """The version of a store's tables, and the width of its time buckets; both None before the first start."""

    version: str | None = None
    bucket_us: int | None = None


def facts_in(connection: Connection) -> StoreFacts:
    """Return what a database says of the store in it.

    Raises StoreSchemaError for tables of a newer version, StoreError for those of another program.
    """
    inspector = inspect(connection)
    if not inspector.has_table(STAMP):
        return StoreFacts()
    if not inspector.has_table(meta.name):
        raise StoreError("the database belongs to another program: give the store one of its own")
    version = connection.scalar(select(text("version_num")).select_from(table(STAMP)))
    if version is None:
        return StoreFacts()
    if version > HEAD:
        raise StoreSchemaError(f"the store has schema {version}, this version knows {HEAD}: upgrade routeward")
    return StoreFacts(version, mark(connection, BUCKET))
