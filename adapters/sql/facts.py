"""What a store says of itself."""

from dataclasses import dataclass

from sqlalchemy import Connection, inspect

from adapters.ledger import StoreError
from adapters.sql.marks import BUCKET, mark
from adapters.sql.schema import meta
from adapters.sql.versions import require_usable, schema_of


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """The version of a store's tables, and the width of its time buckets; both None before the first start."""

    version: str | None = None
    bucket_us: int | None = None


def facts_in(connection: Connection, store: str = "the store") -> StoreFacts:
    """Return what a database says of the store in it, which messages call `store`.

    Raises StoreSchemaError for tables that this version must leave alone, StoreError for those of another program.
    """
    schema = schema_of(connection)
    if schema.version is None:
        return StoreFacts()
    if not inspect(connection).has_table(meta.name):
        raise StoreError(f"{store} has tables of another program: give it a database of its own")
    require_usable(schema, store=store)
    return StoreFacts(schema.version, mark(connection, BUCKET))
