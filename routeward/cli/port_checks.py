"""What `routeward doctor` looks at on the network: who listens where a server would, and who may call it."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from routeward.cli.checks import Check, Verdict, ok

if TYPE_CHECKING:
    from server.config.kinds import Address
    from server.settings import GatewaySettings, ServerSettings

CONNECT_TIMEOUT_S: Final = 2.0
SERVICES: Final = ("routeward.v1.RoutingService", "routeward.v1.FeedbackService")


class Listener(Enum):
    """Who listens on an address."""

    NOBODY = "nobody"
    ROUTEWARD = "a routeward server"
    UNASKED = "someone behind TLS"
    STRANGER = "another program"


@dataclass(frozen=True, slots=True)
class Found:
    """Who listens on the address of a configuration; `failing` are the services that a routeward does not serve."""

    listener: Listener
    failing: tuple[str, ...] = ()

    @property
    def may_be_ours(self) -> bool:
        """Whether it can be a server of this configuration."""
        return self.listener in (Listener.ROUTEWARD, Listener.UNASKED)


def found_at(server: "ServerSettings") -> Found:
    """Look who listens on the address of a configuration."""
    from server.config.kinds import parse_address

    address = parse_address(server.listen)
    if address.port == 0 or not _answers(address):
        return Found(Listener.NOBODY)
    return Found(Listener.UNASKED) if server.tls else _asked(address)


def network(server: "ServerSettings", found: Found, *, database_in_use: bool | None) -> Iterator[Check]:
    """Look at who may call, and whether a server runs or could.

    `database_in_use` says whether a server has the database of the configuration, None where nobody can tell.
    """
    from server.config.kinds import parse_address

    address = parse_address(server.listen)
    yield from _encryption("tls", server.listen, server)
    if found.listener is Listener.NOBODY:
        yield _bindable("server", address)
    else:
        yield _listening(server.listen, found, database_in_use=database_in_use)
    if server.metrics_listen:
        yield _beside("metrics", parse_address(server.metrics_listen), found)


def _listening(listen: str, found: Found, *, database_in_use: bool | None) -> Check:
    stop = "stop it, or change listen in [server]"
    if found.listener is Listener.STRANGER:
        return Check("server", Verdict.FAILED, f"what listens on {listen} is no routeward server", stop)
    if database_in_use is False:
        detail = f"{found.listener.value} listens on {listen}, but not with this database: none could start here"
        return Check("server", Verdict.FAILED, detail, stop)
    if found.listener is Listener.UNASKED:
        return ok("server", f"something answers on {listen}; its health is not asked through TLS")
    if found.failing:
        detail = f"runs on {listen}, but does not serve {', '.join(found.failing)}"
        return Check("server", Verdict.FAILED, detail, "read its log: it is starting, stopping, or cannot store")
    return ok("server", f"runs on {listen}, and serves")


def _answers(address: "Address") -> bool:
    try:
        socket.create_connection(_reachable(address), CONNECT_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def _reachable(address: "Address") -> tuple[str, int]:
    """Return where this machine reaches what listens on `address`."""
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - this asks for it, it does not listen
    return anywhere.get(address.host, address.host), address.port


def gateway(gateway: "GatewaySettings", server: "ServerSettings", found: Found) -> Iterator[Check]:
    """Look whether the gateway of a configuration could listen, or does if the server runs; and at its encryption."""
    from server.config.kinds import parse_address

    if gateway.listen:
        yield from _encryption("gateway tls", gateway.listen, server)
        yield _beside("gateway", parse_address(gateway.listen), found)


def _encryption(name: str, listen: str, server: "ServerSettings") -> Iterator[Check]:
    from server.config.kinds import parse_address

    if not parse_address(listen).is_loopback and server.tls is None:
        detail = f"{listen} takes API keys without encryption"
        yield Check(name, Verdict.WARNING, detail, "set tls_certificate and tls_key, unless a proxy encrypts")


def _beside(name: str, address: "Address", found: Found) -> Check:
    """Look at another port of a server: whether it is free, or where the server runs, whether anybody listens."""
    if not found.may_be_ours or address.port == 0:
        return _bindable(name, address)
    shown = f"{address.host}:{address.port}"
    if _answers(address):
        return ok(name, f"something listens on {shown}, beside the server that runs")
    advice = "it was started with another address or configuration: restart it, or read its event ready"
    return Check(name, Verdict.WARNING, f"the server runs, but nobody listens on {shown}", advice)


def _bindable(name: str, address: "Address") -> Check:
    if address.port == 0:
        return ok(name, "any free port will do")
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    shown = f"{address.host}:{address.port}"
    try:
        with socket.socket(family) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address.host, address.port))
    except OSError as error:
        setting = "metrics in [server]" if name == "metrics" else f"listen in [{name}]"
        advice = f"change {setting}, or stop what uses it"
        return Check(name, Verdict.FAILED, f"nobody can listen on {shown}: {error.strerror}", advice)
    return ok(name, f"none runs; {shown} is free" if name == "server" else f"{shown} is free")


def _asked(address: "Address") -> Found:
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    host, port = _reachable(address)
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    failing = []
    try:
        with grpc.insecure_channel(target, [("grpc.enable_http_proxy", 0)]) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            for name in SERVICES:
                request = health_pb2.HealthCheckRequest(service=name)
                answer = stub.Check(request, timeout=CONNECT_TIMEOUT_S)
                if answer.status != health_pb2.HealthCheckResponse.SERVING:
                    failing.append(name)
    except grpc.RpcError:
        return Found(Listener.STRANGER)
    return Found(Listener.ROUTEWARD, tuple(failing))
