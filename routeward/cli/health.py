"""`routeward health`: what a container's or an orchestrator's health check runs."""

from enum import Enum
from typing import Annotated

import typer

from routeward.cli.connection import Server
from routeward.cli.options import DEFAULT_TARGET, DEFAULT_TIMEOUT_S, Insecure, Json, RootCertificates, Target, Timeout
from routeward.cli.output import FOUND_PROBLEM, show


class Part(Enum):
    """What of a server can be asked for its health; the value of the command line."""

    SERVER = "server"
    ROUTING = "routing"
    FEEDBACK = "feedback"


_NAMES = {
    Part.SERVER: "",
    Part.ROUTING: "routeward.v1.RoutingService",
    Part.FEEDBACK: "routeward.v1.FeedbackService",
}


def health(
    *,
    service: Annotated[
        Part, typer.Option(help="What must serve: the server, or one service; only feedback needs the store.")
    ] = Part.SERVER,
    target: Target = DEFAULT_TARGET,
    insecure: Insecure = False,
    root_certificates: RootCertificates = None,
    timeout: Timeout = DEFAULT_TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Ask a server whether it serves; exit code 1 if it does not. Needs no API key."""
    status = Server(target, "", insecure, root_certificates, timeout).health(_NAMES[service])
    document = {"service": service.value, "target": target, "status": status}
    show(document, lambda: f"{service.value} at {target}: {status}", as_json=as_json)
    if status != "SERVING":
        raise typer.Exit(FOUND_PROBLEM)
