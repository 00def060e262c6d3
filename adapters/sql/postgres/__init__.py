"""The store in one PostgreSQL, for replicas that share what they learn."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from adapters.ledger import StoreError
from adapters.sql.postgres.reach import Reach

if TYPE_CHECKING:
    from adapters.sql.postgres.inspection import Condition
    from adapters.sql.postgres.store import PostgresStore

__all__ = ["Reach", "attach", "condition_of", "connect"]


def connect(
    reach: Reach, *, bucket_us: int, shard: int = 0, waiting: Callable[[], object] = lambda: None
) -> "PostgresStore":
    """Return a store that connects when it is used: see `PostgresStore.connect`.

    Raises StoreError where the driver is not installed.
    """
    return _store_class().connect(reach, bucket_us=bucket_us, shard=shard, waiting=waiting)


async def attach(reach: Reach) -> "PostgresStore":
    """Return a store whose tables are there, and stay as they are: see `PostgresStore.attach`.

    Raises StoreError where the driver is not installed.
    """
    return await _store_class().attach(reach)


async def condition_of(reach: Reach) -> "Condition":
    """Return what a server says of itself: see `adapters.sql.postgres.inspection.condition_of`.

    Raises StoreError where the driver is not installed.
    """
    _store_class()
    from adapters.sql.postgres import inspection

    return await inspection.condition_of(reach)


def _store_class() -> "type[PostgresStore]":
    try:
        from adapters.sql.postgres.store import PostgresStore
    except ModuleNotFoundError as error:
        raise StoreError(f"a store in PostgreSQL needs {error.name}: pip install 'routeward[postgres]'") from error
    return PostgresStore
