"""The store of several replicas: everything in one PostgreSQL."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

from asyncpg import Connection
from sqlalchemy import Connection as SyncConnection
from sqlalchemy import text

from adapters.ledger import Followed, Position, StoreError, StoreMissingError, Written
from adapters.sql import marks, versions
from adapters.sql.facts import StoreFacts, facts_in
from adapters.sql.postgres import days, following
from adapters.sql.postgres.database import PostgresDatabase
from adapters.sql.postgres.errors import DRIVER_ERRORS, state_of
from adapters.sql.postgres.flush import Batch, Expected, flush
from adapters.sql.postgres.reach import Reach
from adapters.sql.postgres.upgrading import Waiting, silently, upgrade
from adapters.sql.store import SqlStore
from bandit.records import SignalRecord

SHARDS: Final = 16
"""Rows that one row of the sums is spread over at most."""


class PostgresStore(SqlStore):
    """A `server.ports.SharedStore`. `PostgresStore.connect` makes one."""

    def __init__(self, database: PostgresDatabase, *, bucket_us: int, shard: int, waiting: Waiting = silently) -> None:
        super().__init__(database, bucket_us=bucket_us)
        self.database = database
        self._shard = shard
        self._waiting = waiting
        self._expected = Expected()

    @classmethod
    def connect(cls, reach: Reach, *, bucket_us: int, shard: int = 0, waiting: Waiting = silently) -> Self:
        """Return a store that connects when it is used; `prepare` must succeed before anything else is asked.

        Replicas that write to different shards, 0 to `SHARDS` - 1, do not wait for each other. `waiting` hears of a
        `prepare` that waits for another process.
        """
        return cls(PostgresDatabase(reach, unknown=True), bucket_us=bucket_us, shard=shard % SHARDS, waiting=waiting)

    @classmethod
    async def attach(cls, reach: Reach) -> Self:
        """Return a store whose tables are there and of this version; nothing is made or changed.

        Raises StoreMissingError where there are none, StoreSchemaError for those of a newer version, StoreError for
        those of an earlier one or of another program, StoreUnavailableError while the server does not answer.
        """
        database = PostgresDatabase(reach)
        try:
            bucket_us = _known_width(await database.run(facts_in))
        except StoreError as error:
            await database.close()
            raise type(error)(reach.named(str(error))) from error
        return cls(database, bucket_us=bucket_us, shard=0)

    async def prepare(self) -> str | None:
        """Make the tables, or bring them up to date; one replica does, and the others wait for it.

        Until then everything else raises StoreUnavailableError.

        Raises StoreUnavailableError while the server does not answer, StoreForbiddenError when it does not let us in,
        StoreSchemaError when a newer version wrote the tables, StoreError for another bucket width.
        """
        # Most starts change nothing, and need not wait for those who do.
        schema = await self.database.examine(versions.examine, bucket_us=self._bucket_us)
        if schema.behind(versions.THIS):
            await upgrade(self.database.reach, bucket_us=self._bucket_us, waiting=self._waiting)
        self.database.trust()
        return schema.version if schema.newer_than(versions.THIS) else None

    async def write(self, records: Sequence[SignalRecord]) -> Written:
        """Store signals and what they change, durably."""
        batch = Batch(records, self._bucket_us, self._shard)
        written, self._expected = await self.database.through(lambda: self._flush(batch))
        return written

    async def follow(self, seen: Position | None, *, billed_since_us: Mapping[str, int]) -> Followed:
        """Return what changed since a position."""
        return await self.database.run(following.follow, seen, billed_since_us)

    async def newest_us(self) -> int | None:
        """Return the time of the newest decision, by the clock of the database at most: a replica's may be wrong."""
        newest_us, now_us = await super().newest_us(), await self.database.run(_now_us)
        return None if newest_us is None else min(newest_us, now_us)

    async def retain(self, before_us: int) -> int:
        """Drop old signals and decisions, by whole days where a day has a partition of its own."""
        before_us = min(before_us, await self.database.run_alone(marks.advance, marks.RETAINED, before_us))
        return await days.drop(self.database, before_us, bucket_us=self._bucket_us)

    async def compact(self, now_us: int) -> None:
        """Merge old rows of the sums and the spend, and make room for the next days."""
        now_us = min(now_us, await self.database.run(_now_us))
        await days.make_ahead(self.database, now_us)
        await super().compact(now_us)

    async def free_bytes(self) -> None:
        """Return None: the disk is that of the server."""

    async def _flush(self, batch: Batch) -> tuple[Written, Expected]:
        async with asyncio.timeout(self.database.reach.write_s), self.database.connection() as connection:
            raw: Any = (await connection.get_raw_connection()).driver_connection
            driver: Connection = raw
            try:
                return await flush(driver, batch, self._expected)
            except Exception as error:
                # Where the server did not answer, the connection is cut.
                answered = not isinstance(error, DRIVER_ERRORS) or state_of(error)
                if answered and not driver.is_closed() and driver.is_in_transaction():
                    await driver.execute("ROLLBACK")
                raise


def _now_us(connection: SyncConnection) -> int:
    """Return the time by the clock of the database."""
    return int(connection.scalar(text("SELECT (extract(epoch FROM now()) * 1000000)::bigint")) or 0)


def _known_width(facts: StoreFacts) -> int:
    """Return the width of time buckets of a store that this version can use. Raises StoreError."""
    if facts.version is None or facts.bucket_us is None:
        raise StoreMissingError("there is no store yet: routeward db upgrade makes one, and so does the first start")
    if facts.version != versions.HEAD:
        raise StoreError(
            f"the store has schema {facts.version}, this version reads {versions.HEAD}: run  routeward db upgrade"
        )
    return facts.bucket_us
