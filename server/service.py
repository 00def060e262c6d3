"""The service put together, from its start to its end."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import grpc
from structlog.typing import FilteringBoundLogger

from adapters.registry import EntryKind, Registry
from bandit.draw import UniformSource
from server.adoption import Adoption, Left
from server.archiving import Archiving
from server.beliefs import Beliefs
from server.credentials import Credentials
from server.decision_log import DecisionLog
from server.edge import Edge
from server.explanations import Explanations
from server.follower import Follower
from server.gateway.assembly import Foundation
from server.gateway.availability import Availability
from server.gateway.callables import Callables, Connect
from server.health import FEEDBACK, Health
from server.learning import Learner
from server.listening import ALONE, Addresses, Inherited, grpc_server, listen, serve_metrics
from server.metrics import Metrics
from server.opening import Opening
from server.ports import Archive, Provider, SavedState, SharedStore, Spool, Store
from server.publisher import Publisher
from server.questions import Questions
from server.registry.live import LiveRegistry
from server.registry.rpc import RegistryService
from server.routing import Router
from server.rpc import ADMIN_SERVICE, ROUTING_SERVICE, AdminService, RoutingService
from server.saving import Saving
from server.settings import Settings
from server.spooling import Spooling
from server.supervision import supervised
from server.tokens import TokenKeys
from server.upkeep import Upkeep
from server.writer import Writer

if TYPE_CHECKING:
    from server.http.service import GatewayService

FLUSH_S: Final = 10.0
"""How long a stop waits for what is not stored yet: half of it for outcomes of the gateway, half for the rest."""

ENDLESS: Final = ("adoption", "follower", "opening", "publisher", "saving", "spooling", "upkeep")
"""Tasks that a stop cancels; the others end when what they hold is written."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What makes two runs differ: clocks, uniform numbers, nonces of 12 bytes, incident ids.

    `clock` counts microseconds since 1970, `clock_s` seconds that never go back. `rng` draws models, `uniform` the
    lengths of waits: how often calls fail may not change what is drawn.
    """

    clock: Callable[[], int]
    rng: UniformSource
    nonce: Callable[[], bytes]
    incident: Callable[[], str]
    clock_s: Callable[[], float]
    uniform: Callable[[], float]


NO_PROVIDERS: Final[Mapping[str, Provider]] = {}


def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class LocalFiles:
    """What a server keeps on a disk of its own, beside its store; None for what it does not.

    `spool` takes feedback that the store does not, `saved` the last that was learned, and `archive` the log before it
    is dropped; `left` are the files of spools that are nobody's any more.
    """

    spool: Spool | None = None
    saved: SavedState | None = None
    archive: Archive | None = None
    left: Left = field(default_factory=dict)


NO_FILES: Final = LocalFiles()


class Service:
    """One server over one store, which stays the caller's to close, as do the spool and the providers (by model id).

    The providers and the key of fingerprints are for the gateway, where there is one.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        keys: TokenKeys,
        sources: Sources,
        log: FilteringBoundLogger,
        providers: Mapping[str, Provider] = NO_PROVIDERS,
        fingerprint_key: bytes = b"",
        connect: Connect | None = None,
        files: LocalFiles = NO_FILES,
        inherited: Inherited = ALONE,
    ) -> None:
        self._settings = settings
        self._inherited = inherited
        self._store = store
        self._log = log
        self._health = Health()
        self._takes_writes = self._answers = True
        self._wrote = False
        self._labels = {*settings.catalogue.categories}
        self._metrics = Metrics(self._labels)
        self._publisher = Publisher(store, settings, log, clock=sources.clock)
        namespaces = self._publisher.namespaces
        self._spooling, self._adoption = self._spools(files, sources)
        self._writer = Writer(self._spooling or store, namespaces, self._metrics, log, self._feedback_serves)
        self._decisions = DecisionLog(store, namespaces, self._metrics, log)
        archiving = Archiving(files.archive, self._metrics.export_failures, log)
        self._upkeep = Upkeep(store, self._decisions, settings, log, sources.clock, self._writer.recover, archiving)
        self._gateway: GatewayService | None = None
        self._callables = Callables(settings.gateway, providers, connect)
        self.registry = LiveRegistry(
            store, settings, self._publisher, log, clock=sources.clock, hear=self._hear_of_registry
        )
        self._saving: Saving | None = None
        if files.saved is not None:
            self._saving = Saving(files.saved, namespaces, lambda: self.registry.present, log)
        self._opening = Opening(store, self.registry, self._publisher, files.saved, settings, log, sources.uniform)
        self.follower: Follower | None = None
        if isinstance(store, SharedStore) and settings.store.postgres is not None:
            self.follower = Follower(
                *(store, self._publisher, self.registry, self._metrics, log),
                sync_s=settings.store.postgres.sync_s,
                clock=sources.clock,
                uniform=sources.uniform,
                hear=self._hear_of_look,
            )
        self._handlers = self._assembled(keys, sources, fingerprint_key)
        self._metrics.watch(namespaces, sources.clock)
        self._server: grpc.aio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._reporting: asyncio.Task[None] | None = None
        self._stop_metrics: Callable[[], None] = _nothing

    def _spools(self, files: LocalFiles, sources: Sources) -> tuple[Spooling | None, Adoption]:
        """Return what brings feedback from this server's spool to the store, and what does from spools of nobody."""

        def spooling(spool: Spool, metrics: Metrics, log: FilteringBoundLogger) -> Spooling:
            told = sources.clock, sources.uniform, self._feedback_serves
            return Spooling(self._store, spool, self._publisher.namespaces, metrics, log, *told)

        # What waits is told of this server's own spool, what is lost of all.
        of_left = Metrics(set())
        of_left.spool_dropped = self._metrics.spool_dropped
        adoption = Adoption(files.left, lambda spool, log: spooling(spool, of_left, log), self._log)
        return (spooling(files.spool, self._metrics, self._log) if files.spool is not None else None), adoption

    def _assembled(
        self, keys: TokenKeys, sources: Sources, fingerprint_key: bytes
    ) -> tuple[grpc.GenericRpcHandler, ...]:
        settings, namespaces, clock = self._settings, self._publisher.namespaces, sources.clock
        max_age_s = settings.learning.max_feedback_age_s
        availability = Availability(sources.clock_s, sources.uniform, self._log)
        questions = Questions(namespaces, keys, max_age_s, availability.failing)
        router = Router(
            questions,
            keys,
            clock=clock,
            rng=sources.rng,
            nonce=sources.nonce,
        )
        learner = Learner(namespaces, keys, self._writer, max_age_s=max_age_s)
        routing = RoutingService(router, learner, self._decisions, self._metrics, clock)
        explanations = Explanations(self._store, self._decisions, questions, keys)
        admin = AdminService(Beliefs(namespaces, questions), explanations, clock)
        credentials = Credentials(settings.server.keys) if settings.server.keys else None
        edge = Edge(credentials, self._metrics, self._log, sources.incident)
        if settings.gateway.listen:
            # It needs a library that the service without it does not.
            from server.http.service import GatewayService

            base = Foundation(
                *(router, learner, self._decisions, availability, self._metrics, self._log),
                *(clock, sources.clock_s, sources.uniform),
            )
            self._gateway = GatewayService(
                *(settings, self._callables, routing.methods(), credentials, fingerprint_key, base, sources.incident),
                lambda namespace: namespaces[namespace].published.edition,
                self._inherited.gateway,
            )
        return (
            edge.handler(ROUTING_SERVICE, routing.methods()),
            edge.handler(ADMIN_SERVICE, [*admin.methods(), *RegistryService(self.registry).methods()]),
            self._health.handler(),
        )

    async def start(self) -> Addresses:
        """Load what was learned, or begin without it, then listen. Raises StartError, StoreError."""
        opened = await self._opening.begin()
        if opened and self.follower is not None:
            await self.follower.begin()
        if self._spooling is not None:
            await self._spooling.start()
        settings, inherited = self._settings.server, self._inherited
        server = grpc_server(shares_port=inherited.is_worker)
        server.add_generic_rpc_handlers(self._handlers)
        address, metrics_address = listen(server, settings.listen, settings.tls, shares_port=inherited.is_worker), ""
        if settings.metrics_listen:
            metrics_address, self._stop_metrics = serve_metrics(
                settings.metrics_listen, self._metrics.registry, inherited.metrics
            )
        self._begin("writer", self._writer.run, self._feedback_fails)
        if self._spooling is not None:
            self._begin("spooling", self._spooling.run)
            self._begin("adoption", self._adoption.run)
        if not opened:
            self._begin("opening", self._opening.run)
        if self.follower is not None:
            self._begin("follower", self.follower.run)
        if self._saving is not None:
            self._begin("saving", self._saving.run)
        self._begin("publisher", self._publisher.run)
        self._begin("decision_log", self._decisions.run)
        self._begin("upkeep", self._upkeep.run)
        await server.start()
        self._server = server
        gateway_address = await self._start_gateway()
        self._health.start()
        if not opened and self._spooling is None:
            self._feedback_serves(False)
        return Addresses(address, metrics_address, gateway_address)

    async def stop(self, hurry: asyncio.Event, *, is_replaced: bool = False) -> None:
        """Drain: tell health checks, let callers leave, finish what began, write what waits; `hurry` skips waiting.

        Who is replaced at the same address leaves at once: callers who come back find the other one there.
        """
        if is_replaced:
            await self._leave_metrics()
        self._health.stop()
        if self._gateway is not None:
            self._gateway.drain()
        if self._server is not None:
            if not is_replaced:
                with suppress(TimeoutError):
                    await asyncio.wait_for(hurry.wait(), self._settings.server.drain_s)
            stop = self._server.stop
            await asyncio.gather(_in_time(stop, self._settings.server.grace_s, hurry), self._stop_gateway(hurry))
        await self._stop_tasks()
        if self._saving is not None and self._server is not None:
            # A start that was given up has not read everything.
            await self._saving.save()
        await self._leave_metrics()

    async def _leave_metrics(self) -> None:
        """Serve no figures any more; it returns when their thread notices, which may take half a second."""
        stop, self._stop_metrics = self._stop_metrics, _nothing
        await asyncio.to_thread(stop)

    async def _start_gateway(self) -> str:
        if self._gateway is None:
            return ""
        self._reporting = asyncio.create_task(
            supervised("reporter", self._gateway.report, self._metrics, self._log), name="reporter"
        )
        return await self._gateway.start()

    async def _stop_gateway(self, hurry: asyncio.Event) -> None:
        """Let calls end, and what they report become feedback, before nothing is written any more."""
        if self._gateway is None:
            return
        await _in_time(self._gateway.stop, self._settings.server.grace_s, hurry)
        if self._reporting is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._reporting, FLUSH_S / 2)
        if lost := self._gateway.unreported:
            self._log.error("outcomes_lost", outcomes=lost)

    async def _stop_tasks(self) -> None:
        self._writer.close()
        self._decisions.close()
        for task in self._tasks:
            if task.get_name() in ENDLESS:
                task.cancel()
        if self._tasks:
            _, unfinished = await asyncio.wait(self._tasks, timeout=FLUSH_S / 2)
            for task in unfinished:
                self._log.error("unfinished", task=task.get_name())
                task.cancel()

    def _hear_of_registry(self, registry: Registry) -> None:
        """Make ready for what decisions may name next."""
        self._callables.hear(registry)
        self._labels |= {key.name for key in registry.entries if key.kind is EntryKind.CATEGORY}

    def _begin(
        self, name: str, work: Callable[[], Coroutine[Any, Any, None]], on_crash: Callable[[], None] = _nothing
    ) -> None:
        running = supervised(name, work, self._metrics, self._log, on_crash)
        self._tasks.append(asyncio.create_task(running, name=name))

    def _feedback_serves(self, serving: bool = True) -> None:
        self._takes_writes = serving
        if serving:
            self._answers = self._wrote = True
        self._upkeep.note_write(serving)
        self._show_store()

    def _hear_of_look(self, answers: bool) -> None:
        """Notice a store that is gone although nobody writes; what a write found, only a write takes back."""
        # A look may take too long for a store that takes every write.
        self._answers, self._wrote = answers or self._wrote, False
        self._show_store()

    def _show_store(self) -> None:
        takes_feedback = store_is_up = self._takes_writes and self._answers
        if self._spooling is not None:
            takes_feedback, store_is_up = self._takes_writes, self._spooling.store_is_up and self._answers
        self._health.set(FEEDBACK, serving=takes_feedback)
        self._metrics.store_up.set(store_is_up)

    def _feedback_fails(self) -> None:
        self._feedback_serves(False)


async def _in_time(stop: Callable[[float], Coroutine[Any, Any, None]], grace_s: float, hurry: asyncio.Event) -> None:
    """Stop something that waits for running calls, at once from when there is a hurry."""
    stopping = asyncio.create_task(stop(grace_s))
    hurrying = asyncio.create_task(hurry.wait())
    await asyncio.wait([stopping, hurrying], return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        await stop(0.0)
    hurrying.cancel()
    await stopping
