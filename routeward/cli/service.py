"""`routeward init` and `routeward serve`."""

import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from routeward.cli.options import DEFAULT_CONFIG, ConfigFile, Json, Listen, Metrics
from routeward.cli.output import WRONG_USE, CommandError, print_json, show

if TYPE_CHECKING:
    from server.config import ConfigError
    from server.settings import Settings


def init(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="File to write.")] = DEFAULT_CONFIG,
    *,
    as_json: Json = False,
) -> None:
    """Write a configuration with models and prices to edit. Never overwrites."""
    text = starter()
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        message = f"{path} exists already, and is left as it is; name another file, or move it away"
        raise CommandError("FILE_EXISTS", message) from error
    except OSError as error:
        raise CommandError("NOT_WRITTEN", f"{path} cannot be written: {error.strerror}") from error
    option = "" if path == DEFAULT_CONFIG else f" --config {path}"
    steps = f"Wrote {path}. Now put your models and their prices into it, then run\n\n    routeward serve{option}"
    show({"path": str(path)}, lambda: steps, as_json=as_json)


def starter() -> str:
    """Return the configuration that `init` writes."""
    return files("routeward.cli").joinpath("starter.toml").read_text(encoding="utf-8")


def serve(
    *,
    config: ConfigFile = DEFAULT_CONFIG,
    listen: Listen = "",
    metrics: Metrics = "",
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=64,
            metavar="N",
            help="Processes that serve, instead of the number in the file.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the server until it is told to stop (Ctrl-C or SIGTERM)."""
    settings = loaded(config, listen, metrics, workers=workers or 0, serving=True)
    from server.listening import StartError
    from server.workers import supervisor

    try:
        supervisor.serve(config, settings)
    except StartError as error:
        message = f"the server did not start: {error}"
        raise CommandError("REFUSED_TO_START", message, exit_code=WRONG_USE) from error
    if as_json:
        print_json({"stopped": True})


def loaded(config: Path, listen: str = "", metrics: str = "", *, workers: int = 0, serving: bool = False) -> "Settings":
    """Read a configuration, perhaps for `serving`; everything that is wrong with it becomes one CommandError."""
    from server.config import ConfigError, load

    try:
        return load(config, os.environ, listen=listen, metrics=metrics, workers=workers, serving=serving)
    except ConfigError as error:
        raise invalid(error, "the configuration") from error


def invalid(error: "ConfigError", what: str) -> CommandError:
    """Return everything that is wrong with a file as one error; `what` says which file it is."""
    problems = [
        {"place": one.place, "line": one.line, "message": one.message, "hint": one.hint} for one in error.problems
    ]
    count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
    return CommandError(
        "CONFIG_INVALID", f"{count} in {what}\n\n{error}", exit_code=WRONG_USE, details={"problems": problems}
    )
