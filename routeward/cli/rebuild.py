"""`routeward rebuild`: take poisoned feedback back, or mend sums that differ from their log."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from routeward.cli.logs import instant
from routeward.cli.namespace import summary_of
from routeward.cli.options import DEFAULT_CONFIG, ConfigFile, Json
from routeward.cli.output import FOUND_PROBLEM, counted, show
from routeward.cli.service import loaded
from routeward.cli.stores import progress_of, run_on
from routeward.cli.verify import differing_rows, row_lines

if TYPE_CHECKING:
    from rich.console import RenderableType

    from adapters.exclusion import Excluded, Exclusion
    from adapters.sql.store import SqlStore
    from server.settings import Settings

EXCLUDE: Final = "What to take back"

Ids = list[str] | None


def rebuild(
    *,
    exclude_client: Annotated[
        Ids, typer.Option(metavar="ID", help="Signals of this API key. Repeatable.", rich_help_panel=EXCLUDE)
    ] = None,
    exclude_rater: Annotated[
        Ids, typer.Option(metavar="ID", help="Signals of this rater. Repeatable.", rich_help_panel=EXCLUDE)
    ] = None,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Received from this time on, ISO 8601.", rich_help_panel=EXCLUDE)
    ] = "",
    until: Annotated[
        str, typer.Option(metavar="TIME", help="Received before this time, ISO 8601.", rich_help_panel=EXCLUDE)
    ] = "",
    namespace: Annotated[
        str, typer.Option(metavar="NAME", help="Of this tenant alone.", show_default="all", rich_help_panel=EXCLUDE)
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", metavar="", help="Only say what would change.")] = False,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Take feedback back as if it had never been given; without saying whose, mend sums that `verify` found wrong.

    What is taken back cannot be given again, nor brought back: run `backup` first. Exit code 1 if there is no signal
    to take back.
    """
    from adapters.exclusion import Exclusion

    since_us, until_us = instant("--since", since), instant("--until", until)
    if since_us is not None and until_us is not None and until_us <= since_us:
        raise typer.BadParameter("--until is not later than --since")
    if "" in (*(exclude_client or ()), *(exclude_rater or ())):
        raise typer.BadParameter("an empty ID is nobody's; everyone's signals of a time need only --since or --until")
    wanted = Exclusion(frozenset(exclude_client or ()), frozenset(exclude_rater or ()), since_us, until_us, namespace)
    settings = loaded(config)
    if wanted == Exclusion():
        document = _mended(settings, dry_run=dry_run)
        show(document, lambda: _mended_text(document), as_json=as_json)
        return
    if wanted == Exclusion(namespace=namespace):
        raise typer.BadParameter(
            "--namespace alone says neither whose signals nor when; `routeward namespace delete` removes a tenant"
        )
    if namespace:
        summary_of(settings, namespace)
    document = _excluded(settings, wanted, dry_run=dry_run)
    show(document, lambda: _excluded_table(document, wanted), as_json=as_json)
    if not document["signals"]:
        raise typer.Exit(FOUND_PROBLEM)


def _mended(settings: "Settings", *, dry_run: bool) -> dict[str, Any]:
    with progress_of("reading the log") as progress:
        if dry_run:
            found = run_on(settings, lambda store: store.verify(progress))
        else:
            found = run_on(settings, lambda store: store.repair(progress), alone=True)
    return {"dry_run": dry_run, **differing_rows(found)}


def _mended_text(document: Mapping[str, Any]) -> str:
    if not document["differing"]:
        return "sums and spend are those of the log: there is nothing to mend"
    rows, is_one = counted(document["differing"], "row"), document["differing"] == 1
    did = "would be mended" if document["dry_run"] else "was mended" if is_one else "were mended"
    return "\n".join([f"{rows} {did}", *row_lines(document["rows"])])


def _excluded(settings: "Settings", wanted: "Exclusion", *, dry_run: bool) -> dict[str, Any]:
    from adapters.exclusion import exclude

    age_us = round(settings.learning.max_feedback_age_s * 1e6)
    with progress_of("looking for signals") as progress:

        async def excluding(store: "SqlStore") -> tuple["Excluded", int]:
            done = await exclude(store, wanted, dry_run=dry_run, progress=progress)
            return done, await store.out_of_reach(wanted, age_us=age_us)

        excluded, out_of_reach = run_on(settings, excluding, alone=not dry_run)
    cells = [{**cell._asdict(), **counted._asdict()} for cell, counted in excluded.cells.items()]
    return {"dry_run": dry_run, "signals": excluded.signals, "out_of_reach": out_of_reach, "cells": cells}


def _excluded_table(document: Mapping[str, Any], wanted: "Exclusion") -> "RenderableType":
    from rich.console import Group
    from rich.table import Table

    lines: list[RenderableType] = [_taken_back(document, wanted)]
    if document["cells"]:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for name in ("namespace", "category", "model", "signal"):
            table.add_column(name, overflow="fold")
        for name in ("before", "after"):
            table.add_column(name, justify="right")
        for cell in document["cells"]:
            signal = cell["source"] or cell["signal"]
            names = cell["namespace"], cell["category"], cell["model"], signal
            table.add_row(*names, f"{cell['before']:,}", f"{cell['after']:,}")
        lines.append(table)
    if document["out_of_reach"]:
        observations = counted(
            document["out_of_reach"], "observation of that time stems", "observations of that time stem"
        )
        lines.append(
            f"{observations} from signals that retention has dropped, so that nobody knows whose they were, "
            "or is about to drop: they stay"
        )
    return Group(*lines)


def _taken_back(document: Mapping[str, Any], wanted: "Exclusion") -> str:
    if not document["signals"]:
        names = [f"client {name}" for name in sorted(wanted.clients)]
        names += [f"rater {name}" for name in sorted(wanted.raters)]
        whose = f" of {' or '.join(names)}" if names else ""
        within = " of that time" if (wanted.since_us, wanted.until_us) != (None, None) else ""
        where = f" of {wanted.namespace}" if wanted.namespace else ""
        return f"no signal{whose}{within} is in the log{where} to take back"
    signals = counted(document["signals"], "signal")
    if document["dry_run"]:
        return f"{signals} would be taken back"
    return f"{signals} {'was' if document['signals'] == 1 else 'were'} taken back for good"
