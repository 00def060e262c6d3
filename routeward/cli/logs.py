"""Logs as commands are given them: how to say what of a log is wanted, and opening one, whatever it is."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from routeward.cli.output import WRONG_USE, CommandError

if TYPE_CHECKING:
    from adapters.traffic.log import Log

LOG: Final = "Log"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Namespace = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Tenant whose calls to read.",
        show_default="the only one",
        rich_help_panel=LOG,
    ),
]
Quality = Annotated[
    str,
    typer.Option(
        metavar="SOURCE",
        help="Judgement that is the quality: thumb, score:NAME, or any for the mean of all.",
        rich_help_panel=LOG,
    ),
]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="FIELD=COLUMN:UNIT",
        help="Column, and its unit, that a field is in. Repeatable.",
        rich_help_panel=LOG,
    ),
]
Format = Annotated[
    str,
    typer.Option(
        "--format", metavar="NAME", help="Format of the log.", show_default="found by itself", rich_help_panel=LOG
    ),
]
Since = Annotated[
    str,
    typer.Option(metavar="TIME", help="Calls from this time on, ISO 8601.", show_default="all", rich_help_panel=LOG),
]
Until = Annotated[
    str,
    typer.Option(metavar="TIME", help="Calls before this time, ISO 8601.", show_default="all", rich_help_panel=LOG),
]


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What a command was told about a log. `column_map` and `format` do not concern a store."""

    namespace: str = ""
    quality_source: str = "any"
    column_map: tuple[str, ...] = ()
    format: str = ""


def opened(path: Path, options: LogOptions = LogOptions()) -> "Log":
    """Open a log: the file of a store, also beside its server, or files of traffic.

    Raises CommandError for what cannot be read as one.
    """
    from adapters.sql.traffic import is_store, store_log
    from adapters.traffic.errors import LogError
    from adapters.traffic.fields import parsed_map
    from adapters.traffic.formats import open_log

    try:
        if is_store(path):
            return store_log(path, namespace=options.namespace, quality_source=options.quality_source)
        return open_log(
            path,
            column_map=parsed_map(options.column_map),
            quality_source=options.quality_source,
            fmt=options.format or None,
            namespace=options.namespace,
        )
    except LogError as error:
        raise CommandError("LOG_REFUSED", str(error), exit_code=WRONG_USE) from error


def instant(option: str, written: str) -> int | None:
    """Return the time that an option says, in microseconds since 1970 UTC; None where it says none."""
    if not written:
        return None
    try:
        time = datetime.fromisoformat(written)
    except ValueError as error:
        raise typer.BadParameter(f"{option} {written} is no time; give ISO 8601, as 2026-01-31T12:00:00Z") from error
    return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH) // timedelta(microseconds=1)
