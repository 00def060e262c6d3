"""`routeward export`: decisions, with what became of them, as files."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from routeward.cli.logs import Since, Until, instant
from routeward.cli.options import DEFAULT_CONFIG, Json
from routeward.cli.output import WRONG_USE, CommandError, console, show
from routeward.cli.service import loaded

if TYPE_CHECKING:
    from adapters.sql.sqlite.traffic import Extent

FEEDBACK_AGE_S: Final = 7 * 86_400.0
"""Age up to which a server accepts feedback whose configuration says nothing of it."""
MARGIN_S: Final = 3600.0
"""Time in which what a server has accepted is written."""
SUFFIXES: Final = (".parquet", ".jsonl")
"""Of what is written as one file."""


class FileFormat(StrEnum):
    """Format of the files of a folder."""

    PARQUET = "parquet"
    JSONL = "jsonl"


class PartLength(StrEnum):
    """What one file of a folder covers."""

    DAY = "day"
    HOUR = "hour"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to export; times are microseconds since 1970 UTC. Before `settled_us` nothing changes any more."""

    store: Path
    namespace: str
    since_us: int | None
    until_us: int | None
    settled_us: int


def export(
    store: Annotated[
        Path | None,
        typer.Argument(metavar="STORE", help="Database of a server.", show_default="the configuration's"),
    ] = None,
    *,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="PATH", help="A .parquet or .jsonl file, or a folder.", show_default=False
        ),
    ],
    namespace: Annotated[
        str, typer.Option(metavar="NAME", help="Tenant whose decisions to write.", show_default="all")
    ] = "",
    since: Since = "",
    until: Until = "",
    resume: Annotated[bool, typer.Option("--resume", metavar="", help="Continue the export in this folder.")] = False,
    force: Annotated[bool, typer.Option("--force", metavar="", help="Replace an export that is there.")] = False,
    file_format: Annotated[
        FileFormat, typer.Option("--format", help="Format of a folder's files.")
    ] = FileFormat.PARQUET,
    part: Annotated[PartLength, typer.Option(help="What a file of a folder covers.")] = PartLength.DAY,
    config: Annotated[
        Path | None,
        typer.Option(
            envvar="ROUTEWARD_CONFIG",
            metavar="FILE",
            help="Configuration that names the database, and how old feedback may be.",
            show_default="routeward.toml, without STORE",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write decisions and what became of them to files, also while the server runs.

    A folder gets a file per day; --resume later adds what is new, and what has been said since of the last days.
    """
    from adapters.traffic.errors import LogError, TrafficError

    is_file = output.suffix in SUFFIXES
    if not is_file and output.suffix and not output.is_dir():
        raise typer.BadParameter(
            f"{output} is neither {' nor '.join(SUFFIXES)}; give a file that is, or a folder whose name has no dot"
        )
    if is_file and resume:
        raise typer.BadParameter("--resume continues an export to a folder; a file is written anew")
    wanted = _wanted(store, config, namespace, instant("--since", since), instant("--until", until))
    try:
        if is_file:
            document = _to_file(wanted, output, force=force)
        else:
            choice = {"suffix": f".{file_format}", "part_us": 3_600_000_000 * (24 if part is PartLength.DAY else 1)}
            document = _to_folder(wanted, output, choice, resume=resume, force=force)
    except LogError as error:
        raise CommandError("LOG_REFUSED", str(error), exit_code=WRONG_USE) from error
    except TrafficError as error:
        raise CommandError("NOT_WRITTEN", str(error)) from error
    show(document, lambda: _text(document), as_json=as_json)


def _wanted(
    store: Path | None, config: Path | None, namespace: str, since_us: int | None, until_us: int | None
) -> Wanted:
    feedback_age_s = FEEDBACK_AGE_S
    if store is None or config is not None:
        settings = loaded(config or DEFAULT_CONFIG)
        feedback_age_s = settings.learning.max_feedback_age_s
        if store is None and settings.store.in_memory:
            raise CommandError(
                "NO_STORE", "this server keeps nothing on disk (store.path is empty)", exit_code=WRONG_USE
            )
        store = store or settings.store.path
    if since_us is not None and until_us is not None and until_us <= since_us:
        raise typer.BadParameter("--until is not later than --since")
    return Wanted(store, namespace, since_us, until_us, round((time.time() - feedback_age_s - MARGIN_S) * 1e6))


def _extent(wanted: Wanted) -> "Extent":
    from adapters.sql.sqlite.traffic import extent_of, require_namespace

    extent = extent_of(wanted.store)
    require_namespace(wanted.store, extent, wanted.namespace)
    return extent


def _to_file(wanted: Wanted, output: Path, *, force: bool) -> dict[str, Any]:
    from adapters.sql.sqlite.traffic import decisions_of
    from adapters.traffic.own.writing import write_file

    if output.exists() and not force:
        raise CommandError("FILE_EXISTS", f"{output} is there already; choose another name, or --force to replace it")
    extent = _extent(wanted)
    since_us = max(extent.oldest_us, wanted.since_us or 0)
    until_us = extent.newest_us + 1 if wanted.until_us is None else min(extent.newest_us + 1, wanted.until_us)
    with _shown_progress() as progress:
        decisions = decisions_of(wanted.store, since_us, until_us, namespace=wanted.namespace, progress=progress)
        rows = write_file(decisions, output)
    return {"output": str(output), "rows": rows, "left_out": extent.left_out(wanted.namespace)}


def _to_folder(wanted: Wanted, output: Path, choice: dict[str, Any], *, resume: bool, force: bool) -> dict[str, Any]:
    from adapters.sql.sqlite.traffic import decisions_of, next_time_of
    from adapters.traffic.own.folder import Decisions, Span, export_folder
    from adapters.traffic.own.manifest import Choice

    extent = _extent(wanted)
    span = Span(extent.oldest_us, extent.newest_us, extent.retained_us, wanted.settled_us, wanted.until_us)
    with _shown_progress() as progress:
        exported = export_folder(
            output,
            Decisions(
                lambda start, end: decisions_of(wanted.store, start, end, namespace=wanted.namespace),
                lambda start: next_time_of(wanted.store, start),
            ),
            Choice(wanted.namespace, wanted.since_us, **choice),
            span,
            resume=resume,
            force=force,
            progress=progress,
        )
    parts = exported.manifest.parts
    return {
        "output": str(output),
        "rows": sum(part.rows for part in parts.values()),
        "rows_written": exported.rows,
        "parts": len(parts),
        "parts_written": exported.written,
        "final_before": _iso(exported.manifest.final_before_us),
        "left_out": extent.left_out(wanted.namespace),
    }


def _shown_progress() -> Any:
    from simulations.progress import shown_progress

    return shown_progress(console(stderr=True), "writing decisions", in_percent=True)


def _text(document: dict[str, Any]) -> str:
    left = document["left_out"]
    if not left:
        return _written(document)
    said = "1 is left out, whose time is" if left == 1 else f"{left:,} are left out, whose times are"
    return f"{_written(document)}; {said} later than 2200"


def _written(document: dict[str, Any]) -> str:
    if "parts" not in document:
        return f"wrote {document['rows']:,} decisions to {document['output']}"
    return (
        f"{document['output']} holds {document['rows']:,} decisions in {document['parts']} files; "
        f"{document['parts_written']} were written now, and those before {document['final_before']} will not change"
    )


def _iso(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat().replace("+00:00", "Z")
