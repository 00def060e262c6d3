"""Which models can be called, and by what; models come and go while calls are under way."""

from collections.abc import Callable, Mapping
from typing import Final

from adapters.ledger import MANAGED_BY_FILE
from adapters.providers.endpoint import Upstream
from adapters.registry import EntryKind, Registry
from server.config.providers import NO_PROVIDER
from server.ports import Provider
from server.settings import GatewaySettings

Connect = Callable[[Upstream], Provider]
"""Makes what calls a model of a provider of the configuration."""


class Callables:
    """Knows, by model id, what calls it (`providers`), whose it is (`owners`), and why it cannot be called.

    Nothing is forgotten: a call that was decided before a model left still reaches it.
    """

    def __init__(
        self, settings: GatewaySettings, providers: Mapping[str, Provider], connect: Connect | None = None
    ) -> None:
        self._endpoints = settings.endpoints
        self._connect = connect
        self._upstreams = dict(settings.upstreams)
        self.providers: Final = dict(providers)
        self.owners: Final = {model: upstream.provider for model, upstream in settings.upstreams.items()}
        self.uncallable: Final = dict(settings.uncallable)

    def hear(self, registry: Registry) -> None:
        """Take in the models that somebody registered; those of the configuration file are known from the start."""
        for entry in registry.of_kind(EntryKind.MODEL):
            if entry.managed_by != MANAGED_BY_FILE:
                name, said = entry.key.name, entry.settings
                self._place(name, Upstream(said.get("provider", ""), said.get("upstream") or name))

    def _place(self, model: str, upstream: Upstream) -> None:
        if self._connect is None or upstream.provider not in self._endpoints:
            self.uncallable[model] = NO_PROVIDER
            return
        if self._upstreams.get(model) != upstream:
            self.providers[model] = self._connect(upstream)
            self._upstreams[model], self.owners[model] = upstream, upstream.provider
        self.uncallable.pop(model, None)
