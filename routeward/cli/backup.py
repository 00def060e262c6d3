"""`routeward backup`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from routeward.cli.options import DEFAULT_CONFIG, ConfigFile, Json
from routeward.cli.output import FOUND_PROBLEM, WRONG_USE, CommandError, counted, show
from routeward.cli.service import loaded
from routeward.cli.stores import progress_of, require_store, run_on, told

if TYPE_CHECKING:
    from adapters.sql.sqlite.copying import Proof
    from server.settings import Settings


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write.")],
    *,
    force: Annotated[bool, typer.Option("--force", metavar="", help="Replace a file that is there.")] = False,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Copy everything that a server keeps into one file, also while it runs, and prove the copy.

    Exit code 1 if what it learned differs from its log, here as there.
    """
    settings = loaded(config)
    require_store(settings)
    if file.is_dir():
        raise CommandError("NOT_WRITTEN", f"{file} is a folder; name a file", exit_code=WRONG_USE)
    if file.exists() and not force:
        raise CommandError("FILE_EXISTS", f"{file} is there already; choose another name, or --force to replace it")
    if not file.resolve().parent.is_dir():
        raise CommandError("NOT_WRITTEN", f"there is no folder {file.parent}", exit_code=WRONG_USE)
    with told():
        proof = _backed_up(settings, file)
    document = {"file": str(file), **proof_document(proof)}
    show(document, lambda: f"{file} holds everything ({proof.size_bytes:,} bytes)\n{said_of(proof)}", as_json=as_json)
    if proof.differing:
        raise typer.Exit(FOUND_PROBLEM)


def _backed_up(settings: "Settings", file: Path) -> "Proof":
    from adapters.sql.postgres import portable
    from adapters.sql.sqlite.copying import copy_file, proved, put_in_place, scratch

    store = None if settings.store.postgres else _known(settings.store.path)
    with scratch(file.resolve()) as copy:
        with progress_of("copying") as progress:
            if store is None:
                run_on(settings, lambda store: store.read(portable.dump, copy, progress))
            else:
                copy_file(store, copy, progress)
        with progress_of("proving the copy") as progress:
            proof = proved(copy, progress)
        put_in_place(copy, file.resolve())
    return proof


def _known(store: Path) -> Path:
    """Return the file of a store of this version or an earlier one. Raises CommandError and StoreError."""
    from adapters.sql.sqlite.inspection import facts_of

    if not store.is_file():
        raise CommandError("NO_STORE", f"there is no store at {store}", exit_code=WRONG_USE)
    facts_of(store)
    return store


def proof_document(proof: "Proof") -> dict[str, Any]:
    """Return what was found of a copy, for a document."""
    return {"schema": proof.version, "bytes": proof.size_bytes, "differing": proof.differing}


def said_of(proof: "Proof") -> str:
    """Say what was found of a copy."""
    if proof.differing is None:
        return f"the file is sound; its tables are of schema {proof.version}, whose sums this version does not compare"
    if proof.differing:
        rows = counted(proof.differing, "row differs", "rows differ")
        return f"{rows} from the log, as in the store: routeward rebuild mends that there"
    return "the file is sound, and sums and spend are those of its log, to the bit"
