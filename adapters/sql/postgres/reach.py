"""Where a PostgreSQL is."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a PostgreSQL is, and how long to wait for it, in seconds: to connect, and for one statement."""

    url: str = field(repr=False)
    connect_s: float = 5.0
    statement_s: float = 5.0
    connections: int = 4
