"""Looking at a PostgreSQL from outside: no table is made or changed."""

from typing import NamedTuple

from sqlalchemy import Connection

from adapters.sql.facts import StoreFacts, facts_in
from adapters.sql.postgres.database import PostgresDatabase
from adapters.sql.postgres.reach import Reach


class Condition(NamedTuple):
    """What a server says of itself, and of the store in it.

    `is_durable` is whether what was committed survives a failure of power; `is_prompt`, whether a commit waits for
    that. `schema` is where tables are made, None where the `user` may use none; `may_create`, whether he may make them.
    """

    version: str
    is_standby: bool
    is_durable: bool
    is_prompt: bool
    user: str
    schema: str | None
    may_create: bool
    facts: StoreFacts


async def condition_of(reach: Reach) -> Condition:
    """Connect and ask. Raises StoreUnavailableError, StoreError, StoreSchemaError."""
    database = PostgresDatabase(reach)
    try:
        return await database.run(_condition)
    finally:
        await database.close()


def _condition(connection: Connection) -> Condition:
    def shown(setting: str) -> str:
        return str(connection.exec_driver_sql(f"SHOW {setting}").scalar())

    is_standby = connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar()
    is_durable = shown("fsync") == shown("full_page_writes") == "on"
    is_prompt = shown("synchronous_commit") != "off"
    rights = "SELECT current_user, current_schema(), has_schema_privilege(current_schema(), 'CREATE')"
    user, schema, may_create = connection.exec_driver_sql(rights).one()
    return Condition(
        version=shown("server_version"),
        is_standby=bool(is_standby),
        is_durable=is_durable,
        is_prompt=is_prompt,
        user=user,
        schema=schema,
        may_create=bool(may_create),
        facts=facts_in(connection),
    )
