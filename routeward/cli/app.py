"""The commands of `routeward`."""

from importlib.metadata import version as installed_version

import typer

app = typer.Typer(no_args_is_help=True, help="Decides which model serves an LLM call, and learns from it.")


@app.callback()
def routeward() -> None:
    """Decide which model serves an LLM call, and learn from what happens next."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(installed_version("routeward"))
