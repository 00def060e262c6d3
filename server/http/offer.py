"""What callers over HTTP can ask for just now."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from server.editions import Edition
from server.settings import Settings


@dataclass(frozen=True, slots=True)
class Offer:
    """The edition that a namespace decides by, and the provider of each model that can be called, by its id."""

    edition: Callable[[str], Edition]
    owners: Mapping[str, str]

    @classmethod
    def of(cls, settings: Settings) -> "Offer":
        """Return what the configuration file offers, for all namespaces."""
        edition = Edition.of(settings)
        return cls(lambda _: edition, {id_: upstream.provider for id_, upstream in settings.gateway.upstreams.items()})
