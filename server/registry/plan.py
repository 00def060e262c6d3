"""What has to change in a registry for it to say what a file declares."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from adapters.ledger import MANAGED_BY_FILE
from adapters.registry import MANAGED_BY_API, Entry, EntryKey, EntryKind
from server.registry.tables import canonical

Declared = Mapping[EntryKey, Mapping[str, Any]]


class Step(NamedTuple):
    """One change: what is there, None for nothing, and what it shall say, None for nothing."""

    key: EntryKey
    present: Entry | None
    wanted: Mapping[str, Any] | None

    @property
    def action(self) -> str:
        """What is done: "create", "update" or "delete"."""
        return "create" if self.present is None else "delete" if self.wanted is None else "update"

    @property
    def is_refused(self) -> bool:
        """Whether the configuration file of the server owns what is there."""
        return self.present is not None and self.present.managed_by == MANAGED_BY_FILE

    @property
    def fields(self) -> Mapping[str, tuple[Any, Any]]:
        """What each field that changes says before and after; None where it has its default."""
        before, after = (self.present.settings if self.present else {}), self.wanted or {}
        names = sorted({*before, *after})
        return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


def plan(present: Mapping[EntryKey, Entry], declared: Declared, *, prune: bool) -> list[Step]:
    """Return the changes, in an order in which nothing refers to what is not there.

    `present` holds canonical settings. `prune` also removes what others registered and the file does not declare; what
    the configuration file owns, and categories that only requests made, are left alone.
    """
    steps = list(_declared(present, declared))
    if prune:
        for key, entry in present.items():
            if key not in declared and entry.managed_by == MANAGED_BY_API:
                steps.append(Step(key, entry, None))
    return sorted(steps, key=_order)


def _declared(present: Mapping[EntryKey, Entry], declared: Declared) -> Iterator[Step]:
    for key, said in declared.items():
        step = Step(key, present.get(key), canonical(key, said))
        if step.present is None or step.fields:
            yield step


_RANKS: Sequence[tuple[EntryKind, bool]] = (
    (EntryKind.MODEL, True),
    (EntryKind.PROFILE, True),
    (EntryKind.CATEGORY, True),
    (EntryKind.CATEGORY, False),
    (EntryKind.PROFILE, False),
    (EntryKind.MODEL, False),
)


def _order(step: Step) -> tuple[int, EntryKey]:
    """Models come first and leave last: categories refer to them."""
    stays = step.wanted is not None and step.wanted.get("enabled", True)
    return _RANKS.index((step.key.kind, bool(stays))), step.key
