"""What a store in SQL needs of its database; `adapters.sql.sqlite` and `adapters.sql.postgres` have one each."""

from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection

P = ParamSpec("P")
T = TypeVar("T")


class Database(Protocol):
    """Runs functions of a Connection, each in a transaction of its own; if one raises, nothing happened.

    Whoever awaits one may be cancelled: then all of it happens, or nothing. Both raise
    adapters.ledger.StoreUnavailableError where the database does not answer, StoreError where it refuses.
    """

    def run(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Return what `work` returns once its transaction is durable. What it reads is of one moment."""

    def run_alone(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Awaitable[T]:
        """Do so while no signals are written: what was being written is finished, and what follows waits."""

    async def close(self) -> None:
        """Finish what was begun and release everything. Safe to call twice."""
