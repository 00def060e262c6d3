"""Bringing the tables of a file to the version that this code knows."""

from pathlib import Path
from typing import Final

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, insert, inspect, select

from adapters.ledger import StoreError, StoreSchemaError
from adapters.sql.postgres import tables
from adapters.sql.registry import VERSION as REGISTRY_VERSION
from adapters.sql.schema import meta, metadata
from adapters.sql.statements import POSTGRESQL

HEAD: Final = "0005"
"""The newest migration."""

MIGRATIONS: Final = Path(__file__).parent / "migrations"

_stamp: Final = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def prepare(connection: Connection, *, bucket_us: int) -> None:
    """Make the tables of a new store, or bring those of an older version up to date.

    Raises StoreSchemaError for tables of a newer version, StoreError for another bucket width.
    """
    version = _version(connection)
    if version is None:
        _create(connection, bucket_us)
    elif version != HEAD:
        upgrade(connection, version)
    _require_width(connection, bucket_us)


def upgrade(connection: Connection, version: str | None) -> None:
    """Run the migrations that follow `version`; None is before the first."""
    # Alembic takes half a second and 12 MB to import, and most starts have nothing to migrate.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if version is not None and version not in known:
        raise StoreSchemaError(
            f"the store has schema {version}, this version knows {HEAD}; upgrade routeward before starting it here"
        )
    command.upgrade(config, "head")


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_stamp.name):
        return None
    return connection.scalar(select(_stamp.c.version_num))


def _create(connection: Connection, bucket_us: int) -> None:
    if connection.dialect.name == POSTGRESQL:
        tables.create(connection)
    else:
        metadata.create_all(connection)
    _stamp.create(connection)
    connection.execute(insert(_stamp).values(version_num=HEAD))
    connection.execute(insert(meta).values(name="bucket_us", value=bucket_us))
    connection.execute(insert(meta).values(name=REGISTRY_VERSION, value=0))


def _require_width(connection: Connection, bucket_us: int) -> None:
    stored = connection.scalar(select(meta.c.value).where(meta.c.name == "bucket_us"))
    if stored != bucket_us:
        raise StoreError(
            f"the store keeps time buckets of {stored} us and is asked for {bucket_us} us; "
            "set the width back, or start with a new store"
        )
