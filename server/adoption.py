"""What is left in spools of workers that there are no more is brought to the store, while this server serves."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from adapters.ledger import StoreError
from server.ports import Spool
from server.spooling import Spooling

Left = Mapping[Path, Callable[[], Awaitable[Spool]]]
"""The files of spools that are nobody's, with what opens each."""


class Adoption:
    """Drains them one after the other. `spooling` makes what drains one."""

    def __init__(self, left: Left, spooling: Callable[[Spool], Spooling], log: FilteringBoundLogger) -> None:
        self._left = left
        self._spooling = spooling
        self._log = log

    async def run(self) -> None:
        """Drain all of them, however long the store takes. One that cannot be opened is named, and stays as it is."""
        for file, opened in self._left.items():
            try:
                spool = await opened()
            except StoreError as error:
                hint = "signals may be left in it: mend what is said and restart, or raise the number of workers again"
                self._log.error("spool_without_worker", file=str(file), error=str(error), hint=hint)
                continue
            try:
                await self._drain(spool, file)
            finally:
                await spool.close()

    async def _drain(self, spool: Spool, file: Path) -> None:
        spooling = self._spooling(spool)
        await spooling.start()
        if spooling.diverted:
            signals, _ = await spool.extent()
            await spooling.empty()
            self._log.info("spool_taken_over", file=str(file), signals=signals)
