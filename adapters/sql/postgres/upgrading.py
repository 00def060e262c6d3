"""Changing tables while others use them: one does, the others wait for it, and nobody waits for the dead.

Whoever changes tables holds `Lock.SCHEMA` for the transaction that does, so that a process that is killed releases it,
and one that is frozen does when its session has done nothing for a while. Those who wait ask again and again: a
statement that waited would have to be given up in time, and nobody could tell how long others will take.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from sqlalchemy import Connection, text

from adapters.ledger import StoreUnavailableError
from adapters.sql.migrating import pending
from adapters.sql.postgres import tables
from adapters.sql.postgres.database import MARGIN_S, PostgresDatabase
from adapters.sql.postgres.errors import DRIVER_ERRORS, REPEATABLE, state_of, typed_error
from adapters.sql.postgres.locks import Lock
from adapters.sql.postgres.reach import Reach
from adapters.sql.preparing import Upgraded, prepare
from adapters.sql.versions import THIS, Code, schema_of

STATEMENT_S: Final = 3600.0
"""How long one statement of a migration may take."""

LOCK_S: Final = 1.0
"""How long a migration waits for a table; meanwhile those who write to it wait behind, and they give up later."""

ATTEMPTS: Final = 60
"""How often a migration is tried that does not get its tables."""
TELL_AFTER: Final = 5
"""Of so many attempts one is told to whoever waits."""

LOOK_EVERY_S: Final = 0.2
TELL_EVERY: Final = 25
"""Of so many looks one is told to whoever waits."""

_TAKE: Final = text(f"SELECT pg_try_advisory_xact_lock({int(Lock.SCHEMA)})")
_MET: Final = REPEATABLE | {"55P03"}

T = TypeVar("T")
Waiting = Callable[[], object]
"""Called at once and every few seconds while another process changes the tables, or uses one that has to change."""


def silently() -> None:
    """Wait without telling."""


async def upgrade(reach: Reach, *, bucket_us: int, waiting: Waiting = silently, code: Code = THIS) -> Upgraded:
    """Make the tables of a database, or bring them up to date; wait as long as another process does.

    May be cancelled: then all of it happened, or nothing. Raises what `preparing.prepare` raises,
    StoreUnavailableError where the server does not answer or others do not let go of a table.
    """
    database = PostgresDatabase(reach, statement_s=STATEMENT_S, lock_s=LOCK_S)
    try:
        schema = await database.run(schema_of)
        if schema.version is not None and schema.behind(code):
            # Alembic is loaded before there is a lock: whoever does nothing for a while with one loses it.
            pending(schema.version, code)
        for attempt in range(ATTEMPTS):
            try:
                return await _alone(
                    database, partial(prepare, bucket_us=bucket_us, code=code, create=tables.create), reach, waiting
                )
            except DRIVER_ERRORS as error:
                if state_of(error) not in _MET:
                    raise typed_error(error) from error
            if attempt % TELL_AFTER == 0:
                waiting()
            await asyncio.sleep(LOOK_EVERY_S)
    finally:
        await database.close()
    raise StoreUnavailableError(
        "PostgreSQL has a table in use that has to change: end long transactions on it, then try again; "
        "nothing was changed"
    )


async def _alone(database: PostgresDatabase, work: Callable[[Connection], T], reach: Reach, waiting: Waiting) -> T:
    """Run work in one transaction while nobody else changes tables."""
    async with database.connection() as connection:
        await connection.execution_options(isolation_level="READ COMMITTED")
        look = 0
        while True:
            transaction = await connection.begin()
            # The session lets statements take long; this one answers at once, or the server does not.
            async with asyncio.timeout(reach.statement_s + MARGIN_S):
                taken = await connection.scalar(_TAKE)
            if taken:
                result = await connection.run_sync(work)
                await transaction.commit()
                return result
            await transaction.rollback()
            if look % TELL_EVERY == 0:
                waiting()
            await asyncio.sleep(LOOK_EVERY_S)
            look += 1
