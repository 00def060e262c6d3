"""Opening a log of calls, whatever it is: a store, or files."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from routeward.cli.output import WRONG_USE, CommandError

if TYPE_CHECKING:
    from adapters.traffic.log import Log


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What a command was told about a log; times are microseconds since 1970-01-01 UTC, None is no limit."""

    namespace: str = ""
    quality_source: str = "any"
    since_us: int | None = None
    until_us: int | None = None


def opened(path: Path, options: LogOptions = LogOptions()) -> "Log":
    """Open a log. Raises CommandError for what cannot be read as one."""
    from adapters.sql.traffic import is_store, store_log
    from adapters.traffic.errors import LogError

    try:
        if is_store(path):
            return store_log(
                path,
                namespace=options.namespace,
                since_us=options.since_us,
                until_us=options.until_us,
                quality_source=options.quality_source,
            )
        raise LogError(f"{path} is no store")
    except LogError as error:
        raise CommandError("LOG_REFUSED", str(error), exit_code=WRONG_USE) from error
