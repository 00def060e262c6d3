"""Keeps the disk from filling: old rows are dropped or merged, and the decision log pauses before feedback would fail.

Feedback itself is refused only by the store, when there is no space for it.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from structlog.typing import FilteringBoundLogger

from adapters.ledger import StoreError
from server.decision_log import DecisionLog
from server.ports import Store
from server.settings import Settings

CHECK_EVERY_S: Final = 5.0
SWEEP_EVERY_S: Final = 3600.0
TOKEN_MARGIN_S: Final = 3600.0
"""How much longer signals are kept than decision ids are valid: a forgotten signal would count twice."""


class Upkeep:
    """Checks the disk every few seconds and sweeps every hour."""

    def __init__(
        self,
        store: Store,
        decisions: DecisionLog,
        settings: Settings,
        log: FilteringBoundLogger,
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._decisions = decisions
        self._min_free_bytes = settings.store.min_free_bytes
        self._keep_s = max(settings.store.retention_s, settings.learning.max_feedback_age_s + TOKEN_MARGIN_S)
        self._log = log
        self._clock = clock

    async def run(self) -> None:
        """Keep up forever."""
        while True:
            await self.sweep()
            for _ in range(round(SWEEP_EVERY_S / CHECK_EVERY_S)):
                await self.check_disk()
                await asyncio.sleep(CHECK_EVERY_S)

    async def check_disk(self) -> None:
        """Pause the decision log while less than `min_free_bytes` is left, or nobody can tell."""
        try:
            free = await self._store.free_bytes()
        except StoreError as error:
            self._log.error("disk_unknown", error=str(error))
            free = 0
        short = free is not None and free < self._min_free_bytes
        if short != self._decisions.paused:
            self._decisions.paused = short
            self._log.warning("disk_short" if short else "disk_recovered", free_bytes=free)

    async def sweep(self) -> None:
        """Drop signals and decisions that are too old, and merge the sums of old time buckets."""
        now_us = self._clock()
        try:
            # A clock that runs ahead makes everything look old: what is newest is never older than now.
            newest_us = await self._store.newest_us()
            today_us = now_us if newest_us is None else min(now_us, newest_us)
            dropped = await self._store.retain(today_us - round(self._keep_s * 1e6))
            await self._store.compact(now_us)
        except StoreError as error:
            self._log.error("sweep_failed", error=str(error))
        else:
            self._log.info("swept", dropped=dropped)
