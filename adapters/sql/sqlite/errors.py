"""The one place where errors of the driver become errors of the store."""

import sqlite3
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DBAPIError

from adapters.ledger import StoreError, StoreUnavailableError
from adapters.sql.schema import COUNT_RANGE
from bandit.errors import BanditError, SumsOverflowError
from bandit.sums import MAX_COUNT

_PASSING: Final = {
    sqlite3.SQLITE_FULL: "has no space left: free disk space",
    sqlite3.SQLITE_IOERR: "cannot be read or written: check the disk",
    sqlite3.SQLITE_BUSY: "is locked: close the program that writes to it",
    sqlite3.SQLITE_LOCKED: "is locked: close the program that writes to it",
    sqlite3.SQLITE_READONLY: "is not writable: check the permissions of the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: check the path and its permissions",
    sqlite3.SQLITE_NOMEM: "finds no memory: free some",
}
_LASTING: Final = {
    sqlite3.SQLITE_NOTADB: "is not a SQLite database: give the store another path",
    sqlite3.SQLITE_CORRUPT: "is damaged: restore it from a backup",
}


DRIVER_ERRORS: Final = (DBAPIError, sqlite3.Error)
"""What the driver raises: wrapped by SQLAlchemy, or as it is where the driver was given the statement."""

DriverError = DBAPIError | sqlite3.Error


def typed_error(error: DriverError, file: Path) -> StoreError | BanditError:
    """Return what to raise for an error of the driver; its transaction has been rolled back."""
    cause = _cause(error)
    if isinstance(cause, sqlite3.IntegrityError) and COUNT_RANGE in str(cause):
        return SumsOverflowError(
            f"a cell would hold more than {MAX_COUNT} observations; nothing of the call was stored"
        )
    code = primary_code(error)
    if code in _PASSING:
        return StoreUnavailableError(f"{file} {_PASSING[code]}, then try again; nothing was lost")
    return StoreError(f"{file} {_LASTING.get(code, 'does not accept a statement of this version')}")


def primary_code(error: DriverError) -> int:
    """Return SQLite's primary result code, `SQLITE_ERROR` where there is none."""
    return getattr(_cause(error), "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _cause(error: DriverError) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else error
