"""What becomes of a wish to change an entry: an edit, nothing, or a refusal. All of it is pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from adapters.ledger import MANAGED_BY_FILE
from adapters.registry import MANAGED_BY_API, Edit, Entry, EntryKey, EntryKind, Registry
from server.errors import (
    CategoryUnknownError,
    ManagedByFileError,
    ModelUnknownError,
    ProfileUnknownError,
    ServiceError,
    VersionConflictError,
)


class Wish(NamedTuple):
    """What somebody wants of an entry: these settings, canonical, or None to remove it.

    `expected` is the version that he saw, 0 where he saw none; None does not care.
    """

    key: EntryKey
    settings: Mapping[str, Any] | None
    expected: int | None = None


def edits_for(registry: Registry, wish: Wish) -> list[Edit]:
    """Return the edit that fulfils a wish, none where there is nothing to do.

    Raises VersionConflictError, ManagedByFileError, and ModelUnknownError, CategoryUnknownError or ProfileUnknownError
    where nothing is there to be removed.
    """
    present = registry.entries.get(wish.key)
    version = present.version if present else 0
    if wish.expected is not None and wish.expected != version:
        raise VersionConflictError(wish.key.name, wish.expected, version)
    if present is None and wish.settings is None:
        raise unknown(wish.key, registry)
    if present is not None and present.managed_by == MANAGED_BY_FILE:
        if present.settings == wish.settings:
            return []
        raise ManagedByFileError(wish.key.name)
    return edit_to(registry, wish.key, wish.settings)


def edit_to(
    registry: Registry,
    key: EntryKey,
    settings: Mapping[str, Any] | None,
    managed_by: str = MANAGED_BY_API,
    *,
    after: Sequence[Edit] = (),
) -> list[Edit]:
    """Return the edit, behind those of `after`, that makes an entry say so; none where it does already.

    Its version is that of the registry after the edit, so that a name that returns never has a version twice.
    """
    present = registry.entries.get(key)
    if settings is None:
        return [Edit(present, None)] if present else []
    wanted = Entry(key, settings, managed_by, registry.version + len(after) + 1)
    return [] if wanted.says_the_same(present) else [Edit(present, wanted)]


def unknown(key: EntryKey, registry: Registry) -> ServiceError:
    """Return the error that there is no such entry."""
    known = [entry.key.name for entry in registry.of_kind(key.kind, key.namespace)]
    if key.kind is EntryKind.CATEGORY:
        return CategoryUnknownError(key.name, _FIELDS[key.kind])
    if key.kind is EntryKind.PROFILE:
        return ProfileUnknownError(key.name, known)
    return ModelUnknownError(key.name, known, _FIELDS[key.kind])


_FIELDS: Final = {EntryKind.MODEL: "id", EntryKind.CATEGORY: "name", EntryKind.PROFILE: "name"}
