"""What this version can read of a registry: a newer one, which runs beside it, may have written what it cannot.

What cannot be read is left out: such a model is not chosen, such a category or profile is as if nobody had named it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from pydantic import ValidationError

from adapters.registry import Entry, EntryKey, EntryKind, Registry
from adapters.toml.table import Table
from server.registry.tables import category_table, model_table, profile_table

_TABLES: Final[Mapping[EntryKind, Callable[[Entry], Table]]] = {
    EntryKind.MODEL: model_table,
    EntryKind.CATEGORY: category_table,
    EntryKind.PROFILE: profile_table,
}


def readable(registry: Registry) -> tuple[Registry, Sequence[EntryKey]]:
    """Return a registry, of the same version, without the entries that cannot be read, and the keys of those."""
    strange = sorted(key for key, entry in registry.entries.items() if not is_readable(entry))
    if not strange:
        return registry, ()
    known = {key: entry for key, entry in registry.entries.items() if key not in strange}
    return Registry(registry.version, known), strange


def is_readable(entry: Entry) -> bool:
    """Tell whether this version can read an entry."""
    try:
        _TABLES[entry.key.kind](entry)
    except (AttributeError, ValidationError):  # what is damaged need not even be a table
        return False
    return True
