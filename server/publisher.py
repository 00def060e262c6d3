"""Keeps the snapshots that decisions are made from up to date with the sums, beside the traffic."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import Final

from structlog.typing import FilteringBoundLogger

from adapters.ledger import Change, StoreError
from bandit.posterior import infer
from bandit.snapshot import Snapshot, snapshot_of
from bandit.sums import Moments, RowKey, Sums, add_rows, at, with_axes
from server.namespace import Namespace, Published
from server.ports import Store
from server.settings import Settings

REST_PER_WORK: Final = 4.0
"""Seconds of rest for every second of work: publishing takes at most a fifth of one processor."""


class Publisher:
    """Recomputes the snapshot of a namespace when its sums changed or its youngest time bucket closed.

    `on_read` is told when the store could be read after a write had failed.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        log: FilteringBoundLogger,
        *,
        clock: Callable[[], int],
        on_read: Callable[[], None],
    ) -> None:
        self._store = store
        self._settings = settings
        self._log = log
        self._clock = clock
        self._on_read = on_read
        self._bucket_us = bucket_us(settings)
        self._model_ids = [model.id for model in settings.catalogue.models]
        self.namespaces: dict[str, Namespace] = {}

    async def load(self, names: Iterable[str]) -> None:
        """Read everything these namespaces have learned. Raises StoreError."""
        for name in names:
            sums = self._with_changes(Sums.empty(self._bucket_us), (), self._clock())
            namespace = Namespace(name, sums, Published(self._snapshot(sums, 0, self._clock())))
            namespace.categories.update(self._settings.catalogue.categories)
            self.namespaces[name] = namespace
            await self.refresh(namespace)

    async def run(self) -> None:
        """Publish forever."""
        while True:
            started = perf_counter()
            for namespace in self.namespaces.values():
                if self._due(namespace):
                    await self._try_refresh(namespace)
            work_s = perf_counter() - started
            await asyncio.sleep(max(self._settings.learning.refresh_s, REST_PER_WORK * work_s))

    async def refresh(self, namespace: Namespace) -> None:
        """Publish what a namespace has learned up to now. Raises StoreError where it must be read anew."""
        if namespace.stale:
            await self._read(namespace)
        changes = tuple(namespace.changes)
        ...
