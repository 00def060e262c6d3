"""One SQLite file, one connection to it, one thread that owns the connection."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, Self, TypeVar

from sqlalchemy import Connection, NullPool, create_engine, event

from adapters.ledger import StoreError, StoreUnavailableError
from adapters.sql.sqlite.errors import DRIVER_ERRORS, primary_code, typed_error
from adapters.sql.sqlite.lock import FileLock

APPLICATION_ID: Final = 0x52574431
"""Mark of our stores, in the field of the header that SQLite keeps for this purpose."""

_PRAGMAS: Final = (
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -8000",
    "PRAGMA journal_size_limit = 67108864",
)

Identity = tuple[int, int]
"""Device and number of a file: what stays the same however it is named."""

P = ParamSpec("P")
T = TypeVar("T")


class SqliteDatabase:
    """Runs functions of a Connection, one after the other, each in a transaction of its own.

    Whoever awaits one may be cancelled: what has begun is finished, what has not is dropped.
    """

    def __init__(
        self, file: Path, *, busy_timeout_s: float, mark: int = APPLICATION_ID, pragmas: Sequence[str] = ()
    ) -> None:
        self._file = file.resolve()
        self._mark = mark
        self._pragmas = (*_PRAGMAS, *pragmas)
        self._wal = self._file.with_name(self._file.name + "-wal")
        self._busy_timeout_s = busy_timeout_s
        self._thread = ThreadPoolExecutor(1, "routeward-store")
        self._resources = ExitStack()
        self._closed: Future[None] | None = None
        self._connection: Connection
        self._identities: dict[Path, Identity] = {}
        self._lock: FileLock

    @classmethod
    async def open(
        cls, file: Path, *, busy_timeout_s: float, mark: int = APPLICATION_ID, pragmas: Sequence[str] = ()
    ) -> Self:
        """Lock `file` and connect to it, making it when it is missing.

        `mark` is its application id: a file with another one is not ours. `pragmas` are statements for every
        connection. Raises StoreLockedError when another server has it, StoreError when it is no file of ours.
        """
        try:
            database = cls(file, busy_timeout_s=busy_timeout_s, mark=mark, pragmas=pragmas)
        except RuntimeError as error:
            raise StoreError(f"{file} is a link that leads to itself: give the store another path") from error
        try:
            await asyncio.wrap_future(database._thread.submit(database._acquire))
        except BaseException:
            await database.close()
            raise
        return database

    async def run(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns once its transaction is durable. If it raises, nothing happened."""
        if self._closed is not None:
            raise StoreUnavailableError(f"{self._file} was closed; open it again")
        future = self._thread.submit(self._transact, lambda connection: work(connection, *args, **kwargs))
        return await asyncio.wrap_future(future)

    async def run_alone(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do as `run` does: whatever runs here is alone."""
        return await self.run(work, *args, **kwargs)

    def note_address(self, address: str) -> None:
        """Tell whoever finds the file locked where its server listens."""
        self._lock.note(address)

    def free_bytes(self) -> int:
        """Return the space that is left on the disk. Raises StoreUnavailableError when it is not there."""
        try:
            return shutil.disk_usage(self._file.parent).free
        except OSError as error:
            raise StoreUnavailableError(f"{self._file.parent} cannot be read: {error.strerror}") from error

    async def close(self) -> None:
        """Finish what was begun, then release file, lock and thread. Safe to call twice."""
        if self._closed is None:
            self._closed = self._thread.submit(self._resources.close)
            self._thread.shutdown(wait=False)
        await asyncio.shield(asyncio.wrap_future(self._closed))

    def _acquire(self) -> None:
        try:
            self._lock = FileLock.acquire(self._file)
            self._resources.callback(self._lock.release)
            self._lock.note("")
            os.close(os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600))
            if self._file.stat().st_nlink > 1:
                raise StoreError(f"{self._file} has a second name (hard link): another server could write to it")
        except OSError as error:
            raise StoreError(f"{self._file} cannot be opened: {error.strerror}") from error
        self._note(self._file)
        self._note(self._lock.path)
        engine = create_engine("sqlite://", creator=self._connect, poolclass=NullPool)
        event.listen(engine, "begin", _begin)
        self._resources.callback(engine.dispose)
        try:
            self._connection = self._resources.enter_context(engine.connect())
        except DRIVER_ERRORS as error:
            raise typed_error(error, self._file) from error

    def _transact(self, work: Callable[[Connection], T]) -> T:
        self._require_files()
        try:
            with self._connection.begin():
                result = work(self._connection)
            if self._wal not in self._identities:
                self._note(self._wal)
            return result
        except DRIVER_ERRORS as error:
            if primary_code(error) == sqlite3.SQLITE_IOERR:
                # After a failed write or sync the cache may not be what the disk holds.
                self._connection.invalidate(error)
                # SQLite deletes it with the connection; the next one has another.
                self._identities.pop(self._wal, None)
            raise typed_error(error, self._file) from error

    def _note(self, path: Path) -> None:
        if found := _identity(path):
            self._identities[path] = found

    def _require_files(self) -> None:
        """Refuse to go on writing to a file, its log of writes or its lock that nobody else will find."""
        for path, opened in self._identities.items():
            found = _identity(path)
            if found is None:
                raise StoreUnavailableError(f"{path} is gone: put it back, or restart without it")
            if found != opened:
                raise StoreUnavailableError(f"{path} was replaced while it was open: restart to use the new one")

    def _connect(self) -> sqlite3.Connection:
        # Of the modes, "rw" alone does not make an empty file where the store has vanished.
        connection = sqlite3.connect(
            f"{self._file.as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=self._busy_timeout_s
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        (mark,) = connection.execute("PRAGMA application_id").fetchone()
        (objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if objects and mark != self._mark:
            raise StoreError(f"{self._file} belongs to another program: give the store another path")
        if mark != self._mark:
            connection.execute(f"PRAGMA application_id = {self._mark}")
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StoreError(f"{self._file} is on a disk without shared memory: use a local one")
        for pragma in self._pragmas:
            connection.execute(pragma)


def _identity(path: Path) -> Identity | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _begin(connection: Connection) -> None:
    # A deferred transaction that reads first cannot always become one that writes (SQLITE_BUSY_SNAPSHOT).
    connection.exec_driver_sql("BEGIN IMMEDIATE")
