"""Where a PostgreSQL is."""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

_HOST: Final = r"([\w.%-]*|\[[0-9A-Fa-f:.]+\])(:\d+)?"
_HOSTS: Final = re.compile(f"{_HOST}(,{_HOST})*")
_SHOWN: Final = ("host=", "port=")
"""Parameters that only say where it is; others may be secret."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a PostgreSQL is, and how long to wait for it, in seconds: to connect, and for one statement."""

    url: str = field(repr=False)
    connect_s: float = 5.0
    statement_s: float = 5.0
    connections: int = 4

    @property
    def address(self) -> str:
        """The URL without user and password, to be shown; "PostgreSQL" where it is not certain what they are."""
        try:
            parts = urlsplit(self.url)
        except ValueError:
            return "PostgreSQL"
        hosts = parts.netloc.rpartition("@")[2]
        # A password that is not percent-encoded may end what should hold it, and go on as path or parameter.
        if parts.fragment or "@" in parts.path + parts.query or not _HOSTS.fullmatch(hosts):
            return "PostgreSQL"
        shown = "&".join(one for one in parts.query.split("&") if one.startswith(_SHOWN))
        return f"{parts.scheme}://{hosts}{parts.path}{'?' if shown else ''}{shown}"
