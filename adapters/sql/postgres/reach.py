"""Where a PostgreSQL is."""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

WRITE_S: Final = 3.0
"""What a write may take in any case: senders, who by default give up after 5 s, are told before they do."""
TELLING_S: Final = 2.0
"""What senders who wait as long as a statement may take need, to be told before they give up."""

UNKNOWN: Final = "PostgreSQL"
"""What an address is shown as that could hold secrets."""

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
    def write_s(self) -> float:
        """Longest that a write of signals may take, from asking for a connection to its commit.

        No statement of it takes longer than `statement_s`, so that a lower one bounds it too. Where that is as long as
        senders wait, or longer, they are told `TELLING_S` before.
        """
        return max(WRITE_S, self.statement_s - TELLING_S)

    def named(self, text: str) -> str:
        """Put the address before what is said of PostgreSQL, where it says more than that."""
        return text if self.address == UNKNOWN else f"{self.address}: {text}"

    @property
    def address(self) -> str:
        """The URL without user and password, to be shown; "PostgreSQL" where it is not certain what they are."""
        try:
            parts = urlsplit(self.url)
        except ValueError:
            return UNKNOWN
        hosts = parts.netloc.rpartition("@")[2]
        # A password that is not percent-encoded may end what should hold it, and go on as path or parameter.
        if parts.fragment or "@" in parts.path + parts.query or not _HOSTS.fullmatch(hosts):
            return UNKNOWN
        shown = "&".join(one for one in parts.query.split("&") if one.startswith(_SHOWN))
        return f"{parts.scheme}://{hosts}{parts.path}{'?' if shown else ''}{shown}"
