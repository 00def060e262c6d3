"""Signals that wait for the store, in a SQLite file of their own: first in, first out, each append synced."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import Column, Connection, Integer, MetaData, Table, func, insert, select, text, update

from adapters.ledger import SpoolFullError, StoreError, StoreSchemaError, StoreUnavailableError
from adapters.sql import schema
from adapters.sql.rows import signal_record, signal_row
from adapters.sql.sqlite.database import SqliteDatabase
from adapters.sql.statements import insert_only, insert_rows
from bandit.evidence import events_of
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
_begin: Final = Table("begin_at", _spooled.metadata, Column("place", Integer, nullable=False))
"""Where what is kept begins: what stands before was forgotten, or cannot be read."""

_OLDEST: Final = text("SELECT * FROM spooled WHERE place >= :begin ORDER BY place LIMIT :count")
_FORGET: Final = text("DELETE FROM spooled WHERE place >= :begin AND place < :place")
_LAST_PLACE: Final = text("SELECT max(seq) FROM sqlite_sequence")
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
        try:
            await self._database.run(_forget, place)
        except StoreUnavailableError:
            raise
        except StoreError:
            # Rows beside a damaged page cannot be removed. They keep their room, and are not read again.
            await self._database.run(_begin_at, place)

    async def step_over(self) -> int:
        """Give up the oldest records, up to one that can be read, or to the end; return how many places that were.

        Raises StoreError where none are left to be given up.
        """
        begin, end = await self._database.run(_bounds)
        if begin >= end:
            raise StoreError(f"{self._file} is damaged: put a new one in its place")
        place = await first_readable(begin, end, self._is_readable)
        await self._database.run(_begin_at, place)
        return place - begin

    async def extent(self) -> tuple[int, int]:
        """Return how many records, and how many bytes, it holds."""
        return await self._database.run(_extent)

    async def close(self) -> None:
        """Finish what was begun and release everything."""
        await self._database.close()

    def _append(self, connection: Connection, records: Sequence[SignalRecord]) -> None:
        after = _end(connection)
        rows = ((place, *signal_row(record)) for place, record in enumerate(records, start=after))
        insert_rows(connection, _spooled, insert_only, rows)
        # Asked of the transaction itself: only SQLite knows how many pages its rows take.
        if _used_bytes(connection) + LOG_BYTES > self._max_bytes:
            raise SpoolFullError(f"{self._file} holds its {self._max_bytes} bytes: raise spool.max_mb, or wait")

    async def _is_readable(self, place: int) -> bool:
        """Try it, in a transaction of its own: one that has met damage cannot be committed."""
        try:
            await self._database.run(_read_from, place, 1)
        except StoreUnavailableError:
            raise
        except StoreError:
            return False
        return True


async def first_readable(begin: int, end: int, is_readable: Callable[[int], Awaitable[bool]]) -> int:
    """Return where reading can go on behind `begin`, which cannot be read; `end` where it cannot.

    Damage may hold for many places, each of which costs a read: so steps double until one leads over it.
    """
    low, step = begin, 1
    while (high := min(begin + step, end)) < end and not await is_readable(high):
        low, step = high, 2 * step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if await is_readable(middle) else (middle, high)
    return high


def _prepare(connection: Connection, *, file: Path) -> None:
    version = _pragma(connection, "user_version")
    if version > VERSION:
        raise StoreSchemaError(f"{file} has version {version}, this one knows {VERSION}: upgrade routeward")
    _spooled.metadata.create_all(connection)
    if connection.execute(select(_begin.c.place)).first() is None:
        begin = connection.execute(select(func.min(_spooled.c.place))).scalar() or _end(connection)
        connection.execute(insert(_begin).values(place=begin))
    connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")


def _read(connection: Connection, count: int) -> tuple[Sequence[SignalRecord], int]:
    return _read_from(connection, _begin_of(connection), count)


def _read_from(connection: Connection, begin: int, count: int) -> tuple[Sequence[SignalRecord], int]:
    rows: list[Any] = list(connection.execute(_OLDEST, {"begin": begin, "count": count}))
    return [_record(row) for row in rows], rows[-1][0] + 1 if rows else 0


def _record(row: Any) -> SignalRecord:
    try:
        record = signal_record(row[1:])
        # Nor may what it says be something that nothing can be learned from.
        events_of(record.decision, record.fact)
        return record
    except (AttributeError, TypeError, ValueError) as error:
        raise StoreError(f"what is spooled at place {row[0]} is damaged: {error}") from error


def _forget(connection: Connection, place: int) -> None:
    begin = _begin_of(connection)
    _begin_at(connection, place)
    connection.execute(_FORGET, {"begin": begin, "place": place})


def _begin_at(connection: Connection, place: int) -> None:
    connection.execute(update(_begin).where(_begin.c.place < place).values(place=place))


def _begin_of(connection: Connection) -> int:
    return int(connection.execute(select(_begin.c.place)).scalar_one())


def _bounds(connection: Connection) -> tuple[int, int]:
    return _begin_of(connection), _end(connection)


def _end(connection: Connection) -> int:
    """Return the place of what is appended next."""
    return int(connection.execute(_LAST_PLACE).scalar() or 0) + 1


def _extent(connection: Connection) -> tuple[int, int]:
    begin, end = _bounds(connection)
    return end - begin, _used_bytes(connection)


def _used_bytes(connection: Connection) -> int:
    pages = _pragma(connection, "page_count") - _pragma(connection, "freelist_count")
    return pages * _pragma(connection, "page_size")


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
