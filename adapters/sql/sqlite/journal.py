"""Signals that wait for the store, in a SQLite file of their own: first in, first out, each append synced."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import Column, Connection, Integer, MetaData, Table, text

from adapters.ledger import SpoolFullError, StoreSchemaError
from adapters.sql import schema
from adapters.sql.rows import signal_record, signal_row
from adapters.sql.sqlite.database import SqliteDatabase
from adapters.sql.statements import insert_only, insert_rows
from bandit.records import SignalRecord

APPLICATION_ID: Final = 0x5257534A
"""Mark of our journals, in the field of the header that SQLite keeps for this purpose."""

VERSION: Final = 1
"""Of the table, in the field of the header that SQLite keeps for this purpose."""

LOG_PAGES: Final = 128
LOG_BYTES: Final = 768 * 1024
"""Room for the log of writes beside the table: it is carried over at so many pages, after a batch of a thousand."""

_spooled: Final = Table(
    "spooled",
    MetaData(),
    Column("place", Integer, primary_key=True),
    *(Column(column.name, column.type, nullable=column.nullable) for column in schema.signals.c),
    sqlite_autoincrement=True,
)
_OLDEST: Final = text("SELECT * FROM spooled ORDER BY place LIMIT :count")
_FORGET: Final = text("DELETE FROM spooled WHERE place < :place")
_LAST_PLACE: Final = text("SELECT max(seq) FROM sqlite_sequence")
_COUNT: Final = text("SELECT max(place) - min(place) + 1 FROM spooled")
"""Places follow one another, and are forgotten from the front."""


class Journal:
    """A `server.ports.Spool` in a file. `Journal.open` makes one.

    It keeps to `max_bytes`, of which 768 KiB are for SQLite's log of writes. The file does not shrink: what was
    forgotten makes room for what comes.
    """

    def __init__(self, database: SqliteDatabase, file: Path, *, max_bytes: int) -> None:
        self._database = database
        self._file = file
        self._max_bytes = max_bytes

    @classmethod
    async def open(cls, file: Path, *, max_bytes: int, busy_timeout_s: float = 5.0) -> Self:
        """Open the journal in `file`, making it when it is missing; its folder must exist.

        Raises StoreLockedError when another server has it, StoreSchemaError when a newer version wrote it, StoreError
        when it is not usable.
        """
        database = await SqliteDatabase.open(
            file,
            busy_timeout_s=busy_timeout_s,
            mark=APPLICATION_ID,
            pragmas=[f"PRAGMA wal_autocheckpoint = {LOG_PAGES}"],
        )
        try:
            await database.run(_prepare, file=file)
        except BaseException:
            await database.close()
            raise
        return cls(database, file, max_bytes=max_bytes)

    async def append(self, records: Sequence[SignalRecord]) -> None:
        """Add records, in one synced transaction."""
        await self._database.run(self._append, records)

    async def oldest(self, count: int) -> tuple[Sequence[SignalRecord], int]:
        """Return up to so many of the oldest records, and the place after them."""
        return await self._database.run(_read, count)

    async def forget(self, place: int) -> None:
        """Remove what stands before a place."""
        await self._database.run(_forget, place)

    async def extent(self) -> tuple[int, int]:
        """Return how many records, and how many bytes, it holds."""
        return await self._database.run(_extent)

    async def close(self) -> None:
        """Finish what was begun and release everything."""
        await self._database.close()

    def _append(self, connection: Connection, records: Sequence[SignalRecord]) -> None:
        last = connection.execute(_LAST_PLACE).scalar() or 0
        rows = ((place, *signal_row(record)) for place, record in enumerate(records, start=last + 1))
        insert_rows(connection, _spooled, insert_only, rows)
        # Asked of the transaction itself: only SQLite knows how many pages its rows take.
        if _used_bytes(connection) + LOG_BYTES > self._max_bytes:
            raise SpoolFullError(f"{self._file} holds its {self._max_bytes} bytes: raise spool.max_mb, or wait")


def _prepare(connection: Connection, *, file: Path) -> None:
    version = _pragma(connection, "user_version")
    if version > VERSION:
        raise StoreSchemaError(f"{file} has version {version}, this one knows {VERSION}: upgrade routeward")
    _spooled.create(connection, checkfirst=True)
    connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")


def _read(connection: Connection, count: int) -> tuple[Sequence[SignalRecord], int]:
    rows: list[Any] = list(connection.execute(_OLDEST, {"count": count}))
    return [signal_record(row[1:]) for row in rows], rows[-1][0] + 1 if rows else 0


def _forget(connection: Connection, place: int) -> None:
    connection.execute(_FORGET, {"place": place})


def _extent(connection: Connection) -> tuple[int, int]:
    return connection.execute(_COUNT).scalar() or 0, _used_bytes(connection)


def _used_bytes(connection: Connection) -> int:
    pages = _pragma(connection, "page_count") - _pragma(connection, "freelist_count")
    return pages * _pragma(connection, "page_size")


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
