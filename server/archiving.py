"""The log is exported before it is dropped, where the operator named a folder."""

from prometheus_client import Counter
from structlog.typing import FilteringBoundLogger

from adapters.traffic.errors import ExportBusyError, TrafficError
from server.ports import Archive


class Archiving:
    """Says up to which time the log may be dropped. Without an archive, that is whatever time was asked for."""

    def __init__(self, archive: Archive | None, failures: Counter, log: FilteringBoundLogger) -> None:
        self._archive = archive
        self._failures = failures
        self._log = log

    async def kept(self, before_us: int) -> int:
        """Return the time before which everything is exported, at most `before_us`.

        0 where that failed, or another replica is about it.

        Raises adapters.ledger.StoreUnavailableError where the store does not answer.
        """
        if self._archive is None:
            return before_us
        try:
            return await self._archive.keep(before_us)
        except ExportBusyError:
            # A replica or another worker that shares the folder, and drops what it has exported.
            return 0
        except TrafficError as error:
            self._failures.inc()
            self._log.error("export_failed", error=str(error))
            return 0
