"""`routeward doctor`."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import typer

from routeward.cli import checks, file_checks, port_checks
from routeward.cli.checks import Check, Verdict
from routeward.cli.options import DEFAULT_CONFIG, ConfigFile, Json
from routeward.cli.output import FOUND_PROBLEM, CommandError, show
from routeward.cli.service import loaded

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLES: Final = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.FAILED: "bold red"}


def doctor(*, config: ConfigFile = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Look for what could keep a server from running well here; exit code 1 if something does."""
    found = _found(config)
    healthy = all(check.verdict is not Verdict.FAILED for check in found)
    document = {"healthy": healthy, "checks": [asdict(check) for check in found]}
    show(document, lambda: _human(found), as_json=as_json)
    if not healthy:
        raise typer.Exit(FOUND_PROBLEM)


def _found(config: ConfigFile) -> list[Check]:
    now_s = time.time()
    found = list(checks.machine(now_s))
    try:
        settings = loaded(config)
    except CommandError as error:
        return [*found, Check("configuration", Verdict.FAILED, f"{config} cannot be used", str(error))]
    fine = checks.ok("configuration", f"{config}, {len(settings.catalogue.models)} models")
    listening = port_checks.found_at(settings.server)
    in_use = file_checks.database_in_use(settings)
    return [
        *(*found, fine),
        *file_checks.files(settings, now_s, listening),
        *port_checks.network(settings.server, listening, database_in_use=in_use),
    ]


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
