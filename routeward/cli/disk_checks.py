"""What `routeward doctor` looks at on the disks of a server: whether there is room for what it keeps there."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from routeward.cli.checks import Check, Verdict, ok

if TYPE_CHECKING:
    from server.settings import Settings

MIB: Final = 1024**2


def disks(settings: "Settings") -> Iterator[Check]:
    """Look at the space of each folder that the server writes to, wherever its store is."""
    store, least = settings.store, settings.store.min_free_bytes
    if store.in_file:
        unlogged = f"free some: below min_free_mb ({least // MIB}) decisions are not logged"
        yield _disk("disk", store.path.parent, least, unlogged)
    if settings.spool.path is not None:
        yield _spool_disk(settings, settings.spool.path)
    if store.snapshot_path is not None:
        unsaved = "free some: without room the last that was learned is not saved for a start without the database"
        yield _disk("snapshot disk", store.snapshot_path.parent, least, unsaved)
    if store.export_folder is not None:
        unkept = "free some: days that cannot be exported are not dropped from the store"
        yield _disk("export disk", store.export_folder, least, unkept)


def _disk(name: str, folder: Path, wanted_bytes: int, advice: str) -> Check:
    free_bytes = shutil.disk_usage(folder).free
    detail = f"{free_bytes / MIB:,.0f} MB free in {folder.resolve()}"
    return ok(name, detail) if free_bytes >= wanted_bytes else Check(name, Verdict.FAILED, detail, advice)


def _spool_disk(settings: "Settings", path: Path) -> Check:
    """Look whether the spools of all workers can become as large as they may."""
    unspooled = "free some: feedback that neither the database nor the spool takes is refused"
    check = _disk("spool disk", path.parent, settings.store.min_free_bytes, unspooled)
    most_bytes = settings.spool.max_bytes * settings.server.workers
    held_bytes = sum(file.stat().st_size for file in _spools(settings, path) if file.exists())
    if check.verdict is not Verdict.OK or shutil.disk_usage(path.parent).free + held_bytes >= most_bytes:
        return check
    advice = f"what is spooled may grow to {most_bytes / MIB:,.0f} MB: free some, or lower spool.max_mb"
    return Check(check.name, Verdict.WARNING, check.detail, advice)


def _spools(settings: "Settings", path: Path) -> Iterator[Path]:
    from server.workers.place import numbered

    workers = settings.server.workers
    yield from (numbered(path, number) for number in range(workers)) if workers > 1 else [path]
