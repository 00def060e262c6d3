"""Keeps the disk from filling: old rows are dropped or merged, and the decision log pauses before feedback would fail.

Feedback itself is refused only by the store, when there is no space for it.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from structlog.typing import FilteringBoundLogger

from adapters.ledger import StoreError
from server.archiving import Archiving
from server.decision_log import DecisionLog
from server.ports import Store
from server.settings import Settings

CHECK_EVERY_S: Final = 5.0
SWEEP_EVERY_S: Final = 3600.0
ROOM_BYTES: Final = 4 * 1024 * 1024
"""Space that a full batch of feedback may need."""

TOKEN_MARGIN_S: Final = 3600.0
"""How much longer signals are kept than decision ids are valid: a forgotten signal would count twice."""


class Upkeep:
    """Checks the disk every few seconds and sweeps every hour.

    While writes of feedback are refused it sweeps at every check: that writes, and may make room. `on_recovery` is told
    when the store took it.
    """

    def __init__(
        self,
        store: Store,
        decisions: DecisionLog,
        settings: Settings,
        log: FilteringBoundLogger,
        clock: Callable[[], int],
        on_recovery: Callable[[], None],
        archiving: Archiving,
    ) -> None:
        self._store = store
        self._decisions = decisions
        self._min_free_bytes = settings.store.min_free_bytes
        self._keep_s = max(settings.store.retention_s, settings.learning.max_feedback_age_s + TOKEN_MARGIN_S)
        self._log = log
        self._clock = clock
        self._on_recovery = on_recovery
        self._archiving = archiving
        self._refused_writes = 0
        self._failing: set[str] = set()

    def note_write(self, accepted: bool) -> None:
        """Hear whether the store took feedback."""
        self._refused_writes = 0 if accepted else self._refused_writes + 1

    async def run(self) -> None:
        """Keep up forever."""
        while True:
            await self.sweep()
            for _ in range(round(SWEEP_EVERY_S / CHECK_EVERY_S)):
                await self.check()
                await asyncio.sleep(CHECK_EVERY_S)

    async def check(self) -> None:
        """Look at the disk and, after a refused write, find out whether the store takes writes again."""
        free = await self._checked_disk()
        refused = self._refused_writes
        # The sweep writes little, and would fit where feedback does not.
        has_room = free is None or free >= ROOM_BYTES
        if refused and has_room and await self.sweep() and self._refused_writes == refused:
            self._on_recovery()

    async def _checked_disk(self) -> int | None:
        """Pause the decision log while less than `min_free_bytes` is left, or nobody can tell; return what is left."""
        try:
            free = await self._store.free_bytes()
        except StoreError as error:
            self._log.error("disk_unknown", error=str(error))
            free = 0
        short = free is not None and free < self._min_free_bytes
        if short != self._decisions.paused:
            self._decisions.paused = short
            self._log.warning("disk_short" if short else "disk_recovered", free_bytes=free)
        return free

    async def sweep(self) -> bool:
        """Merge the sums of old time buckets, and drop signals and decisions that are too old; tell whether it worked.

        It always writes: the store notes the time.
        """
        now_us, worked = self._clock(), True
        # Each is tried whatever becomes of the other: merging also makes room for the next days in PostgreSQL.
        for name, step in (("merge", self._store.compact), ("drop", self._drop)):
            try:
                await step(now_us)
            except StoreError as error:
                if name not in self._failing:
                    self._log.error("sweep_failed", step=name, error=str(error))
                self._failing.add(name)
                worked = False
            else:
                self._failing.discard(name)
        return worked

    async def _drop(self, now_us: int) -> None:
        # A clock that runs ahead makes everything look old: what is newest is never older than now.
        newest_us = await self._store.newest_us()
        # Where there is nothing, there is nothing to drop either, and no mark that could not be taken back.
        today_us = 0 if newest_us is None else min(now_us, newest_us)
        before_us = await self._archiving.kept(max(0, today_us - round(self._keep_s * 1e6)))
        self._log.info("swept", dropped=await self._store.retain(before_us))
