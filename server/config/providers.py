"""Which providers a document has: what its own tables say, and where they do not, the presets."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from adapters.providers.endpoint import Format
from adapters.providers.presets import PRESETS
from server.config.tables import Tables, entries_of, table_of, tables_of, text_in, text_of

NO_KEY: Final = "provider_key"
"""Why a model cannot be called: the key of its provider is not there."""
NO_PROVIDER: Final = "provider"
"""Why a model cannot be called: nobody said where its provider is."""


class Plan(NamedTuple):
    """A provider as a document and its preset say together; what is empty nobody says.

    `table` is its own one in the document, None where the preset says it all.
    """

    name: str
    format: str
    base_url: str
    key_env: str
    key_file: str
    table: Tables | None

    @property
    def is_placed(self) -> bool:
        """Whether it is known where it is and what it speaks."""
        return self.format in set(Format) and bool(self.base_url)

    @property
    def needs_key(self) -> bool:
        """Whether it can only be called with a key."""
        return bool(self.key_env or self.key_file)

    @property
    def key_place(self) -> str:
        """Where its key should come from, for advice; empty where it needs none."""
        return self.key_file or self.key_env


def plans_of(document: Tables) -> Mapping[str, Plan]:
    """Return the providers that a document has tables for, and those of presets that its models name."""
    tables = tables_of(document, "providers")
    named = {provider for _, _, provider in served_models(document)} & PRESETS.keys()
    names = [*tables, *sorted(named - tables.keys())]
    return {name: _plan(name, tables.get(name)) for name in names}


def is_listening(document: Tables) -> bool:
    """Tell whether a document asks for a gateway."""
    return bool(text_of(document, "gateway", "listen"))


def private_hosts_of(document: Tables) -> frozenset[str]:
    """Return the hosts that may be private."""
    hosts = table_of(document, "gateway").get("private_hosts")
    texts = [host for host in hosts if isinstance(host, str)] if isinstance(hosts, list) else []
    return frozenset(host.lower().strip("[]") for host in texts)


def served_models(document: Tables) -> Iterator[tuple[int, str, str]]:
    """Yield place, id and provider of each model."""
    for index, model in entries_of(document, "models"):
        yield index, text_in(model, "id"), text_in(model, "provider")


def _plan(name: str, table: Tables | None) -> Plan:
    preset, own = PRESETS.get(name), table or {}
    key_file = text_in(own, "key_file")
    variable = preset.key_variable if preset and not key_file else ""
    return Plan(
        name=name,
        format=text_in(own, "format") or (str(preset.format) if preset else ""),
        base_url=(text_in(own, "base_url") or (preset.base_url if preset else "")).rstrip("/"),
        key_env=text_in(own, "key_env", variable),
        key_file=key_file,
        table=table,
    )


def uncallable_of(document: Tables, plans: Mapping[str, Plan], usable: Mapping[str, object]) -> Mapping[str, str]:
    """Return why models cannot be called, by id; `usable` are the providers that can be."""
    reasons = {}
    for _, id_, provider in served_models(document):
        if provider not in usable:
            placed = provider in plans and plans[provider].is_placed
            reasons[id_] = NO_KEY if placed else NO_PROVIDER
    return reasons
