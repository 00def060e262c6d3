"""Bringing the tables of a store to what this code uses: making them, or changing older ones."""

from typing import NamedTuple

from sqlalchemy import Connection, insert, inspect

from adapters.ledger import StoreError
from adapters.sql import migrating
from adapters.sql.marks import BUCKET, REGISTRY, name_store
from adapters.sql.schema import meta, metadata
from adapters.sql.versions import COMPATIBLE_FROM, HEAD, STAMP, THIS, Code, Create, examine, note_oldest_code


class Upgraded(NamedTuple):
    """What became of the tables: their version before and after, and the migrations that were run."""

    before: str | None
    after: str
    migrations: tuple[str, ...] = ()

    @property
    def applied(self) -> bool:
        """Whether anything was made or changed."""
        return self.before != self.after


def prepare(
    connection: Connection, *, bucket_us: int, code: Code = THIS, create: Create = metadata.create_all
) -> Upgraded:
    """Make the tables of a new store, or bring those of an older version up to date; leave newer ones as they are.

    `create` makes them where the database needs more than the schema says. Raises what `examine` raises, and StoreError
    where tables are there that are not ours.
    """
    schema = examine(connection, bucket_us=bucket_us, code=code)
    if schema.version is None:
        _create(connection, bucket_us, create)
        return Upgraded(None, HEAD)
    if not schema.behind(code):
        return Upgraded(schema.version, schema.version)
    return Upgraded(schema.version, code.head, migrating.upgrade(connection, schema.version, code))


def _create(connection: Connection, bucket_us: int, create: Create) -> None:
    if others := sorted(set(inspect(connection).get_table_names()) & set(metadata.tables)):
        raise StoreError(
            f"the database has tables that we would make ({', '.join(others)}) and no version of ours: "
            "give the store a database of its own, or restore a backup into an empty one"
        )
    create(connection)
    STAMP.create(connection, checkfirst=True)
    connection.execute(insert(STAMP).values(version_num=HEAD))
    connection.execute(insert(meta), [{"name": BUCKET, "value": bucket_us}, {"name": REGISTRY, "value": 0}])
    name_store(connection)
    note_oldest_code(connection, COMPATIBLE_FROM, HEAD)
