"""What is left in spools of workers that there are no more is brought to the store, while this server serves."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from structlog.typing import FilteringBoundLogger

from adapters.ledger import StoreError
from server.ports import Spool
from server.spooling import Spooling

Opened = Callable[[], Awaitable[Spool]]
Left = Mapping[Path, Opened]
"""The files of spools that are nobody's, with what opens each."""

_HINT: Final = "signals may be left in it: mend what is said and restart, or raise the number of workers again"


class Adoption:
    """Drains them side by side: one that cannot be emptied holds up no other. `spooling` makes what drains one."""

    def __init__(
        self, left: Left, spooling: Callable[[Spool, FilteringBoundLogger], Spooling], log: FilteringBoundLogger
    ) -> None:
        self._left = left
        self._spooling = spooling
        self._log = log

    async def run(self) -> None:
        """Drain all of them, however long the store takes. One that cannot be opened is named, and stays as it is."""
        await asyncio.gather(*(self._adopt(opened, self._log.bind(file=str(f))) for f, opened in self._left.items()))

    async def _adopt(self, opened: Opened, log: FilteringBoundLogger) -> None:
        try:
            spool = await opened()
            try:
                await self._drain(spool, log)
            finally:
                await spool.close()
        except StoreError as error:
            log.error("spool_without_worker", error=str(error), hint=_HINT)

    async def _drain(self, spool: Spool, log: FilteringBoundLogger) -> None:
        spooling = self._spooling(spool, log)
        await spooling.start()
        if spooling.diverted:
            signals, _ = await spool.extent()
            await spooling.empty()
            log.info("spool_taken_over", signals=signals)
