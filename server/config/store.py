"""Where things are kept: what is wrong with what the file says of it, and the settings that it describes."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from adapters.postgres_url import REMEDY, is_readable
from adapters.toml.problems import Finding
from server.config.store_schema import SpoolTable, StoreTable
from server.config.tables import Tables, text_of
from server.settings import PostgresSettings, SpoolSettings, StoreSettings

POSTGRES_VARIABLE: Final = "ROUTEWARD_POSTGRES"
UNREADABLE: Final = "this URL of a PostgreSQL cannot be read (it is not shown here)"

_DAY_S: Final = 86_400.0
_MIB: Final = 1024 * 1024


def check_store(document: Tables, folder: Path) -> Iterator[Finding]:
    """Find places that nothing can be kept at."""
    if not is_readable(text_of(document, "store", "postgres")):
        yield Finding(("store", "postgres"), UNREADABLE, REMEDY)
    database = text_of(document, "store", "path")
    if database == ":memory:":
        yield Finding(("store", "path"), "the store cannot have this name", 'write  path = ""  to keep it in memory')
    elif database:
        yield from _unusable_file("store", "path", folder / database)
    for table, name in (("store", "snapshot_path"), ("spool", "path")):
        if file := text_of(document, table, name):
            yield from _unusable_file(table, name, folder / file)
    yield from _shared_files(document, folder)
    export = text_of(document, "store", "export_folder")
    if export and not os.path.isdir(folder / export):
        yield Finding(("store", "export_folder"), f"there is no folder {folder / export}", "make it, or name another")


def _shared_files(document: Tables, folder: Path) -> Iterator[Finding]:
    """Find files that two parts of the server would write over each other."""
    taken: dict[str, str] = {}
    for table, name in (("store", "path"), ("store", "snapshot_path"), ("spool", "path")):
        if file := text_of(document, table, name):
            place = os.path.realpath(folder / file)
            if place in taken:
                yield Finding((table, name), f"{taken[place]} names the same file", "give it a file of its own")
            taken[place] = f"{table}.{name}"


def _unusable_file(table: str, name: str, file: Path) -> Iterator[Finding]:
    if os.path.isdir(file):
        yield Finding((table, name), f"{file} is a folder", "name a file in it")
    elif not os.path.isdir(file.parent):
        yield Finding((table, name), f"there is no folder {file.parent}", "make it, or name another")


def store_of(table: StoreTable, folder: Path, url: str) -> StoreSettings:
    """Return where to keep what is learned; `url` is that of the environment, which goes before that of the file."""
    url = url or table.postgres
    return StoreSettings(
        path=folder / table.path if table.path else Path(),
        postgres=_postgres(table, url) if url else None,
        snapshot_path=folder / table.snapshot_path if table.snapshot_path else None,
        export_folder=folder / table.export_folder if table.export_folder else None,
        retention_s=table.retention_days * _DAY_S,
        min_free_bytes=table.min_free_mb * _MIB,
    )


def spool_of(table: SpoolTable, folder: Path) -> SpoolSettings:
    """Return where to keep feedback that the store does not take."""
    return SpoolSettings(folder / table.path if table.path else None, table.max_mb * _MIB)


def _postgres(table: StoreTable, url: str) -> PostgresSettings:
    return PostgresSettings(
        url=url,
        sync_s=table.sync_seconds,
        connect_s=table.connect_seconds,
        statement_s=table.statement_seconds,
        connections=table.connections,
    )
