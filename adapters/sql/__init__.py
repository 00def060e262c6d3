"""The store in SQL: one SQLite file per server."""

from adapters.sql.store import SqlStore

__all__ = ["SqlStore"]
