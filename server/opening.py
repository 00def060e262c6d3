"""The beginning: what was learned is read from the store, or from what was saved of it while it does not answer."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from structlog.typing import FilteringBoundLogger

from adapters.ledger import MANAGED_BY_FILE, StoreError, StoreForbiddenError, StoreUnavailableError
from adapters.saved import Saved
from server.editions import Edition
from server.ports import SavedState, Store
from server.publisher import Publisher
from server.registry.live import LiveRegistry
from server.settings import DEFAULT_NAMESPACE, Settings

RETRY_EVERY_S: Final = 1.0
"""Mean time between attempts, spread by half of it, so that replicas do not return to a store all at once."""


class Opening:
    """Brings configuration and store together when the service starts, and makes the namespaces.

    Only a store that others share may be late: one of this machine's own that does not open is in nobody else's hands.
    """

    def __init__(
        self,
        store: Store,
        registry: LiveRegistry,
        publisher: Publisher,
        saved: SavedState | None,
        settings: Settings,
        log: FilteringBoundLogger,
        uniform: Callable[[], float],
    ) -> None:
        self._store = store
        self._registry = registry
        self._publisher = publisher
        self._saved = saved
        self._catalogue = settings.catalogue
        self._may_be_late = settings.store.postgres is not None
        self._names = sorted({key.namespace for key in settings.server.keys}) or [DEFAULT_NAMESPACE]
        self._log = log
        self._uniform = uniform

    async def begin(self) -> bool:
        """Load what was learned; tell whether the store could be read. Raises StoreError."""
        try:
            editions = await self._tell()
            await self._publisher.load(self._names, editions)
        except StoreForbiddenError:
            raise
        except StoreUnavailableError as error:
            if not self._may_be_late:
                raise
            saved = await self._what_was_saved()
            self._log.warning("degraded", error=str(error), saved=sorted(saved.namespaces))
            editions = self._registry.recall(saved.registry, self._names)
            await self._publisher.load_saved(self._names, saved.namespaces, editions)
            return False
        return True

    async def run(self) -> None:
        """Try until the store was told; what it knows, the publisher reads of itself."""
        while True:
            await asyncio.sleep(RETRY_EVERY_S * (0.5 + self._uniform()))
            if await self.attempt():
                return

    async def attempt(self) -> bool:
        """Try to tell the store what a degraded start could not; tell whether that was possible."""
        try:
            await self._tell()
        except StoreUnavailableError as error:
            self._log.debug("still_degraded", error=str(error))
            return False
        except StoreError as error:
            # It answers, and cannot be used: somebody has to do something.
            self._log.error("store_refused", error=str(error))
            return False
        self._log.info("store_reached")
        return True

    async def _tell(self) -> Mapping[str, Edition]:
        """Tell the store what the configuration says; return what each namespace chooses from."""
        if newer := await self._store.prepare():
            self._log.warning("newer_schema", schema=newer)
        editions = await self._registry.start(self._names)
        for name in self._names:
            await self._store.add_categories(name, sorted(self._catalogue.categories), managed_by=MANAGED_BY_FILE)
        return editions

    async def _what_was_saved(self) -> Saved:
        if self._saved is None:
            return Saved()
        try:
            return await asyncio.to_thread(self._saved.read)
        except StoreError as error:
            self._log.warning("snapshot_ignored", error=str(error))
            return Saved()
