"""Files that commands write: never over what they read, and over what is there only where that was said."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

import typer

from routeward.cli.output import WRONG_USE, CommandError

PRINTED: Final = Path("-")
"""Stands for stdout."""

Force = Annotated[bool, typer.Option("--force", metavar="", help="Replace files that are there.")]


def checked_json(out: Path | None, inputs: Iterable[Path | None]) -> None:
    """Refuse, before anything runs, a `--json` file that could not be written or is an input. Raises CommandError."""
    if out is None or out == PRINTED:
        return
    if out.is_dir():
        raise CommandError("WRONG_USE", f"--json is {out}, a folder; give a file in it", exit_code=WRONG_USE)
    if not out.parent.is_dir():
        raise CommandError("WRONG_USE", f"there is no folder {out.parent}; make it", exit_code=WRONG_USE)
    refuse_inputs([out], inputs)


def refuse_inputs(outputs: Iterable[Path], inputs: Iterable[Path | None]) -> None:
    """Refuse to write over an input, or into a folder that is one. Raises CommandError."""
    read = [path for path in inputs if path is not None]
    for output in outputs:
        for path in read:
            if same_file(output, path):
                message = f"{output} would be written over {path}, which is read; choose another name"
                raise CommandError("WRONG_USE", message, exit_code=WRONG_USE)
            if path.is_dir() and output.resolve().is_relative_to(path.resolve()):
                message = f"{output} would be written into {path}, which is read as a whole; choose another folder"
                raise CommandError("WRONG_USE", message, exit_code=WRONG_USE)


def refuse_existing(outputs: Iterable[Path], *, force: bool) -> None:
    """Refuse to replace files without `force`. Raises CommandError."""
    for output in outputs:
        if output.exists() and not force:
            message = f"{output} is there already; choose another name, or --force to replace it"
            raise CommandError("FILE_EXISTS", message)


def same_file(one: Path, other: Path) -> bool:
    """Tell whether two names are of one file, also by links, and where a file system ignores capitals."""
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()
