"""Logs as commands are given them: how to say what of a log is wanted, and opening one, whatever it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from routeward.cli.output import WRONG_USE, CommandError, console, counted

if TYPE_CHECKING:
    from adapters.traffic.log import Log, LogReport

LOG: Final = "Log"
ANY: Final = "any"
"""Source of a quality that is the mean of all judgements."""
REFUSED: Final = "LOG_REFUSED"
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
    """What a command was told about a log. `column_map` and `format` are refused for a store."""

    namespace: str = ""
    quality_source: str = "any"
    column_map: tuple[str, ...] = ()
    format: str = ""

    def given(self) -> tuple[str, ...]:
        """Return the options that say something, as they are typed."""
        options = {
            "--namespace": self.namespace,
            "--quality": self.quality_source != ANY,
            "--map": self.column_map,
            "--format": self.format,
        }
        return tuple(option for option, value in options.items() if value)


def opened(path: Path, options: LogOptions = LogOptions()) -> "Log":
    """Open a log: the file of a store, also beside its server, or files of traffic.

    Raises CommandError for what cannot be read as one. A source of quality that no call has is a LogError at the end.
    """
    from adapters.traffic.errors import LogError
    from adapters.traffic.judged import JudgedLog

    if path.suffix.lower() == ".toml":
        message = f"{path} is no log: a .toml file holds policies, for --policies, or a configuration, for --config"
        raise CommandError(REFUSED, message, exit_code=WRONG_USE)
    try:
        log = _opened(path, options)
    except LogError as error:
        raise CommandError(REFUSED, str(error), exit_code=WRONG_USE) from error
    return log if options.quality_source == ANY else JudgedLog(log, options.quality_source)


def tell_left_out(report: "LogReport") -> None:
    """Say, beside a result, for which reasons rows of a log were left out, and which were the first."""
    for reason, one in sorted(report.rejected.items()):
        sentence = f"{counted(one.count, 'row')} left out: {reason} (first lines: {one.places()})"
        console(stderr=True).print(sentence, soft_wrap=True)


def _opened(path: Path, options: LogOptions) -> "Log":
    from adapters.sql.sqlite.traffic import is_store, store_log
    from adapters.traffic.fields import parsed_map
    from adapters.traffic.formats import open_log

    if is_store(path):
        refuse([one for one in options.given() if one in ("--map", "--format")], f"{path} is a store")
        return store_log(path, namespace=options.namespace, quality_source=options.quality_source)
    return open_log(
        path,
        column_map=parsed_map(options.column_map),
        quality_source=options.quality_source,
        fmt=options.format or None,
        namespace=options.namespace,
    )


def refuse(options: Sequence[str], why: str) -> None:
    """Raise CommandError for options that were given and say nothing here."""
    if options:
        raise CommandError("WRONG_USE", f"{', '.join(options)} says nothing here: {why}", exit_code=WRONG_USE)


def instant(option: str, written: str) -> int | None:
    """Return the time that an option says, in microseconds since 1970 UTC; None where it says none."""
    if not written:
        return None
    try:
        time = datetime.fromisoformat(written)
    except ValueError as error:
        raise typer.BadParameter(f"{option} {written} is no time; give ISO 8601, as 2026-01-31T12:00:00Z") from error
    return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH) // timedelta(microseconds=1)
