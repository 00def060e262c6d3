"""The store in one SQLite file, for a server that is alone; and a journal, for one whose store is elsewhere."""

from adapters.sql.sqlite.journal import Journal
from adapters.sql.sqlite.store import SqliteStore

__all__ = ["Journal", "SqliteStore"]
