"""Calls to a server, for commands."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from routeward.cli.output import WRONG_USE, CommandError
from routeward.errors import DeadlineExceededError, UnavailableError

if TYPE_CHECKING:
    import grpc

    from routeward import Client
    from routeward.channel import Endpoint
    from routeward.v1.admin_service_pb2 import GetPosteriorRequest, GetPosteriorResponse


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
        import grpc

        from routeward.error_details import error_of_status
        from routeward.v1.admin_service_pb2_grpc import AdminServiceStub

        with self._failures():
            endpoint = self._endpoint()
            with _channel(endpoint) as channel:
                try:
                    return AdminServiceStub(channel).GetPosterior(
                        request, timeout=self.timeout_s, metadata=endpoint.metadata
                    )
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

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (UnavailableError, DeadlineExceededError) as error:
            if error.reason:
                raise
            message = f"no server answers at {self.target}; start one with  routeward serve  or name it with --target"
            raise CommandError("UNREACHABLE", message, details={"cause": str(error)}) from error
        except (ValueError, OSError) as error:
            raise CommandError("WRONG_USE", str(error), exit_code=WRONG_USE) from error


def _channel(endpoint: "Endpoint") -> "grpc.Channel":
    import grpc

    options = endpoint.options("{}")
    if endpoint.credentials is None:
        return grpc.insecure_channel(endpoint.target, options)
    return grpc.secure_channel(endpoint.target, endpoint.credentials, options)
