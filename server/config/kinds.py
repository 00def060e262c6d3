"""Kinds of values that the configuration file may hold, each with the range or the rule it is checked by."""

from ipaddress import ip_address
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from adapters.names import NAME
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


Listen = Annotated[
    str,
    AfterValidator(_checked_address),
    Rule('"HOST:PORT", where the host is localhost, an IPv4 address, or an IPv6 address in brackets'),
]
