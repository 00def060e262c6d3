"""The sockets of the service: the gRPC server with its limits, and the port that serves the figures."""

import errno
import socket
import ssl
from collections.abc import Callable
from typing import Final

import grpc
from prometheus_client import CollectorRegistry, start_http_server

from server.settings import TlsFiles

REFUSED_BYTES: Final = 4 * 1024 * 1024
"""Size from which a message is refused before it is read; the contract's own, smaller limit answers with a reason."""

OPTIONS: Final = (
    # Two servers would silently share the port.
    ("grpc.so_reuseport", 0),
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


class StartError(Exception):
    """The service cannot start as it is configured; the text says what to change."""


def listen(server: grpc.aio.Server, address: str, tls: TlsFiles | None) -> str:
    """Bind `server` and return its address with the port that was taken. Raises StartError."""
    _require_free(address)
    try:
        port = server.add_insecure_port(address) if tls is None else server.add_secure_port(address, _credentials(tls))
    except RuntimeError as error:
        raise _cannot_listen(address, "listen", str(error)) from error
    return f"{address.rpartition(':')[0]}:{port}"


def serve_metrics(address: str, registry: CollectorRegistry) -> tuple[str, Callable[[], None]]:
    """Serve the figures over HTTP; return the address, and what stops it. Raises StartError."""
    host, _, port = address.rpartition(":")
    try:
        server, thread = start_http_server(int(port), host.strip("[]"), registry)
    except OSError as error:
        raise _cannot_listen(address, "metrics", error.strerror or str(error)) from error

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return f"{host}:{server.server_port}", stop


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
    host, _, port = address.rpartition(":")
    for family, kind, protocol, _, place in socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM):
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(place)
        except OSError as error:
            # A machine without IPv6 may still be asked for "localhost".
            if error.errno != errno.EAFNOSUPPORT:
                raise _cannot_listen(address, "listen", error.strerror or str(error)) from error


def _cannot_listen(address: str, name: str, why: str) -> StartError:
    return StartError(
        f"cannot listen on {address}: {why}; stop what listens there, or change server.{name} "
        f"(routeward serve takes --{name} instead)"
    )
