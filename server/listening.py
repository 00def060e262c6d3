"""The sockets of the service: the gRPC server with its limits, and the port that serves the figures."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import grpc
from prometheus_client import CollectorRegistry, make_wsgi_app

from server.settings import TlsFiles

REFUSED_BYTES: Final = 4 * 1024 * 1024
"""Size from which a message is refused before it is read; the contract's own, smaller limit answers with a reason."""

OPTIONS: Final = (
    # It refuses calls within the limit of streams: it also counts those that were answered and not yet cleared away.
    ("grpc.http.overload_protection", 0),
    ("grpc.max_receive_message_length", REFUSED_BYTES),
    ("grpc.max_metadata_size", 8 * 1024),
    ("grpc.max_concurrent_streams", 100),
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_connection_age_ms", 600_000),
    ("grpc.max_connection_age_grace_ms", 30_000),
    ("grpc.max_connection_idle_ms", 300_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)


BACKLOG: Final = 1024
"""Connections that may wait to be taken."""


class StartError(Exception):
    """The service cannot start as it is configured; the text says what to change."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the service listens; an empty one does not."""

    grpc: str
    metrics: str = ""
    gateway: str = ""


@dataclass(frozen=True, slots=True)
class Inherited:
    """Sockets that a supervisor bound for its workers, for figures and for the gateway; none where there is none.

    A worker shares the port of RPCs with the others; without a supervisor nobody may.
    """

    metrics: socket.socket | None = None
    gateway: socket.socket | None = None
    is_worker: bool = False


ALONE: Final = Inherited()


def grpc_server(*, shares_port: bool) -> grpc.aio.Server:
    """Return a server with the limits of the service. Where it may not share its port, two would silently do."""
    return grpc.aio.server(options=(*OPTIONS, ("grpc.so_reuseport", int(shares_port))))


def listen(server: grpc.aio.Server, address: str, tls: TlsFiles | None, *, shares_port: bool = False) -> str:
    """Bind `server` and return its address with the port that was taken. Raises StartError."""
    if not shares_port:
        _require_free(address)
    try:
        port = server.add_insecure_port(address) if tls is None else server.add_secure_port(address, _credentials(tls))
    except RuntimeError as error:
        raise cannot_listen(address, "listen", str(error)) from error
    return f"{address.rpartition(':')[0]}:{port}"


def serve_metrics(
    address: str, registry: CollectorRegistry, inherited: socket.socket | None = None
) -> tuple[str, Callable[[], None]]:
    """Serve the figures over HTTP; return the address, and what stops it. Raises StartError."""
    server = _FiguresServer(inherited or bound(address, "metrics"), registry)
    thread = Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return f"{address.rpartition(':')[0]}:{server.server_port}", stop


class _FiguresServer(ThreadingMixIn, WSGIServer):
    """Answers on a socket that listens already."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, registry: CollectorRegistry) -> None:
        host, port, *_ = listener.getsockname()
        super().__init__((host, port), _Quiet, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_name, self.server_port = host, port
        self.setup_environ()
        self.set_app(make_wsgi_app(registry))


class _Quiet(WSGIRequestHandler):
    """Logs no scrapes: the log is JSON of our own."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def bound(address: str, setting: str) -> socket.socket:
    """Return a socket that listens on an address of a setting of [server]. Raises StartError."""
    family, place = next(places(address))
    listener = socket.socket(family)
    with refusing(address, setting, listener):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(BACKLOG)
    return listener


def tls_context(tls: TlsFiles) -> ssl.SSLContext:
    """Return what a server speaks TLS with. Raises StartError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(tls.certificate, tls.key, password="")
    except OSError as error:
        raise StartError(
            f"cannot speak TLS with {tls.certificate} and {tls.key}: {error.strerror or error}; check "
            "server.tls_certificate and server.tls_key, which must be PEM files that belong together"
        ) from error
    return context


def _credentials(tls: TlsFiles) -> grpc.ServerCredentials:
    tls_context(tls)  # grpc would only say that it cannot listen
    return grpc.ssl_server_credentials([(tls.key.read_bytes(), tls.certificate.read_bytes())])


def _require_free(address: str) -> None:
    """Raise StartError where nobody can listen: grpc would not say why, and print lines of its own."""
    for family, place in places(address):
        with socket.socket(family) as probe, refusing(address, "listen"):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)


def places(address: str) -> Iterator[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    """Yield what "HOST:PORT" means to this machine: "localhost" may be two addresses."""
    host, _, port = address.rpartition(":")
    for family, _, _, _, place in socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM):
        if _has(family):
            yield family, place


def _has(family: socket.AddressFamily) -> bool:
    """Whether this machine has such addresses: one without IPv6 may still be asked for "localhost"."""
    try:
        socket.socket(family).close()
    except OSError:
        return False
    return True


@contextmanager
def refusing(address: str, setting: str, opened: socket.socket | None = None) -> Iterator[None]:
    """Turn the system's refusal of an address into a StartError, and close what was opened for it."""
    try:
        yield
    except OSError as error:
        if opened is not None:
            opened.close()
        raise cannot_listen(address, setting, error.strerror or str(error)) from error


def cannot_listen(address: str, setting: str, why: str) -> StartError:
    """Return the error of an address of the setting `listen` or `metrics` of [server], or of another table's."""
    where, instead = setting, ""
    if "." not in setting:
        where, instead = f"server.{setting}", f" (routeward serve takes --{setting} instead)"
    return StartError(f"cannot listen on {address}: {why}; stop what listens there, or change {where}{instead}")
