"""`routeward keys`: API keys for callers, and the keys that sign decision ids."""

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from routeward.cli.commands import Command, Group
from routeward.cli.options import Json
from routeward.cli.output import CommandError, show
from routeward.names import NAME, NAME_IN_WORDS

app = typer.Typer(cls=Group, no_args_is_help=True, help="Make keys for callers, and keys that sign decision ids.")


def _name(text: str) -> str:
    if not re.fullmatch(NAME, text):
        raise typer.BadParameter(NAME_IN_WORDS)
    return text


@app.command(cls=Command)
def create(
    id_: Annotated[
        str, typer.Argument(metavar="ID", callback=_name, show_default=False, help="Name of the key, for logs.")
    ],
    *,
    namespace: Annotated[str, typer.Option(callback=_name, help="Tenant that callers with it belong to.")] = "default",
    admin: Annotated[bool, typer.Option("--admin", metavar="", help="Let it change models while servers run.")] = False,
    as_json: Json = False,
) -> None:
    """Make an API key. Its secret is shown once and kept nowhere; the server needs only the hash."""
    from server.credentials import make_key

    key, sha256 = make_key(id_, os.urandom)
    table = f'[[server.keys]]\nid = "{id_}"\nsha256 = "{sha256}"\nnamespace = "{namespace}"'
    table += "\nadmin = true" if admin else ""
    human = (
        f"{key}\n\nGive this to the caller, as ROUTEWARD_API_KEY; it is not shown again.\n"
        f"Put this into the configuration and restart the server:\n\n{table}"
    )
    document = {"id": id_, "key": key, "sha256": sha256, "namespace": namespace, "toml": table}
    show(document, lambda: human, as_json=as_json)


@app.command(cls=Command)
def rotate(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", show_default=False, help="Key file; it is made where it is missing.")
    ],
    *,
    as_json: Json = False,
) -> None:
    """Put a new key that signs decision ids first in a file; the older ones are still accepted.

    Copy the file to every replica before restarting the first. Remove an old key once no decision that it signed
    can get feedback any more.
    """
    from server.token_keys import TokenKeyError, new_key, read_keys, write_keys

    try:
        older = read_keys(path) if path.exists() else ()
        keys = [new_key(os.urandom), *older]
        write_keys(path, keys, replace=True)
    except TokenKeyError as error:
        raise CommandError("KEY_FILE_UNFIT", str(error)) from error
    ids = [key.id for key in keys]
    others = f"signs, {', '.join(ids[1:])} {'are' if len(ids) > 2 else 'is'} accepted too"
    human = f"{path}: {ids[0]} {others if older else 'is the only key'}. Restart the server."
    show({"path": str(path), "signs": ids[0], "accepted": ids}, lambda: human, as_json=as_json)
