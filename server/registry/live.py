"""The registry as this replica knows it, in step with the store."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from structlog.typing import FilteringBoundLogger

from adapters.ledger import StoreError
from adapters.registry import Audited, Edit, Entry, Registry, RegistryMovedError
from server.credentials import Principal
from server.editions import Edition
from server.errors import AdminRequiredError, RegistryUnavailableError
from server.namespace import Namespace, score_names
from server.ports import Store
from server.publisher import Publisher
from server.registry.changes import Wish, edits_for
from server.registry.consistency import require_consistent
from server.registry.file_entries import file_edits
from server.registry.readable import readable
from server.registry.views import edition_of
from server.settings import Settings

ATTEMPTS: Final = 16
"""How often a change is thought of anew because others changed the registry meanwhile."""

BY_FILE: Final = "file"
"""The client in audit rows of what the configuration file changed."""

RETRY_AFTER_S: Final = 1.0


class Changed(NamedTuple):
    """What became of a wish: the entry before and after, and the version of the registry."""

    before: Entry | None
    after: Entry | None
    version: int


def _unheard(_: Registry) -> None:
    """Do nothing."""


class LiveRegistry:
    """Shows and changes the registry, and has every namespace decide by it.

    `hear` is told of each version before decisions are. The clock, in microseconds, is an argument.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        publisher: Publisher,
        log: FilteringBoundLogger,
        *,
        clock: Callable[[], int],
        hear: Callable[[Registry], None] = _unheard,
    ) -> None:
        self._store = store
        self._settings = settings
        self._publisher = publisher
        self._log = log
        self._clock = clock
        self._hear = hear
        self._reloading = asyncio.Lock()
        self._told_version = -1
        self.present = Registry()

    async def start(self, namespaces: Sequence[str]) -> Mapping[str, Edition]:
        """Let the configuration file own what it names; return what each of these namespaces chooses from.

        Those that were loaded before choose from it with their next snapshot.

        Raises StoreError.
        """
        async with self._reloading:
            editions = self._adopt(await self._owned_by_file(namespaces), namespaces)
            for namespace in self._publisher.namespaces.values():
                _revised(namespace, editions[namespace.name])
            return {name: editions[name] for name in namespaces}

    async def _owned_by_file(self, namespaces: Sequence[str]) -> Registry:
        for _ in range(ATTEMPTS):
            registry = await self._store.registry()
            edits = file_edits(registry, self._settings, namespaces)
            if not edits or await self._made(registry, edits, BY_FILE):
                return registry.edited(edits)
        raise StoreError("others kept changing the registry while the configuration file was applied; start again")

    def recall(self, saved: Registry, namespaces: Sequence[str]) -> Mapping[str, Edition]:
        """Return what each namespace chooses from by a registry that was saved, until the store is read."""
        recalled = self._readable(saved.edited(file_edits(saved, self._settings, namespaces)))
        self._hear(recalled)
        return {name: edition_of(self._settings, recalled, name) for name in namespaces}

    async def reload(self) -> None:
        """Read the registry anew, and decide by it when this returns. Raises StoreError where it cannot be read."""
        async with self._reloading:
            registry = await self._store.registry()
            if registry.version != self.present.version:
                await self._take(registry)

    async def _take(self, registry: Registry) -> None:
        editions = self._adopt(registry)
        changed = [one for one in self._publisher.namespaces.values() if _revised(one, editions[one.name])]
        for namespace in changed:
            try:
                await self._publisher.refresh(namespace)
            except StoreError as error:
                # It has its edition, and is published as soon as what it learned can be read.
                self._log.error("read_failed", namespace=namespace.name, error=str(error))

    def _adopt(self, registry: Registry, namespaces: Iterable[str] = ()) -> Mapping[str, Edition]:
        """Make it the present one; return the editions of all namespaces that are loaded, and of these."""
        known = self._readable(registry)
        editions = {
            name: edition_of(self._settings, known, name) for name in {*self._publisher.namespaces, *namespaces}
        }
        self._hear(known)
        self.present = registry
        return editions

    def _readable(self, registry: Registry) -> Registry:
        """Return what this version can read of a registry, and log the rest once per version."""
        known, strange = readable(registry)
        if registry.version != self._told_version:
            for kind, namespace, name in strange:
                self._log.error("registry_entry_unreadable", kind=str(kind), namespace=namespace, name=name)
            self._told_version = registry.version
        return known

    async def read(self) -> Registry:
        """Return the registry of the store. Raises RegistryUnavailableError."""
        try:
            return await self._store.registry()
        except StoreError as error:
            raise RegistryUnavailableError(RETRY_AFTER_S) from error

    async def change(self, wish: Wish, caller: Principal, *, dry_run: bool) -> Changed:
        """Fulfil a wish, or only say what would become of it; decisions of this replica know when this returns.

        Raises AdminRequiredError, RegistryUnavailableError, RegistryInconsistentError, and what `edits_for` raises.
        """
        _require_admin(caller)
        try:
            return await self._changed(wish, caller, dry_run=dry_run)
        except StoreError as error:
            raise RegistryUnavailableError(RETRY_AFTER_S) from error

    async def audit(self, caller: Principal, *, before: int, count: int) -> Sequence[Audited]:
        """Return the edits before a version, newest first. Raises AdminRequiredError, RegistryUnavailableError."""
        _require_admin(caller)
        try:
            return await self._store.audit(caller.namespace, before=before, count=count)
        except StoreError as error:
            raise RegistryUnavailableError(RETRY_AFTER_S) from error

    async def _changed(self, wish: Wish, caller: Principal, *, dry_run: bool) -> Changed:
        for _ in range(ATTEMPTS):
            registry = await self._store.registry()
            edits = edits_for(registry, wish)
            after = registry.edited(edits)
            require_consistent(readable(registry)[0], readable(after)[0], self._settings)
            changed = Changed(registry.entries.get(wish.key), after.entries.get(wish.key), after.version)
            if dry_run:
                return changed._replace(version=registry.version)
            # Where there is nothing to do, another replica may just have done it.
            if not edits or await self._made(registry, edits, caller.client):
                # Not read anew: that could fail, and whoever is told so would repeat a change that was made.
                async with self._reloading:
                    if after.version > self.present.version:
                        await self._take(after)
                return changed
        raise RegistryMovedError("others kept changing the registry")

    async def _made(self, registry: Registry, edits: Iterable[Edit], client: str) -> bool:
        """Make edits that were thought of for a registry; return whether it was still that one."""
        edits = tuple(edits)
        try:
            await self._store.edit_registry(registry.version, edits, time_us=self._clock(), client=client)
        except RegistryMovedError:
            return False
        for edit in edits:
            kind, namespace, name = edit.key
            # What the file says is in the file; a server that goes on to fail should say that alone.
            tell = self._log.debug if client == BY_FILE else self._log.info
            tell("registry_changed", client=client, kind=str(kind), namespace=namespace, name=name)
        return True


def _revised(namespace: Namespace, edition: Edition) -> bool:
    """Give a namespace its edition of the registry; return whether that is another one."""
    if edition.says_the_same(namespace.edition):
        return False
    namespace.edition = edition
    namespace.categories |= edition.catalogue.categories.keys()
    namespace.score_names |= score_names(edition.learning.inference.quality_sources.values())
    return True


def _require_admin(caller: Principal) -> None:
    if not caller.is_admin:
        raise AdminRequiredError(caller.client)
