"""`routeward doctor`."""

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Final

import typer

from routeward.cli import checks, file_checks, port_checks, provider_checks
from routeward.cli.checks import Check, Verdict
from routeward.cli.options import DEFAULT_CONFIG, ConfigFile, Json, Listen, Metrics
from routeward.cli.output import FOUND_PROBLEM, CommandError, show
from routeward.cli.service import loaded

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLES: Final = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.FAILED: "bold red"}


def doctor(
    *, config: ConfigFile = DEFAULT_CONFIG, listen: Listen = "", metrics: Metrics = "", as_json: Json = False
) -> None:
    """Look for what could keep a server from running well here; exit code 1 if something does."""
    found = [*_found(config, listen, metrics), checks.library()]
    healthy = all(check.verdict is not Verdict.FAILED for check in found)
    document = {"healthy": healthy, "checks": [asdict(check) for check in found]}
    show(document, lambda: _human(found), as_json=as_json)
    if not healthy:
        raise typer.Exit(FOUND_PROBLEM)


def _found(config: ConfigFile, listen: str, metrics: str) -> list[Check]:
    now_s = time.time()
    clock = checks.clock(now_s)
    try:
        settings = loaded(config, listen, metrics)
    except CommandError as error:
        return [clock, _broken(config, error)]
    fine = checks.ok("configuration", f"{config}, {len(settings.catalogue.models)} models")
    holder = file_checks.holder_of(settings)
    # A server that was started with --listen is elsewhere than its file says.
    server = replace(settings.server, listen=holder.address) if holder and holder.address else settings.server
    listening = port_checks.found_at(server)
    return [
        *(clock, fine),
        *file_checks.files(settings, now_s, holder, listening),
        *port_checks.network(server, listening, database_in_use=file_checks.database_in_use(settings)),
        *port_checks.gateway(settings.gateway, server, listening),
        *provider_checks.providers(settings),
    ]


def _broken(config: ConfigFile, error: CommandError) -> Check:
    first, _, _ = str(error).partition("\n")
    command = "routeward config check" if config == DEFAULT_CONFIG else f"routeward config check {config}"
    return Check("configuration", Verdict.FAILED, f"{config}: {first}", f"run  {command}  to read what is wrong")


def _human(found: Sequence[Check]) -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for column in ("verdict", "name"):
        table.add_column(column, no_wrap=True)
    table.add_column(overflow="fold")
    for check in found:
        told = Text(check.detail)
        if check.advice:
            told.append(f"\n{check.advice}", "dim")
        table.add_row(Text(check.verdict, _STYLES[check.verdict]), check.name, told)
    return table
