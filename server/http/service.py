"""The HTTP edge over the call loop, from its start to its end."""

from collections.abc import Callable, Iterable
from socket import socket

from server.credentials import Credentials
from server.edge import Method
from server.editions import Edition
from server.gateway.assembly import Foundation, call_loop
from server.gateway.callables import Callables
from server.http.figures import HttpFigures
from server.http.offer import Offer
from server.http.routes import EdgeSources, Routes
from server.http.sockets import HttpEdge
from server.settings import Settings


class GatewayService:
    """Serves chats over HTTP. What it reports is recorded by `report`, which returns some time after `stop`."""

    def __init__(
        self,
        settings: Settings,
        callables: Callables,
        methods: Iterable[Method],
        credentials: Credentials | None,
        fingerprint_key: bytes,
        base: Foundation,
        incident: Callable[[], str],
        edition: Callable[[str], Edition],
        inherited: socket | None = None,
    ) -> None:
        self._loop = call_loop(settings, callables, base)
        routes = Routes(
            self._loop.gateway,
            methods,
            settings,
            fingerprint_key,
            credentials=credentials,
            figures=HttpFigures(base.metrics.registry),
            log=base.log,
            sources=EdgeSources(base.clock, incident),
            offer=Offer(edition, callables.owners),
        )
        self._edge = HttpEdge(routes, settings.gateway.listen, settings.server.tls, inherited=inherited)

    async def start(self) -> str:
        """Listen; return the address. Raises StartError."""
        return await self._edge.start()

    async def report(self) -> None:
        """Record outcomes until stopped."""
        await self._loop.reporter.run()

    @property
    def unreported(self) -> int:
        """How many outcomes are not recorded yet."""
        return self._loop.reporter.waiting

    def drain(self) -> None:
        """Tell health checks that other replicas should be asked; calls are still answered."""
        self._edge.drain()

    async def stop(self, grace_s: float) -> None:
        """Take no more calls, let running ones end for a while, and have the rest of the outcomes recorded."""
        await self._edge.stop(grace_s)
        await self._loop.probes.close()
        self._loop.reporter.close()
