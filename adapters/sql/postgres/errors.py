"""The one place where errors of the driver become errors of the store."""

import os
import socket
import ssl
from typing import Final

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from adapters.ledger import StoreError, StoreForbiddenError, StoreUnavailableError
from adapters.sql.schema import COUNT_RANGE
from bandit.errors import BanditError, SumsOverflowError
from bandit.sums import MAX_COUNT

DRIVER_ERRORS: Final = (
    DBAPIError,
    AsyncAdapt_asyncpg_dbapi.Error,
    PoolTimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # What it raises where a connection is ended in the middle of a COPY.
    asyncpg.InternalClientError,
    TimeoutError,
    OSError,
)
"""What the driver, its adapter and the pool raise: on the adapter's own cursor, nobody wraps its errors."""

REPEATABLE: Final = frozenset({"40001", "40P01"})
"""Two transactions met in a way that one of them has to be done again: serialization failure, deadlock."""

_CHECK_VIOLATION: Final = "23514"
_DATA_EXCEPTION: Final = "22"

_PASSING: Final = {
    "25006": "is read-only: connect to the primary server",
    "53": "has no room left (disk, memory or connections)",
    "53100": "has no disk space left: free some",
    "53300": "takes no more connections: raise max_connections, or lower store.connections",
    "55P03": "is locked: another program holds what is needed",
    "57014": "took too long for a statement",
    "57P01": "is shutting down",
    "57P03": "is starting or stopping",
    "58": "cannot read or write its disk",
}
_LACKING: Final = frozenset({"42703", "42P01"})
"""There is no such column, or no such table."""
_FORBIDDEN: Final = {
    "22023": "does not let us in: a parameter of the URL has a value that the server does not take",
    "28": "does not let us in: check user and password of the URL",
    "3D000": "does not have this database: create it",
    "42704": "does not let us in: a parameter of the URL is unknown to the server",
    "42501": "does not grant what is needed: see docs/howto/deploy.md for the rights of the user",
}


def typed_error(error: BaseException) -> StoreError | BanditError:
    """Return what to raise for an error of the driver; its transaction has been rolled back, or its end is unknown."""
    cause = _cause(error)
    state = state_of(error)
    if state == _CHECK_VIOLATION and getattr(cause, "constraint_name", "") == COUNT_RANGE:
        return SumsOverflowError(
            f"a cell would hold more than {MAX_COUNT} observations; nothing of the call was stored"
        )
    if words := _FORBIDDEN.get(state) or _FORBIDDEN.get(state[:2]):
        return StoreForbiddenError(f"PostgreSQL {words}")
    if state in _LACKING:
        return StoreUnavailableError("PostgreSQL has other tables than this version: run  routeward db status")
    if words := _PASSING.get(state) or _PASSING.get(state[:2]):
        return StoreUnavailableError(f"PostgreSQL {words}; then try again, nothing was lost")
    if state[:2] == _DATA_EXCEPTION:
        return StoreError("a signal, or what is asked for, has a value that PostgreSQL cannot hold")
    if not state or state[:2] in {"08", "57", *(code[:2] for code in REPEATABLE)}:
        return StoreUnavailableError(
            f"PostgreSQL does not answer{_reason(cause or error)}; try again, nothing was lost"
        )
    return StoreError(f"PostgreSQL does not accept a statement of this version (SQLSTATE {state})")


def is_repeatable(error: BaseException) -> bool:
    """Tell whether a transaction failed only because it met another one."""
    state = state_of(error)
    # Its row belonged elsewhere when it got there: the day was given a partition of its own meanwhile.
    is_misplaced = state == _CHECK_VIOLATION and not getattr(_cause(error), "constraint_name", "")
    return is_misplaced or state in REPEATABLE


def state_of(error: BaseException) -> str:
    """Return the SQLSTATE that the server answered with; empty where it did not answer."""
    return str(getattr(_cause(error), "sqlstate", None) or "")


def _reason(error: BaseException) -> str:
    """Say what kept it from answering, without what the driver adds of the URL."""
    if isinstance(error, (TimeoutError, PoolTimeoutError)):
        return " within the time"
    text: str | None = None
    if isinstance(error, OSError):
        # Those two count errors by numbers of their own; the text of others names the address instead of the reason.
        own = isinstance(error, (socket.gaierror, ssl.SSLError))
        text = error.strerror if own or error.errno is None else os.strerror(error.errno)
    return f" ({text or type(error).__name__})"


def _cause(error: BaseException) -> BaseException | None:
    adapted = error.orig if isinstance(error, DBAPIError) else error
    return adapted.__cause__ if isinstance(adapted, AsyncAdapt_asyncpg_dbapi.Error) else adapted
