"""`routeward restore`."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from routeward.cli.backup import proof_document
from routeward.cli.options import DEFAULT_CONFIG, ConfigFile, Json
from routeward.cli.output import FOUND_PROBLEM, WRONG_USE, CommandError, counted, show
from routeward.cli.service import loaded
from routeward.cli.stores import patient, progress_of, require_store, run_on, told

if TYPE_CHECKING:
    from adapters.sql.postgres import Reach
    from server.settings import Settings


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
    if file.is_dir():
        message = f"{file} is a folder; name a file that  routeward backup  wrote"
        raise CommandError("NO_BACKUP", message, exit_code=WRONG_USE)
    if not file.is_file():
        raise CommandError("NO_BACKUP", f"there is no file {file}", exit_code=WRONG_USE)
    with told(settings.store.path):
        postgres = settings.store.postgres
        document = (
            _into_file(settings.store.path.resolve(), file, force=force)
            if postgres is None
            else _into_postgres(settings, patient(postgres), file, force=force)
        )
    show(document, lambda: _restored_text(document), as_json=as_json)
    if document["differing"]:
        raise typer.Exit(FOUND_PROBLEM)


def _into_file(store: Path, file: Path, *, force: bool) -> dict[str, Any]:
    from adapters.sql.sqlite.copying import proved, replace_store, scratch

    if store.exists() and store.stat().st_size and not force:
        message = f"{store} holds a database already; --force puts the backup in its place and keeps it beside"
        raise CommandError("STORE_EXISTS", message)
    with scratch(store) as copy:
        _upgraded(file, copy)
        with progress_of("proving the copy") as progress:
            proof = proved(copy, progress)
        now = datetime.fromtimestamp(time.time(), UTC)
        replaced = replace_store(copy, store, store.with_name(f"{store.name}.replaced-{now:%Y%m%dT%H%M%S}Z"))
    return {"store": str(store), "replaced": replaced and str(replaced), **proof_document(proof)}


def _into_postgres(settings: "Settings", reach: "Reach", file: Path, *, force: bool) -> dict[str, Any]:
    from adapters.sql.postgres import portable
    from adapters.sql.sqlite.copying import proved, scratch

    if force:
        raise CommandError(
            "WRONG_USE", "a PostgreSQL is not replaced: name an empty database in its URL", exit_code=WRONG_USE
        )
    # It is looked at again with the rows: copying and proving take long, and need not be for nothing.
    asyncio.run(_require_empty(reach))
    with TemporaryDirectory() as folder, scratch(Path(folder) / file.name) as copy:
        _upgraded(file, copy)
        asyncio.run(_prepared(reach, copy, bucket_us=round(settings.learning.bucket_s * 1e6)))
        with progress_of("writing rows") as progress:
            run_on(settings, lambda store: store.change(portable.load, copy, progress), alone=True)
        with progress_of("proving the copy") as progress:
            proof = proved(copy, progress)
            found = run_on(settings, lambda store: store.verify(progress))
    differing = sum(map(len, found.values()))
    return {"store": reach.address, "replaced": None, **proof_document(proof), "differing": differing}


async def _require_empty(reach: "Reach") -> None:
    """Raise StoreError for a database that holds anything already; it may have tables, or none."""
    from adapters.ledger import StoreMissingError
    from adapters.sql.postgres import attach, portable

    try:
        store = await attach(reach)
    except StoreMissingError:
        return
    try:
        await store.read(portable.require_empty)
    finally:
        await store.close()


async def _prepared(reach: "Reach", copy: Path, *, bucket_us: int) -> None:
    """Make the tables of a database that has none, of the width that servers will ask for. Raises StoreError."""
    from adapters.ledger import StoreMissingError
    from adapters.sql.postgres import attach, connect, portable

    try:
        store = await attach(reach)
    except StoreMissingError:
        portable.require_width(copy, bucket_us)
        store = connect(reach, bucket_us=bucket_us)
        try:
            await store.prepare()
        finally:
            await store.close()
    else:
        await store.close()


def _upgraded(file: Path, copy: Path) -> None:
    """Copy a backup, and bring the copy to this version."""
    from adapters.sql.sqlite.copying import copy_file, upgrade_copy
    from adapters.sql.sqlite.inspection import facts_of

    with _told_of_backup(file):
        facts = facts_of(file)
    if facts.version is None:
        raise _no_backup(file)
    with progress_of("copying") as progress:
        copy_file(file, copy, progress)
    upgrade_copy(copy)


@contextmanager
def _told_of_backup(file: Path) -> Iterator[None]:
    """Tell apart a file that is no backup from one that is damaged, or cannot be read now."""
    from adapters.ledger import StoreError, StoreUnavailableError

    try:
        yield
    except StoreUnavailableError:
        raise
    except StoreError as error:
        if _is_stamped(file):
            raise
        raise _no_backup(file) from error


def _no_backup(file: Path) -> CommandError:
    message = f"{file} is no backup of routeward; name a file that  routeward backup  wrote"
    return CommandError("NO_BACKUP", message, exit_code=WRONG_USE)


def _is_stamped(file: Path) -> bool:
    """Tell whether the header of a file is that of a store: https://www.sqlite.org/fileformat.html, section 1.3."""
    from adapters.sql.sqlite.database import APPLICATION_ID

    with file.open("rb") as opened:
        header = opened.read(100)
    return header.startswith(b"SQLite format 3\0") and header[68:72] == APPLICATION_ID.to_bytes(4, "big")


def _restored_text(document: Mapping[str, Any]) -> str:
    lines = [f"{document['store']} holds the backup"]
    if document["replaced"]:
        lines.append(f"what was there is at {document['replaced']}")
    if document["differing"]:
        lines.append(
            f"{counted(document['differing'], 'row differs', 'rows differ')} from the log: routeward rebuild mends that"
        )
    return "\n".join(lines)
