"""Saves what was learned on this machine from time to time, for a start while the database does not answer."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from structlog.typing import FilteringBoundLogger

from adapters.ledger import StoredSums, StoreError
from adapters.registry import Registry
from adapters.saved import Saved
from bandit.spend import Spend
from bandit.sums import Sums
from server.namespace import Namespace
from server.ports import SavedState

SAVE_EVERY_S: Final = 60.0


class Saving:
    """Saves what is published, where it changed."""

    def __init__(
        self,
        saved: SavedState,
        namespaces: Mapping[str, Namespace],
        registry: Callable[[], Registry],
        log: FilteringBoundLogger,
    ) -> None:
        self._saved = saved
        self._namespaces = namespaces
        self._registry = registry
        self._log = log
        self._last: object = None

    async def run(self) -> None:
        """Save forever."""
        while True:
            await asyncio.sleep(SAVE_EVERY_S)
            await self.save()

    async def save(self) -> None:
        """Save, unless nothing changed. What was started from is not saved as if it had been read.

        Nor is the nothing of a start that failed, or was given up, before anything was read.
        """
        namespaces = self._namespaces
        if not namespaces:
            return
        registry = self._registry()
        counts = {name: (one.sums_revision, len(one.categories)) for name, one in namespaces.items()}
        now = counts, registry.version
        if now == self._last or any(namespace.degraded for namespace in namespaces.values()):
            return
        # What a thread may read: the namespace itself is the event loop's.
        learned = {
            name: partial(_stored, one.sums_revision, one.sums, one.spend, frozenset(one.categories))
            for name, one in namespaces.items()
        }
        try:
            await asyncio.to_thread(self._write, learned, registry)
        except StoreError as error:
            self._log.warning("snapshot_not_saved", error=str(error))
        else:
            self._last = now

    def _write(self, learned: Mapping[str, Callable[[], StoredSums]], registry: Registry) -> None:
        self._saved.write(Saved({name: stored() for name, stored in learned.items()}, registry))


def _stored(revision: int, sums: Sums, spend: Spend, categories: frozenset[str]) -> StoredSums:
    return StoredSums(revision, sums.rows(), tuple(sorted(categories)), spend.rows())
