"""How a client reaches its server: address, credentials, and the settings of its gRPC channel."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import grpc

DEFAULT_TARGET: Final = "127.0.0.1:7443"
TARGET_VARIABLE: Final = "ROUTEWARD_TARGET"
API_KEY_VARIABLE: Final = "ROUTEWARD_API_KEY"

_OPTIONS: Final[tuple[tuple[str, str | int], ...]] = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the server is, and what the client shows it."""

    target: str
    api_key: str | None = field(repr=False)
    credentials: grpc.ChannelCredentials | None
    """None: not encrypted."""

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes with every call."""
        return (("authorization", f"Bearer {self.api_key}"),) if self.api_key else ()

    def options(self, service_config: str) -> list[tuple[str, str | int]]:
        """Return the settings of a channel to this server.

        Idle connections are probed every minute, so that a dead one is found before the next call.
        """
        proxy = [("grpc.enable_http_proxy", 0)] if is_loopback(self.target) else []
        return [*_OPTIONS, *proxy, ("grpc.service_config", service_config)]


def endpoint(
    target: str | None,
    api_key: str | None,
    *,
    insecure: bool | None,
    root_certificates: str | os.PathLike[str] | None,
    environment: Mapping[str, str],
) -> Endpoint:
    """Fill in what is not given from the environment, then from the defaults.

    Raises ValueError for contradictory or malformed arguments, OSError where certificates cannot be read.
    """
    target = target or environment.get(TARGET_VARIABLE) or DEFAULT_TARGET
    api_key = environment.get(API_KEY_VARIABLE) if api_key is None else api_key
    api_key = api_key.strip() if api_key else None
    if api_key and not (api_key.isascii() and api_key.isprintable() and " " not in api_key):
        raise ValueError("api_key may only hold visible ASCII characters: check how it was read")
    if insecure and root_certificates is not None:
        raise ValueError("root_certificates are for TLS: give them, or insecure=True, but not both")
    if insecure is None:
        insecure = root_certificates is None and (api_key is None or is_loopback(target))
    return Endpoint(target, api_key, None if insecure else _tls(root_certificates))


def is_loopback(target: str) -> bool:
    """Tell whether a gRPC target stays on this machine."""
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    addresses = target.rpartition("/")[2].removeprefix("dns:").removeprefix("ipv4:").removeprefix("ipv6:")
    return all(_is_loopback(address) for address in addresses.split(","))


def _is_loopback(address: str) -> bool:
    has_port = address.count(":") == 1 or "]:" in address
    host = (address.rpartition(":")[0] if has_port else address).strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _tls(root_certificates: str | os.PathLike[str] | None) -> grpc.ChannelCredentials:
    if root_certificates is None:
        return grpc.ssl_channel_credentials()
    with open(root_certificates, "rb") as file:
        return grpc.ssl_channel_credentials(file.read())
