"""Looking at the file of a store from outside: no table is made, migrated or written.

Whether a server has it is found by taking its lock for an instant, in which no server can start on it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from sqlite3 import connect
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, NullPool, create_engine

from adapters.ledger import StoreError, StoreLockedError
from adapters.sql.facts import StoreFacts, facts_in
from adapters.sql.sqlite.database import APPLICATION_ID
from adapters.sql.sqlite.errors import DRIVER_ERRORS, typed_error
from adapters.sql.sqlite.lock import FileLock, Holder
from adapters.sql.standing import NO_TABLES, Standing, standing

P = ParamSpec("P")
T = TypeVar("T")


def holder_of(file: Path) -> Holder | None:
    """Return which server has the store open, None where none has. Raises StoreError where nobody can tell."""
    file = file.resolve()
    if not file.with_name(file.name + ".lock").exists():
        return None
    try:
        FileLock.acquire(file).release()
    except StoreLockedError:
        return FileLock.noted(file)
    except OSError as error:
        raise StoreError(f"the lock of {file} cannot be opened: {error.strerror}") from error
    return None


def facts_of(file: Path) -> StoreFacts:
    """Return what a store that nobody has open says of itself.

    Raises StoreSchemaError when a newer version wrote it, StoreError when no server could use it.
    """
    file = file.resolve()
    if file.stat().st_nlink > 1:
        raise StoreError(f"{file} has a second name (hard link), by which another server could write to it")
    with read_only(file) as connection:
        return _facts(connection, file)


@contextmanager
def read_only(file: Path) -> Iterator[Connection]:
    """Give a connection that only reads, also beside a server: what it reads stays as it was when it began.

    Make it short. While it reads, a server cannot reuse what it wrote meanwhile.
    """
    file = file.resolve()
    log = file.with_name(file.name + "-wal")
    # Without a log to read, SQLite is told that nothing changes: it then leaves no files behind.
    mode = "mode=ro" if log.exists() else "mode=ro&immutable=1"
    opened = partial(connect, f"{file.as_uri()}?{mode}", uri=True, isolation_level=None)
    engine = create_engine("sqlite://", creator=opened, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            yield connection
    except DRIVER_ERRORS as error:
        raise typed_error(error, file) from error


class InspectedFile:
    """A `Database` that only reads the file of a store, also beside a server."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def run(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns; what it reads is of one moment."""
        with read_only(self._file) as connection:
            return work(connection, *args, **kwargs)

    run_alone = run

    async def close(self) -> None:
        """Do nothing: nothing stays open."""


def standing_of(file: Path) -> Standing:
    """Return where the tables of a file stand, also beside a server; a missing file is an empty store.

    Raises StoreError where it belongs to another program or cannot be read.
    """
    if not file.exists():
        return NO_TABLES
    with read_only(file) as connection:
        return standing(connection) if _is_ours(connection, file) else NO_TABLES


def _facts(connection: Connection, file: Path) -> StoreFacts:
    if not _is_ours(connection, file):
        return StoreFacts()
    return facts_in(connection, store=str(file))


def _is_ours(connection: Connection, file: Path) -> bool:
    """Tell whether a store was made in a file, or nothing was. Raises StoreError where another program did."""

    def value(statement: str) -> object:
        return connection.exec_driver_sql(statement).scalar()

    if not value("SELECT count(*) FROM sqlite_master"):
        return False
    if value("PRAGMA application_id") != APPLICATION_ID:
        raise StoreError(f"{file} belongs to another program: give the store another path")
    return True
