"""Which addresses may be reached: what an operator configured must not lead to where only this machine may go.

A name that resolves to a loopback, private, link-local or otherwise special address is refused, and so is such an
address itself, unless the operator listed the host in `gateway.private_hosts`. Names are looked up once, and the
connection goes to the address that was checked.
"""

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from socket import inet_aton
from typing import Final
from urllib.parse import urlsplit

_PLACE: Final = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")
"""A host and perhaps a port, of nothing that two parsers of URLs may read differently."""
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = IPv6Network("::/96")


def check_base_url(url: str, private_hosts: frozenset[str]) -> str:
    """Return what is wrong with the address of a provider, and what to do; empty where nothing is.

    It looks nothing up: what a name leads to is checked with every connection.
    """
    if wrong := check_url(url, private_hosts):
        return wrong
    if "?" in url or "#" in url:
        return "has a query or fragment: give parameters by `query`"
    return ""


def check_url(url: str, private_hosts: frozenset[str]) -> str:
    """Return why nothing may be sent to a URL, as far as that can be told without a look-up; empty where it may."""
    if not (url.isascii() and url.isprintable()) or " " in url:
        return "has blanks, control characters or letters that are not ASCII"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is no URL"
    if "@" in parts.netloc:
        return "has a user name or a password: keys are configured apart"
    if parts.scheme not in ("http", "https") or not _PLACE.fullmatch(parts.netloc):
        return "has not the form https://HOST/PATH"
    return _wrong_host(host, private_hosts) or _wrong_scheme(parts.scheme, host, private_hosts)


def check_address(host: str, address: str, private_hosts: frozenset[str]) -> str:
    """Return why `host` must not be reached at `address`; empty where it may."""
    if is_listed(host, private_hosts) or is_public(ip_address(address)):
        return ""
    return f"leads to {address}, which is not public: if that is meant, add {host!r} to gateway.private_hosts"


def is_listed(host: str, private_hosts: frozenset[str]) -> bool:
    """Return whether an operator listed a host, in lower case; a dot at the end of `host` does not count."""
    return host.lower().rstrip(".") in private_hosts


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Return whether an address belongs to the public internet; of an IPv6 address that holds an IPv4 one, that one."""
    if isinstance(address, IPv6Address) and (inner := _embedded(address)):
        return is_public(inner)
    local = isinstance(address, IPv6Address) and address.is_site_local
    return address.is_global and not (local or address.is_multicast or address.is_reserved)


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if address in _TRANSLATED or (address in _COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _wrong_host(host: str, private_hosts: frozenset[str]) -> str:
    bare = host.rstrip(".")
    try:
        return check_address(bare, str(ip_address(bare)), private_hosts)
    except ValueError:
        pass
    try:
        inet_aton(bare)
    except OSError:
        return ""
    # 127.1, 0x7f000001, 2130706433: libraries disagree about them, so one would check and another reach something else.
    return "has an address in an unusual notation: write four decimal numbers, as in 192.0.2.1"


def _wrong_scheme(scheme: str, host: str, private_hosts: frozenset[str]) -> str:
    if scheme == "https" or is_listed(host, private_hosts):
        return ""
    return f"would send keys and prompts in the clear: use https, or add {host!r} to gateway.private_hosts"
