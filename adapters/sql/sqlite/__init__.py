"""The store in one SQLite file, for a server that is alone."""

from adapters.sql.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
