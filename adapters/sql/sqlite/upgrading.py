"""Making or changing the tables of a file that no server has open."""

from pathlib import Path

from adapters.sql import preparing
from adapters.sql.sqlite.database import SqliteDatabase


async def upgrade(file: Path, *, bucket_us: int) -> preparing.Upgraded:
    """Make the tables of a file, and the file where it is missing, or bring them up to date.

    Raises StoreLockedError while a server has it, and what `preparing.prepare` raises.
    """
    database = await SqliteDatabase.open(file, busy_timeout_s=5.0)
    try:
        return await database.run(preparing.prepare, bucket_us=bucket_us)
    finally:
        await database.close()
