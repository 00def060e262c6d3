"""What is left in spools of workers that there are no more goes to a spool that somebody drains.

A signal that is taken over and not yet forgotten is found again after a crash: told twice, it counts once.
"""

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final

from structlog.typing import FilteringBoundLogger

from adapters.ledger import StoreError
from server.ports import Spool

CHUNK: Final = 1000
"""Signals that are taken over at a time."""


async def take_over(
    spool: Spool, left: Iterable[Path], opened: Callable[[Path], Awaitable[Spool]], log: FilteringBoundLogger
) -> None:
    """Move what is in these files to `spool`.

    Where one cannot be read, or the spool is full, the rest stays where it is, and the log names the file.
    """
    for file in left:
        try:
            journal = await opened(file)
            try:
                signals = await _moved(journal, spool)
            finally:
                await journal.close()
        except StoreError as error:
            hint = "signals may be left in it: mend what is said and restart, or raise the number of workers again"
            log.error("spool_without_worker", file=str(file), error=str(error), hint=hint)
        else:
            if signals:
                log.info("spool_taken_over", file=str(file), signals=signals)


async def _moved(journal: Spool, spool: Spool) -> int:
    signals = 0
    while True:
        records, place = await journal.oldest(CHUNK)
        if not records:
            return signals
        await spool.append(records)
        await journal.forget(place)
        signals += len(records)
