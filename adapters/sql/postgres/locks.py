"""Advisory locks that servers on one database agree on by number."""

from enum import IntEnum


class Lock(IntEnum):
    """What is locked. The numbers are ours: "rwd" and a digit; other programs on the same database have others."""

    WRITES = 0x727764_01
    """Shared by whoever writes signals; held alone by whoever must not be met while doing so, who has UPKEEP first."""
    SCHEMA = 0x727764_02
    """Held by whoever makes or changes tables."""
    UPKEEP = 0x727764_03
    """Held by whoever drops, merges or mends rows."""
