"""The store of a server that is alone: everything in one SQLite file."""

import asyncio
from pathlib import Path
from typing import Self

from adapters.sql import preparing, versions
from adapters.sql.sqlite.database import SqliteDatabase
from adapters.sql.store import SqlStore


class SqliteStore(SqlStore):
    """A `server.ports.Store` in a file. `SqliteStore.open` makes one."""

    def __init__(self, database: SqliteDatabase, *, bucket_us: int) -> None:
        super().__init__(database, bucket_us=bucket_us)
        self._file = database

    @classmethod
    async def open(cls, file: Path | str, *, bucket_us: int, busy_timeout_s: float = 5.0) -> Self:
        """Open the store in `file`, making it when it is missing; its folder must exist.

        `bucket_us` is the width of a time bucket of the sums and cannot change later. `busy_timeout_s` bounds
        the wait for another program that writes to the file. Raises StoreLockedError when another server has
        it, StoreSchemaError when a newer version wrote it, StoreError when it is not usable.
        """
        database = await SqliteDatabase.open(Path(file), busy_timeout_s=busy_timeout_s)
        store = cls(database, bucket_us=bucket_us)
        try:
            await store.prepare()
        except BaseException:
            await store.close()
            raise
        return store

    async def prepare(self) -> str | None:
        """Make its tables, or bring them up to date."""
        after = (await self._file.run(preparing.prepare, bucket_us=self._bucket_us)).after
        return after if after > versions.HEAD else None

    def note_address(self, address: str) -> None:
        """Tell whoever finds the store in use where its server listens: see `inspection.holder_of`."""
        self._file.note_address(address)

    async def free_bytes(self) -> int:
        """Return the space that is left on the disk of the file."""
        return await asyncio.to_thread(self._file.free_bytes)
