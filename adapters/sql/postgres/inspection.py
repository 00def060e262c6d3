"""Looking at a PostgreSQL from outside: no table is made or changed."""

from typing import NamedTuple

from sqlalchemy import Connection

from adapters.sql.facts import StoreFacts, facts_in
from adapters.sql.postgres.database import PostgresDatabase
from adapters.sql.postgres.reach import Reach


class Condition(NamedTuple):
    """What a server says of itself, and of the store in it.

    `is_durable` is whether what was committed survives a failure of power; `is_prompt`, whether a commit waits for
    that.
    """

    version: str
    is_standby: bool
    is_durable: bool
    is_prompt: bool
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
    return Condition(shown("server_version"), bool(is_standby), is_durable, is_prompt, facts_in(connection))
