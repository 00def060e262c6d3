"""The log of days that are about to be dropped, kept in a folder in the own format: a file per day."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Event
from typing import Concatenate, Final, NamedTuple, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection

from adapters.ledger import StoreUnavailableError
from adapters.sql import timeline
from adapters.sql.database import Database
from adapters.sql.logged import logged_decisions
from adapters.sql.marks import RETAINED, mark
from adapters.traffic.own.decision import LoggedDecision
from adapters.traffic.own.folder import Decisions, Span, export_folder
from adapters.traffic.own.manifest import DAY_US, Choice, read_manifest
from adapters.traffic.own.writing import JSONL

LOOK_S: Final = 0.5
"""How often a reading that waits for the database looks whether it is still wanted."""

P = ParamSpec("P")
T = TypeVar("T")


class Reader(Protocol):
    """Runs a function of a Connection from a thread, and waits for it."""

    def __call__(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns; what it reads is of one moment."""


class _Held(NamedTuple):
    """Times of the oldest and of the newest decision of a store, and the time before which rows were dropped."""

    oldest_us: int
    newest_us: int
    retained_us: int


class FolderArchive:
    """A `server.ports.Archive` in a folder. `reader` makes what reads the store, given what says that it must end."""

    def __init__(self, folder: Path, reader: Callable[[Event], Reader]) -> None:
        self._folder = folder
        self._reader = reader

    @classmethod
    def of_database(cls, folder: Path, database: Database) -> "FolderArchive":
        """Return one of a store whose database is reached through the loop that runs now."""
        loop = asyncio.get_running_loop()
        return cls(folder, lambda ended: _LoopReader(database, loop, ended))

    async def keep(self, before_us: int) -> int:
        """Export every day that ended by `before_us`; return the time before which nothing is left to export.

        A day is read in the order of time, page by page, in a thread. Raises adapters.traffic.errors.TrafficError where
        it cannot be written, StoreUnavailableError where it cannot be read; the days before are then exported.
        """
        until_us, ended = before_us - before_us % DAY_US, Event()
        try:
            await asyncio.to_thread(self._export, _ending(self._reader(ended), ended), until_us)
        finally:
            ended.set()
        return until_us

    def _export(self, read: Reader, until_us: int) -> None:
        manifest = read_manifest(self._folder)
        if manifest and any(part.to_us >= until_us for part in manifest.parts.values()):
            return
        held = read(_held)
        if held is None or held.oldest_us >= until_us:
            return
        decisions = Decisions(partial(_between, read), partial(_next_time, read))
        span = Span(*held, settled_us=until_us, until_us=until_us)
        export_folder(self._folder, decisions, Choice(suffix=JSONL), span, resume=True)


class _LoopReader:
    """Reads in the loop of a server, from another thread; ends with the loop."""

    def __init__(self, database: Database, loop: asyncio.AbstractEventLoop, ended: Event) -> None:
        self._database = database
        self._loop = loop
        self._ended = ended

    def __call__(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        async def reading() -> T:
            return await self._database.run(work, *args, **kwargs)

        future = asyncio.run_coroutine_threadsafe(reading(), self._loop)
        while True:
            try:
                return future.result(LOOK_S)
            except TimeoutError:
                if future.done():
                    raise
                if self._ended.is_set():
                    future.cancel()
                    raise _ended() from None


def _ending(read: Reader, ended: Event) -> Reader:
    """Return what reads as long as somebody waits for it."""

    def reading(work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        if ended.is_set():
            raise _ended()
        return read(work, *args, **kwargs)

    return reading


def _ended() -> StoreUnavailableError:
    return StoreUnavailableError("the export was given up; the next one continues it")


def _held(connection: Connection) -> _Held | None:
    times = timeline.span(connection)
    return None if times is None else _Held(*times, mark(connection, RETAINED))


def _next_time(read: Reader, start_us: int) -> int | None:
    return read(timeline.next_time, start_us)


def _between(read: Reader, start_us: int, end_us: int) -> Iterator[LoggedDecision]:
    drawn_from = dict[timeline.DecisionKey, timeline.DrawnFrom]()
    while start_us < end_us:
        page = read(timeline.page, start_us, end_us, drawn_from)
        start_us, drawn_from = page.end_us, dict(page.drawn_from)
        yield from logged_decisions(page)
