"""`routeward backup` and `routeward restore`."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from routeward.cli.options import DEFAULT_CONFIG, ConfigFile, Json
from routeward.cli.output import FOUND_PROBLEM, WRONG_USE, CommandError, show
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
    if file.exists() and not force:
        raise CommandError("FILE_EXISTS", f"{file} is there already; choose another name, or --force to replace it")
    if not file.resolve().parent.is_dir():
        raise CommandError("NOT_WRITTEN", f"there is no folder {file.parent}", exit_code=WRONG_USE)
    with told():
        proof = _backed_up(settings, file)
    document = {"file": str(file), **_proof(proof)}
    show(document, lambda: f"{file} holds everything ({proof.size_bytes:,} bytes)\n{_said(proof)}", as_json=as_json)
    if proof.differing:
        raise typer.Exit(FOUND_PROBLEM)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    *,
    force: Annotated[
        bool, typer.Option("--force", metavar="", help="Take the place of a database that is there; it is kept.")
    ] = False,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Put a backup where the configuration says that the database is. Its server must be stopped."""
    settings = loaded(config)
    require_store(settings)
    if not file.is_file():
        raise CommandError("NO_BACKUP", f"there is no file {file}", exit_code=WRONG_USE)
    with told():
        into = _into_postgres if settings.store.postgres else _into_file
        document = into(settings, file, force=force)
    show(document, lambda: _restored_text(document), as_json=as_json)
    if document["differing"]:
        raise typer.Exit(FOUND_PROBLEM)


def _backed_up(settings: "Settings", file: Path) -> "Proof":
    from adapters.sql import portable
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


def _into_file(settings: "Settings", file: Path, *, force: bool) -> dict[str, Any]:
    from adapters.sql.sqlite.copying import proved, replace_store, scratch

    store = settings.store.path.resolve()
    if store.exists() and store.stat().st_size and not force:
        message = f"{store} holds a database already; --force puts the backup in its place and keeps it beside"
        raise CommandError("STORE_EXISTS", message)
    with scratch(store) as copy:
        _upgraded(file, copy)
        with progress_of("proving the copy") as progress:
            proof = proved(copy, progress)
        now = datetime.fromtimestamp(time.time(), UTC)
        replaced = replace_store(copy, store, store.with_name(f"{store.name}.replaced-{now:%Y%m%dT%H%M%S}Z"))
    return {"store": str(store), "replaced": replaced and str(replaced), **_proof(proof)}


def _into_postgres(settings: "Settings", file: Path, *, force: bool) -> dict[str, Any]:
    from adapters.sql import portable
    from adapters.sql.sqlite.copying import proved, scratch

    if force:
        raise CommandError(
            "WRONG_USE", "a PostgreSQL is not replaced: name an empty database in its URL", exit_code=WRONG_USE
        )
    with TemporaryDirectory() as folder, scratch(Path(folder) / file.name) as copy:
        _upgraded(file, copy)
        with progress_of("writing rows") as progress:
            run_on(settings, lambda store: store.change(portable.load, copy, progress), alone=True)
        with progress_of("proving the copy") as progress:
            proof = proved(copy, progress)
            found = run_on(settings, lambda store: store.verify(progress))
    differing = sum(map(len, found.values()))
    return {"store": "PostgreSQL", "replaced": None, **_proof(proof), "differing": differing}


def _upgraded(file: Path, copy: Path) -> None:
    """Copy a backup, and bring the copy to this version."""
    from adapters.sql.sqlite.copying import copy_file, upgrade_copy
    from adapters.sql.sqlite.inspection import facts_of

    facts_of(file)
    with progress_of("copying") as progress:
        copy_file(file, copy, progress)
    upgrade_copy(copy)


def _proof(proof: "Proof") -> dict[str, Any]:
    return {"schema": proof.version, "bytes": proof.size_bytes, "differing": proof.differing}


def _said(proof: "Proof") -> str:
    if proof.differing is None:
        return f"the file is sound; its tables are of schema {proof.version}, whose sums this version does not compare"
    if proof.differing:
        return f"{proof.differing:,} rows differ from the log, as in the store: routeward rebuild mends them there"
    return "the file is sound, and sums and spend are those of its log, to the bit"


def _restored_text(document: Mapping[str, Any]) -> str:
    lines = [f"{document['store']} holds the backup"]
    if document["replaced"]:
        lines.append(f"what was there is at {document['replaced']}")
    if document["differing"]:
        lines.append(f"{document['differing']:,} rows differ from the log: routeward rebuild mends them")
    return "\n".join(lines)
