"""Calls to a server, for commands."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from routeward.cli.output import WRONG_USE, CommandError
from routeward.errors import DeadlineExceededError, UnavailableError

if TYPE_CHECKING:
    import grpc

    from routeward import Client
    from routeward.channel import Endpoint
    from routeward.v1.admin_service_pb2 import BudgetStanding, GetPosteriorRequest, GetPosteriorResponse
    from routeward.v1.admin_service_pb2_grpc import AdminServiceStub

CONNECT_TIMEOUT_S: Final = 1.0
SCHEMES: Final = ("dns:", "ipv4:", "ipv6:", "unix:", "unix-abstract:")
"""What else gRPC takes for an address."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is, and how to reach it. What goes wrong on the way becomes a CommandError."""

    target: str
    api_key: str
    insecure: bool
    root_certificates: Path | None
    timeout_s: float

    @contextmanager
    def client(self) -> "Iterator[Client]":
        """Give a client of the server. It tries once: a person is waiting, and can repeat the command."""
        from routeward import NO_RETRY, Client

        with self._failures():
            client = Client(
                self.target,
                api_key=self.api_key,
                insecure=self.insecure or None,
                root_certificates=self.root_certificates,
                route_timeout=self.timeout_s,
                feedback_timeout=self.timeout_s,
                retry=NO_RETRY,
            )
            with client:
                yield client

    def posterior(self, request: "GetPosteriorRequest") -> "GetPosteriorResponse":
        """Ask what is believed. Raises the errors of `routeward.errors` that the server answers with."""
        with self.admin() as (stub, how):
            return stub.GetPosterior(request, **how)

    def budgets(self) -> "Sequence[BudgetStanding]":
        """Ask where budgets stand; a server of an older version has none. Raises as `posterior` does."""
        import grpc

        from routeward.v1.admin_service_pb2 import ListBudgetsRequest

        with self.admin() as (stub, how):
            try:
                return stub.ListBudgets(ListBudgetsRequest(), **how).budgets
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    return ()
                raise

    def health(self, service: str) -> str:
        """Ask for the health of a service, "" for the server itself; return SERVING, NOT_SERVING or UNKNOWN.

        Raises the errors of `routeward.errors` where it cannot tell.
        """
        from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
        from grpc_health.v1.health_pb2_grpc import HealthStub

        with self._called() as (channel, how):
            answer = HealthStub(channel).Check(HealthCheckRequest(service=service), **how)
        status: str = HealthCheckResponse.ServingStatus.Name(answer.status)
        return status

    @contextmanager
    def admin(self) -> "Iterator[tuple[AdminServiceStub, dict[str, Any]]]":
        """Give a stub of the server, and how to call it."""
        from routeward.v1.admin_service_pb2_grpc import AdminServiceStub

        with self._called() as (channel, how):
            yield AdminServiceStub(channel), how

    @contextmanager
    def _called(self) -> "Iterator[tuple[grpc.Channel, dict[str, Any]]]":
        """Give a channel to the server, and how to call through it; what it answers with is raised as ours."""
        import grpc

        from routeward.error_details import error_of_status

        with self._failures():
            endpoint = self._endpoint()
            with _channel(endpoint) as channel:
                try:
                    yield channel, {"timeout": self.timeout_s, "metadata": endpoint.metadata}
                except grpc.RpcError as error:
                    trailers = [(datum.key, datum.value) for datum in error.trailing_metadata() or ()]
                    raise error_of_status(error.code(), error.details() or "", trailers) from error

    def _endpoint(self) -> "Endpoint":
        from routeward.channel import endpoint

        return endpoint(
            self.target,
            self.api_key,
            insecure=self.insecure or None,
            root_certificates=self.root_certificates,
            environment=os.environ,
        )

    def _unreachable(self, *, late: bool) -> str:
        if not _takes_connections(self.target):
            return f"no server answers at {self.target}; start one with  routeward serve  or name it with --target"
        if late:
            return (
                f"{self.target} takes connections, but gave no answer within {self.timeout_s:g} s; "
                "see what runs there, or wait longer with --timeout"
            )
        return (
            f"what answers at {self.target} is no routeward server that can be spoken to so: it may be the address of "
            "its figures, another program, or want TLS (--root-certificates); name another with --target"
        )

    @contextmanager
    def _failures(self) -> Iterator[None]:
        _require_address(self.target)
        try:
            yield
        except (UnavailableError, DeadlineExceededError) as error:
            if error.reason:
                raise
            # What the client advises is for programs: it speaks of arguments that a command does not have.
            cause = str(error).removesuffix(f" {error.advice}")
            late = isinstance(error, DeadlineExceededError)
            raise CommandError("UNREACHABLE", self._unreachable(late=late), details={"cause": cause}) from error
        except (ValueError, OSError) as error:
            raise CommandError("WRONG_USE", str(error), exit_code=WRONG_USE) from error


def _channel(endpoint: "Endpoint") -> "grpc.Channel":
    import grpc

    options = endpoint.options("{}")
    if endpoint.credentials is None:
        return grpc.insecure_channel(endpoint.target, options)
    return grpc.secure_channel(endpoint.target, endpoint.credentials, options)


def _require_address(target: str) -> None:
    """Raise CommandError for what is no address; gRPC would only say that nothing answers."""
    if "/" in target or target.startswith(SCHEMES):
        return
    host, _, port = target.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        message = f"{target} is not HOST:PORT, as in 127.0.0.1:7443"
        raise CommandError("WRONG_USE", message, exit_code=WRONG_USE)


def _takes_connections(target: str) -> bool:
    host, _, port = target.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT_S).close()
    except (OSError, ValueError):
        return False
    return True
