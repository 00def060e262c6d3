"""Kinds of values that the configuration file may hold, each with the range or the rule it is checked by."""

import re
from ipaddress import ip_address
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from adapters.names import NAME
from adapters.providers.endpoint import Format
from adapters.toml.kinds import NAME_RULE, Rule

OptionalName = Annotated[str, StringConstraints(pattern=f"^({NAME.pattern})?$"), Rule(f"empty, or {NAME_RULE.words}")]
QualitySource = Annotated[
    str,
    StringConstraints(pattern=r"^(thumb|any|(thumb\+)?score:[A-Za-z0-9._:/-]{1,57})$"),
    Rule('"thumb", "any", "score:NAME", or "thumb+score:NAME"'),
]
ModeName = Annotated[
    str, StringConstraints(pattern=r"^(maximize|cheapest_within)$"), Rule('"maximize" or "cheapest_within"')
]
Sha256 = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{64}$"),
    Rule("64 lower case hexadecimal digits, as `routeward keys create` prints them"),
]
UpstreamName = Annotated[
    str,
    StringConstraints(pattern=r"^([A-Za-z0-9@][A-Za-z0-9._:/@+-]{0,199})?$"),
    Rule("empty, or 1 to 200 characters of A-Z a-z 0-9 . _ : / @ + -"),
]
FormatName = Annotated[
    str,
    StringConstraints(pattern=f"^({'|'.join(Format)})?$"),
    Rule(f"empty, or {', '.join(map(repr, map(str, Format)))}".replace("'", '"')),
]
KeyVariable = Annotated[
    str,
    StringConstraints(pattern=r"^([A-Z][A-Z0-9_]{0,99})?$"),
    Rule("empty, or the name of a variable, in capitals; the key itself does not stand here"),
]
PostgresUrl = Annotated[
    str,
    StringConstraints(pattern=r"^(postgres(ql)?://\S{1,1000})?$"),
    Rule("empty, or like postgresql://USER@HOST:PORT/DATABASE; a socket's folder is ?host=/run/postgresql"),
]
Days = Annotated[float, Field(ge=0.01, le=3650)]
Tokens = Annotated[int, Field(ge=1, le=100_000_000)]
Usd = Annotated[float, Field(ge=0, le=1_000_000)]


OnExhausted = Annotated[str, StringConstraints(pattern="^(cheapest|refuse)$"), Rule('"cheapest" or "refuse"')]
BudgetUsd = Annotated[float, Field(ge=1e-9, le=1_000_000_000)]


class Address(NamedTuple):
    """A host and a port to listen on."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host == "localhost" or ip_address(self.host).is_loopback


def parse_address(text: str) -> Address:
    """Read "HOST:PORT"; the host is "localhost" or an address. Raises ValueError."""
    host, _, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (port.isascii() and port.isdigit() and int(port) < 65_536):
        raise ValueError(f"{text!r} has no port from 0 to 65535")
    if host != "localhost":
        ip_address(host)
    return Address(host, int(port))


def _checked_address(text: str) -> str:
    try:
        parse_address(text)
    except ValueError as error:
        raise PydanticCustomError("address", "no address to listen on") from error
    return text


_ADDRESS: Final = '"HOST:PORT", where the host is localhost, an IPv4 address, or an IPv6 address in brackets'

Listen = Annotated[str, AfterValidator(_checked_address), Rule(_ADDRESS)]
OptionalListen = Annotated[
    str, AfterValidator(lambda text: text and _checked_address(text)), Rule(f"empty, or {_ADDRESS}")
]


def _checked_host(text: str) -> str:
    host = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        ip_address(host)
    except ValueError as error:
        if not _HOST.fullmatch(host):
            raise PydanticCustomError("host", "no host") from error
    return host.lower()


_HOST: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
Host = Annotated[str, AfterValidator(_checked_host), Rule("name or address of a host, without a port")]
