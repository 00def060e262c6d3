"""`routeward namespace`: what is kept of each tenant, taking it along, and removing it."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from routeward.cli.commands import Command, Group
from routeward.cli.options import DEFAULT_CONFIG, ConfigFile, Json
from routeward.cli.output import WRONG_USE, CommandError, counted, show
from routeward.cli.service import loaded
from routeward.cli.stores import run_on

if TYPE_CHECKING:
    from rich.console import RenderableType

    from adapters.sql.namespaces import NamespaceSummary
    from server.settings import Settings

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

app = typer.Typer(cls=Group, no_args_is_help=True, help="Tenants: what is kept of them, export, removal.")


def _named(name: str) -> str:
    if not name:
        raise typer.BadParameter("the name is empty, which is no tenant's")
    return name


Name = Annotated[str, typer.Argument(metavar="NAME", help="Tenant.", callback=_named)]


@app.command("list", cls=Command)
def list_(*, config: ConfigFile = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Say what is kept of each tenant; also beside the server."""
    rows = [_document(one) for one in _summaries(loaded(config))]
    show({"namespaces": rows}, lambda: _table(rows), as_json=as_json)


@app.command(cls=Command)
def export(
    name: Name,
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="New folder to write to.", show_default=False)
    ],
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Write every row that belongs to a tenant as JSON lines, a file per table; also beside the server."""
    from adapters.sql.dumping import dump_namespace

    settings = loaded(config)
    summary_of(settings, name)
    try:
        output.mkdir()
    except OSError as error:
        message = f"{output} cannot be made: {error.strerror}; name a folder that is not there yet"
        raise CommandError("NOT_WRITTEN", message) from error
    rows = run_on(settings, lambda store: store.read(dump_namespace, name, output))
    document = {"namespace": name, "output": str(output), "rows": rows}
    show(
        document,
        lambda: f"{output} holds {counted(sum(rows.values()), 'row')} of {name}, a file per table",
        as_json=as_json,
    )


@app.command(cls=Command)
def delete(
    name: Name,
    *,
    rater: Annotated[
        str | None, typer.Option(metavar="ID", help="Only forget who this rater was; what was said still counts.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", metavar="", help="Do it; without, only say what would go.")] = False,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Remove a tenant with everything that was learned, said and decided, for good; or who one rater was."""
    if rater == "":
        raise typer.BadParameter("--rater is empty, which is nobody")
    settings = loaded(config)
    summary = summary_of(settings, name)
    if not yes:
        what = _told(summary) if rater is None else f"who rater {rater} of {name} was"
        raise CommandError("NOT_CONFIRMED", f"this would remove {what}, for good; say --yes", exit_code=WRONG_USE)
    if rater is not None:
        count = run_on(settings, lambda store: store.erase_rater(name, rater), alone=True)
        document: dict[str, Any] = {"namespace": name, "rater": rater, "signals": count}
        show(document, lambda: _forgotten(count), as_json=as_json)
        return
    now_us = time.time_ns() // 1000
    removed = run_on(settings, lambda store: store.remove_namespace(name, time_us=now_us), alone=True)
    document = {"namespace": name, "removed": dict(removed)}
    show(document, lambda: f"removed {_told(summary)}", as_json=as_json)


def _summaries(settings: "Settings") -> "Sequence[NamespaceSummary]":
    return run_on(settings, lambda store: store.namespace_summaries())


def summary_of(settings: "Settings", name: str) -> "NamespaceSummary":
    """Return what there is of a namespace. Raises CommandError for one that is not there."""
    found = {one.namespace: one for one in _summaries(settings)}
    if name not in found:
        names = ", ".join(sorted(found)) or "none"
        raise CommandError("NO_NAMESPACE", f"the store has no namespace '{name}'; it has {names}", exit_code=WRONG_USE)
    return found[name]


def _document(one: "NamespaceSummary") -> dict[str, Any]:
    document = one._asdict()
    oldest_us, newest_us = document.pop("oldest_us"), document.pop("newest_us")
    return {**document, "from": _iso(oldest_us), "to": _iso(newest_us)}


def _told(one: "NamespaceSummary") -> str:
    return (
        f"namespace {one.namespace}: {counted(one.signals, 'signal')}, {counted(one.decisions, 'decision')}, "
        f"{counted(one.categories, 'category', 'categories')} and all that was learned"
    )


def _forgotten(count: int) -> str:
    if count == 1:
        return "1 signal no longer says who gave it; it still counts"
    return f"{count:,} signals no longer say who gave them; they still count"


def _iso(time_us: int | None) -> str | None:
    return None if time_us is None else (_EPOCH + timedelta(microseconds=time_us)).isoformat()


def _table(rows: Sequence[Mapping[str, Any]]) -> "RenderableType":
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("namespace", overflow="fold")
    for name in ("revision", "signals", "decisions", "categories"):
        table.add_column(name, justify="right")
    for name in ("from", "to"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        counts = (f"{row[name]:,}" for name in ("revision", "signals", "decisions", "categories"))
        table.add_row(row["namespace"], *counts, *((row[name] or "-")[:19] for name in ("from", "to")))
    return table
