"""A pool of connections to one PostgreSQL, and the transactions that run on them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import asyncpg
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from adapters.ledger import StoreForbiddenError, StoreUnavailableError
from adapters.postgres_url import REMEDY
from adapters.sql.postgres.errors import DRIVER_ERRORS, is_repeatable, state_of, typed_error
from adapters.sql.postgres.locks import Lock
from adapters.sql.postgres.reach import Reach

ATTEMPTS: Final = 6
"""How often a transaction is tried that meets others."""

PAUSE_S: Final = 0.005

MARGIN_S: Final = 1.0
"""How much longer than the server we wait for a statement to time out: it may be frozen, or unreachable."""

UNREADABLE: Final = f"the URL of PostgreSQL cannot be read: {REMEDY}"

P = ParamSpec("P")
T = TypeVar("T")


class _Connection(asyncpg.Connection):  # type: ignore[misc]  # it has no types
    """A connection that is left without a farewell: a server that does not answer would never take it."""

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109, ARG002 - as it is called
        """Hang up, whatever the server does."""
        self.terminate()


class PostgresDatabase:
    """Runs functions of a Connection in transactions. Nothing is connected to before it is needed.

    `statement_s` and `lock_s` bound, in seconds, a statement and its wait for locks: by default as `reach` says, and
    half of it. Where its tables are `unknown`, it only runs what it is to `examine`, until it may `trust` them.
    """

    def __init__(
        self, reach: Reach, *, statement_s: float | None = None, lock_s: float | None = None, unknown: bool = False
    ) -> None:
        self.reach = reach
        self._engine = _engine(reach, statement_s or reach.statement_s, lock_s or reach.statement_s / 2)
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False
        self._unknown = unknown

    async def run(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns once its transaction is durable. What it reads is of one moment.

        It may be run several times, where its transaction meets others.
        """
        return await self.through(lambda: self._transact(work, args, kwargs, "REPEATABLE READ"))

    async def run_alone(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do so while no signals are written, and nobody drops or merges rows."""
        locks = Lock.UPKEEP, Lock.WRITES
        return await self.through(lambda: self._transact(work, args, kwargs, "READ COMMITTED", *locks))

    async def examine(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do as `run` does, also while nobody knows the tables."""
        return await self._through(lambda: self._transact(work, args, kwargs, "REPEATABLE READ"))

    def trust(self) -> None:
        """Take the tables for known from now on."""
        self._unknown = False

    async def run_locked(
        self, lock: Lock, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do so while nobody else has this lock."""
        return await self.through(lambda: self._transact(work, args, kwargs, "READ COMMITTED", lock))

    async def through(self, transaction: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Await a transaction to its end, whoever gives up waiting, and again where it met others.

        Raises StoreUnavailableError, StoreError, BanditError for what the driver raises.
        """
        if self._unknown:
            # Whoever writes to tables that he does not know may destroy what they hold.
            raise StoreUnavailableError("nobody has looked yet whether PostgreSQL has the tables of this version")
        return await self._through(transaction)

    async def _through(self, transaction: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if self._closed:
            raise StoreUnavailableError("the connections to PostgreSQL were closed")
        task = asyncio.create_task(self._repeated(transaction))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection of the pool; what is left unfinished on it is rolled back."""
        async with asyncio.timeout(self.reach.connect_s):
            # Waiting for one, asking whether it still works, and making another: all of it within that time.
            connection = await self._engine.connect()
        try:
            yield connection
        except BaseException as error:
            if isinstance(error, (*DRIVER_ERRORS, asyncio.CancelledError)) and not state_of(error):
                # It did not answer: whatever is sent after that would wait for an answer too.
                await connection.invalidate()
            raise
        finally:
            await connection.close()

    async def close(self) -> None:
        """Let what was begun end, then close every connection. Safe to call twice."""
        self._closed = True
        if self._running:
            await asyncio.wait(self._running)
        await self._engine.dispose()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            # Whoever gave up waiting does not hear of it, and nobody else needs to.
            task.exception()

    async def _repeated(self, transaction: Callable[[], Awaitable[T]]) -> T:
        attempt = 0
        while True:
            attempt += 1
            try:
                return await transaction()
            except DRIVER_ERRORS as error:
                if not is_repeatable(error) or attempt == ATTEMPTS:
                    raise typed_error(error) from error
            await asyncio.sleep(PAUSE_S * attempt)

    async def _transact(
        self,
        work: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        isolation: str,
        *locks: Lock,
    ) -> T:
        async with self.connection() as connection:
            await connection.execution_options(isolation_level=isolation)
            # What runs on the driver's own cursor does not begin one.
            transaction = await connection.begin()
            for lock in locks:
                await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({int(lock)})")
            result = await connection.run_sync(work, *args, **kwargs)
            await transaction.commit()
            return result


def _engine(reach: Reach, statement_s: float, lock_s: float) -> AsyncEngine:
    settings = {
        "application_name": "routeward",
        "statement_timeout": _milliseconds(statement_s),
        "lock_timeout": _milliseconds(lock_s),
        "idle_in_transaction_session_timeout": _milliseconds(reach.statement_s * 2),
        "timezone": "UTC",
        "jit": "off",
    }

    async def connect() -> asyncpg.Connection:
        try:
            return await asyncpg.connect(
                reach.url,
                connection_class=_Connection,
                timeout=reach.connect_s,
                command_timeout=statement_s + MARGIN_S,
                server_settings=settings,
            )
        except ValueError:
            # Its text may hold a part of the password.
            raise StoreForbiddenError(UNREADABLE) from None

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=reach.connections,
        max_overflow=0,
        pool_timeout=reach.connect_s,
        pool_pre_ping=True,
    )


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
