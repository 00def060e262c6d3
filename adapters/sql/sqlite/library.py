"""Which SQLite library this process uses, and what is known against it."""

import sqlite3
from typing import Final

Version = tuple[int, int, int]

_WAL_RESET_BUG: Final[tuple[Version, Version]] = ((3, 7, 0), (3, 51, 2))
_REPAIRED_FROM: Final[tuple[Version, ...]] = ((3, 44, 6), (3, 50, 7))
FIXED_IN: Final = "3.51.3, 3.50.7 or 3.44.6"


def version() -> Version:
    """Return the version of the library that is loaded."""
    major, minor, patch = sqlite3.sqlite_version_info
    return major, minor, patch


def has_wal_reset_bug(used: Version) -> bool:
    """Tell whether resetting the write-ahead log can lose pages when a second connection writes to the file."""
    repaired = any(used[:2] == fix[:2] and used >= fix for fix in _REPAIRED_FROM)
    return _WAL_RESET_BUG[0] <= used <= _WAL_RESET_BUG[1] and not repaired
