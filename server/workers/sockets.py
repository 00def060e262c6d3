"""The sockets that a supervisor binds before its workers start, and holds as long as it lives.

gRPC can only listen on sockets of its own, so the port of RPCs is shared between as many as there are workers
(SO_REUSEPORT). The others are one socket that all listen on: what waits there when a worker leaves, another takes.
"""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final, NamedTuple

from server.config.kinds import parse_address
from server.listening import bound, cannot_listen, places, refusing
from server.settings import Settings

LAST_PORT: Final = 65_535


class Bound(NamedTuple):
    """What is bound: addresses with the ports that were taken, and the sockets that workers inherit, by worker."""

    listen: str
    metrics: tuple[tuple[str, socket.socket], ...]
    gateway: tuple[str, socket.socket] | None


def bind_all(settings: Settings, opened: ExitStack) -> Bound:
    """Bind what the workers of a configuration need; `opened` closes it. Raises StartError where somebody has it."""
    server, gateway = settings.server, settings.gateway.listen
    listen = _reserved(server.listen, opened)
    metrics = tuple(_listening(address, "metrics", opened) for address in metrics_addresses(settings))
    return Bound(listen, metrics, _listening(gateway, "gateway.listen", opened) if gateway else None)


def metrics_addresses(settings: Settings) -> Iterator[str]:
    """Yield where each worker serves its figures: the configured port and those after it, or any. Raises StartError."""
    address, count = settings.server.metrics_listen, settings.server.workers
    if not address:
        return
    host, _, _ = address.rpartition(":")
    first = parse_address(address).port
    if first + count - 1 > LAST_PORT:
        raise cannot_listen(address, "metrics", f"{count} workers need as many ports from there on")
    for number in range(count):
        yield f"{host}:{first + number if first else 0}"


def _listening(address: str, setting: str, opened: ExitStack) -> tuple[str, socket.socket]:
    listener = opened.enter_context(bound(address, setting))
    # Two processes that wake for the same connection: the second must not wait for another one.
    listener.setblocking(False)
    return f"{address.rpartition(':')[0]}:{listener.getsockname()[1]}", listener


def _reserved(address: str, opened: ExitStack) -> str:
    """Keep an address for sockets of our own that share it; return it with its port."""
    host, _, text = address.rpartition(":")
    port = int(text)
    for family, place in places(address):
        with refusing(address, "listen"):
            reservation = _reservation(family, (place[0], port, *place[2:]))
        port = opened.enter_context(reservation).getsockname()[1]
    return f"{host}:{port}"


def _reservation(family: socket.AddressFamily, place: tuple[Any, ...]) -> socket.socket:
    """Return a socket that has the port without listening, so that only sockets that share it can have it too.

    A second supervisor's would share it as well. So it is first asked for alone, and listened on, which the system
    grants to one process only.
    """
    with socket.socket(family) as alone:
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        alone.bind(place)
        alone.listen(0)
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept = socket.socket(family)
        try:
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            kept.bind(alone.getsockname())
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        except OSError:
            kept.close()
            raise
    return kept
