"""Which URLs of a PostgreSQL can be read: known also where its driver is not installed."""

from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

REMEDY: Final = (
    "write  postgresql://USER:PASSWORD@HOST:PORT/DATABASE  with the special characters of the password in percent "
    "encoding (/ is %2F, @ is %40)"
)


def is_readable(url: str) -> bool:
    """Tell whether a URL says what it seems to, to people as to the driver (asyncpg).

    A password whose special characters are not encoded ends early, and the rest of it is taken for something else.
    """
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query, strict_parsing=True) if parts.query else {}
        ports = [int(port) for given in query.get("port", ()) for port in given.split(",")]
        ports += map(_port, _hosts(parts.netloc))
    except ValueError:
        return False
    is_split = parts.netloc.count("@") > 1 or "@" in parts.path or bool(parts.fragment)
    return not is_split and all(0 < port < 65_536 for port in ports)


def _hosts(netloc: str) -> list[str]:
    hosts = netloc.rpartition("@")[2]
    return hosts.split(",") if hosts else []


def _port(host: str) -> int:
    """Return the port that a host is given with, else PostgreSQL's. Raises ValueError."""
    if not host:
        raise ValueError("a host of several is empty")
    _, _, port = host.rpartition("]")[2].partition(":")
    return int(unquote(port)) if port else 5432
