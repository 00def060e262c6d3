"""`routeward config`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from routeward.cli.commands import Command, Group
from routeward.cli.options import DEFAULT_CONFIG, Json
from routeward.cli.output import counted, show
from routeward.cli.provider_checks import missing_models
from routeward.cli.service import loaded

if TYPE_CHECKING:
    from server.settings import Settings

app = typer.Typer(cls=Group, no_args_is_help=True, help="Check the configuration, or read what may stand in it.")


@app.command(cls=Command)
def check(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="Configuration file.", envvar="ROUTEWARD_CONFIG")
    ] = DEFAULT_CONFIG,
    *,
    as_json: Json = False,
) -> None:
    """Say everything that is wrong with a configuration, with lines and advice; exit code 2 if anything is.

    Keys of providers that are not in this environment are told, and wrong only for `serve`.
    """
    settings = loaded(path)
    catalogue = settings.catalogue
    enabled = sum(model.enabled for model in catalogue.models)
    missing, listens = missing_models(settings), bool(settings.gateway.listen)
    document = {
        "path": str(path),
        "folder": str(path.resolve().parent),
        "digest": settings.digest,
        "store": _store(settings),
        "listen": settings.server.listen,
        "gateway": settings.gateway.listen or None,
        "models": [model.id for model in catalogue.models if model.enabled],
        "disabled_models": [model.id for model in catalogue.models if not model.enabled],
        "callable_models": sorted(settings.gateway.upstreams) if listens else None,
        "uncallable_models": [{"model": id_, **remedy._asdict()} for id_, remedy in missing.items()]
        if listens
        else None,
        "categories": sorted(catalogue.categories),
        "profiles": sorted(catalogue.profiles),
        "api_keys": [key.id for key in settings.server.keys],
    }
    counts = f"{counted(enabled, 'model')}, {counted(len(catalogue.categories), 'category', 'categories')}"
    lines = [f"{path} is fine: {counts}, digest {settings.digest}"]
    lines.append(f"its relative paths start at {document['folder']}")
    if settings.store.postgres is not None:
        lines.append(f"what is learned is kept at {document['store']}")
    if listens:
        lines.append(f"{enabled - len(missing)} of {counted(enabled, 'model')} can be called{':' if missing else ''}")
        lines += [f"    {id_}: {remedy.why}; {remedy.advice}" for id_, remedy in missing.items()]
    show(document, lambda: "\n".join(lines), as_json=as_json)


@app.command(cls=Command)
def reference(*, as_json: Json = False) -> None:
    """Print every key that a configuration may hold, with type, range, default and meaning."""
    from adapters.toml.manual import as_markdown, described
    from server.config.reference import REFERENCE

    show({"keys": described(REFERENCE)}, lambda: as_markdown(REFERENCE), as_json=as_json)


def _store(settings: "Settings") -> str | None:
    """Return where what is learned is kept, without a password; None for memory."""
    from adapters.sql.postgres import Reach

    if settings.store.postgres is not None:
        return Reach(settings.store.postgres.url).address
    return str(settings.store.path) if settings.store.in_file else None
