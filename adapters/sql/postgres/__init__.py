"""The store in one PostgreSQL, for replicas that share what they learn."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from adapters.ledger import StoreError
from adapters.sql.postgres.reach import Reach

if TYPE_CHECKING:
    from adapters.sql.postgres.store import PostgresStore

__all__ = ["Reach", "connect"]


def connect(
    reach: Reach, *, bucket_us: int, shard: int = 0, waiting: Callable[[], object] = lambda: None
) -> "PostgresStore":
    """Return a store that connects when it is used: see `PostgresStore.connect`.

    Raises StoreError where the driver is not installed.
    """
    try:
        from adapters.sql.postgres.store import PostgresStore
    except ModuleNotFoundError as error:
        raise StoreError(f"a store in PostgreSQL needs {error.name}: pip install 'routeward[postgres]'") from error
    return PostgresStore.connect(reach, bucket_us=bucket_us, shard=shard, waiting=waiting)
