"""`routeward version`."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version

from routeward.cli.options import Json
from routeward.cli.output import CommandError, show


def version(*, as_json: Json = False) -> None:
    """Print the version."""
    try:
        number = installed_version("routeward")
    except PackageNotFoundError as error:
        message = "routeward runs from a checkout that is not installed: run  pip install --editable ."
        raise CommandError("NOT_INSTALLED", message) from error
    show({"version": number}, lambda: number, as_json=as_json)
