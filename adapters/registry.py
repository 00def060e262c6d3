"""What stores keep of the registry: entries as tables of the configuration say them, and who changed them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

from adapters.ledger import StoreError
from bandit.catalogue import Model, Prices

MANAGED_BY_API: Final = "api"
"""Value of `managed_by` for what somebody registered while a server ran."""

_PRICES: Final = ("input_usd_per_mtok", "output_usd_per_mtok")


class EntryKind(StrEnum):
    """What an entry is."""

    MODEL = "model"
    CATEGORY = "category"
    PROFILE = "profile"


class EntryKey(NamedTuple):
    """What names an entry. Only categories belong to a namespace; it is empty for the others."""

    kind: EntryKind
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A model, a category or a profile.

    `settings` holds what its table of the configuration would, without its name and what is equal to a default:
    JSON values. `version` counts its changes from 1.
    """

    key: EntryKey
    settings: Mapping[str, Any]
    managed_by: str
    version: int = 1

    def says_the_same(self, other: "Entry | None") -> bool:
        """Whether both have the same settings and the same owner."""
        return other is not None and (self.settings, self.managed_by) == (other.settings, other.managed_by)


@dataclass(frozen=True, slots=True)
class Registry:
    """All entries, and how many changes made them: equal versions of a store are equal registries."""

    version: int = 0
    entries: Mapping[EntryKey, Entry] = field(default_factory=dict)

    def of_kind(self, kind: EntryKind, namespace: str = "") -> list[Entry]:
        """Return the entries of a kind, sorted by name."""
        found = [entry for key, entry in self.entries.items() if (key.kind, key.namespace) == (kind, namespace)]
        return sorted(found, key=lambda entry: entry.key)

    def edited(self, edits: "Iterable[Edit]") -> "Registry":
        """Return the registry after edits."""
        entries, version = dict(self.entries), self.version
        for edit in edits:
            version += 1
            if edit.after is None:
                entries.pop(edit.key, None)
            else:
                entries[edit.key] = edit.after
        return Registry(version, entries)


class Edit(NamedTuple):
    """One change: an entry before it and after it; None where there is none."""

    before: Entry | None
    after: Entry | None

    @property
    def key(self) -> EntryKey:
        """What names the entry."""
        entry = self.after or self.before
        assert entry is not None  # noqa: S101 - an edit of nothing is none
        return entry.key


class Audited(NamedTuple):
    """An edit that was made: the version of the registry after it, when it was made, and by which client."""

    version: int
    time_us: int
    client: str
    key: EntryKey
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


class RegistryMovedError(StoreError):
    """Somebody else changed the registry since it was read; read it again."""


class EntryUnreadableError(StoreError):
    """An entry does not say what its kind has to: a newer version wrote it, or it is damaged."""


def model_of(entry: Entry) -> Model:
    """Return the model that an entry describes. Raises EntryUnreadableError for one without prices."""
    known = entry.settings
    return Model(
        id=entry.key.name,
        prices=_prices(entry),
        family=known.get("family") or entry.key.name,
        provider=known.get("provider", ""),
        region=known.get("region", ""),
        context_tokens=known.get("context_tokens"),
        max_output_tokens=known.get("max_output_tokens"),
        capabilities=frozenset(known.get("capabilities", ())),
        enabled=known.get("enabled", True),
        alias_of=known.get("alias_of", ""),
    )


def _prices(entry: Entry) -> Prices:
    try:
        dollars, cached = [entry.settings[name] for name in _PRICES], entry.settings.get("cached_input_usd_per_mtok")
    except (KeyError, TypeError):  # what is damaged need not even be a table
        dollars, cached = [None, None], None
    if not all(isinstance(price, int | float) for price in (*dollars, 0.0 if cached is None else cached)):
        raise EntryUnreadableError(
            f"the registry does not tell the prices of model {entry.key.name!r}: a newer version wrote the entry, or "
            "it is damaged; upgrade routeward, or replace or remove it"
        )
    return Prices(dollars[0], dollars[1], cached)
