"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Final

import typer

CONNECTION: Final = "Connection"
DEFAULT_TARGET: Final = "127.0.0.1:7443"
DEFAULT_TIMEOUT_S: Final = 5.0
DEFAULT_CONFIG: Final = Path("routeward.toml")

Json = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON document, errors included.")]
ConfigFile = Annotated[
    Path, typer.Option("--config", envvar="ROUTEWARD_CONFIG", metavar="FILE", help="Configuration file.")
]
Listen = Annotated[str, typer.Option(metavar="HOST:PORT", help="Address to listen on, instead of the one in the file.")]
Metrics = Annotated[
    str, typer.Option(metavar="HOST:PORT", help="Address for the figures, instead of the one in the file.")
]
Target = Annotated[
    str,
    typer.Option(
        envvar="ROUTEWARD_TARGET", metavar="HOST:PORT", help="Address of the server.", rich_help_panel=CONNECTION
    ),
]
ApiKey = Annotated[
    str,
    typer.Option(
        envvar="ROUTEWARD_API_KEY",
        metavar="ID.SECRET",
        help="Key that the server knows. Prefer the variable: others can see command lines.",
        rich_help_panel=CONNECTION,
        show_default=False,
    ),
]
Insecure = Annotated[
    bool,
    typer.Option(
        "--insecure",
        metavar="",
        help="Send everything, the key included, without encryption.",
        rich_help_panel=CONNECTION,
    ),
]
RootCertificates = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="PEM file of the authorities to trust, for TLS.", rich_help_panel=CONNECTION),
]
Timeout = Annotated[
    float, typer.Option(min=0.001, metavar="SECONDS", help="How long to wait.", rich_help_panel=CONNECTION)
]
