"""What can happen to a PostgreSQL while it is used: each fault begins when it is entered, and is mended at its exit."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from benchmarks._postgres import PostgresServer

GUEST = "guest"
PASSWORD = "a password that nobody may see"  # noqa: S105

Fault = Callable[[PostgresServer, str], AbstractContextManager[None]]


@contextmanager
def stopped(server: PostgresServer, _database: str) -> Iterator[None]:
    """No process of it is left, and the sockets are gone."""
    server.halt()
    try:
        yield
    finally:
        server.resume()


@contextmanager
def frozen(server: PostgresServer, _database: str) -> Iterator[None]:
    """Its processes do not run, but the system takes connections for it."""
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


@contextmanager
def locked(server: PostgresServer, database: str) -> Iterator[None]:
    """Another session holds the table that feedback is written to."""
    with server.session(database) as session:
        session.tell("BEGIN; LOCK TABLE signals IN ACCESS EXCLUSIVE MODE")
        yield


@contextmanager
def read_only(server: PostgresServer, _database: str) -> Iterator[None]:
    """It takes no writes, as a standby does not."""
    server.configure("default_transaction_read_only", "on")
    try:
        yield
    finally:
        server.configure("default_transaction_read_only", "off")


@contextmanager
def crowded(server: PostgresServer, database: str) -> Iterator[None]:
    """It takes no more connections, and ended those that there were."""
    server.psql(f"ALTER ROLE {GUEST} CONNECTION LIMIT 0")
    server.disconnect(database)
    try:
        yield
    finally:
        server.psql(f"ALTER ROLE {GUEST} CONNECTION LIMIT -1")


@contextmanager
def without_signals(server: PostgresServer, database: str) -> Iterator[None]:
    """The table that feedback is written to has another name."""
    server.psql("ALTER TABLE signals RENAME TO elsewhere", database)
    try:
        yield
    finally:
        server.psql("ALTER TABLE elsewhere RENAME TO signals", database)


FAULTS: tuple[Fault, ...] = (stopped, frozen, locked, read_only, crowded, without_signals)
