"""Models, categories and profiles, with who manages them and who changed them."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from sqlalchemy import Connection, Row, String, delete, insert, select, type_coerce, update

from adapters.ledger import MANAGED_BY_FILE, StoreError
from adapters.registry import (
    Audited,
    Edit,
    Entry,
    EntryKey,
    EntryKind,
    EntryUnreadableError,
    Registry,
    RegistryMovedError,
    model_of,
)
from adapters.sql import marks
from adapters.sql.marks import REGISTRY, mark
from adapters.sql.schema import audit, categories, meta, registry
from adapters.sql.statements import insert_or_keep, insert_or_replace, insert_rows
from bandit.catalogue import Model

_KINDS: Final = tuple(map(str, EntryKind))
"""A newer version, which runs beside this one, may have others."""


def add_categories(connection: Connection, namespace: str, names: Sequence[str], *, managed_by: str) -> None:
    """Remember categories; only the file takes over known ones."""
    statement = insert_or_replace if managed_by == MANAGED_BY_FILE else insert_or_keep
    insert_rows(connection, categories, statement, [(namespace, name, managed_by) for name in names])


def read(connection: Connection) -> Registry:
    """Return every entry of a kind that is known here, and the version that they are of.

    Raises StoreError where what one says is no JSON, which SQLite does not check.
    """
    known = registry.c.kind.in_(_KINDS)
    try:
        rows = connection.execute(select(registry).where(known)).all()
    except ValueError as error:
        raise StoreError(
            f"the registry is damaged: the settings of {_unparsed(connection)} are no JSON; restore a backup, or mend "
            "that row of the table registry"
        ) from error
    entries = map(_entry, rows)
    return Registry(mark(connection, REGISTRY), {entry.key: entry for entry in entries})


def edit(connection: Connection, seen: int, edits: Sequence[Edit], *, time_us: int, client: str) -> None:
    """Make edits that were thought of at version `seen`. Raises RegistryMovedError where that is another by now."""
    counter = update(meta).where(meta.c.name == REGISTRY, meta.c.value == seen)
    if not connection.execute(counter.values(value=seen + len(edits))).rowcount:
        raise RegistryMovedError(f"the registry is no longer at version {seen}")
    for version, one in enumerate(edits, start=seen + 1):
        _put(connection, one)
        connection.execute(insert(audit), _audit_row(one, version, time_us, client))


def note_removal(connection: Connection, namespace: str, *, time_us: int) -> None:
    """Count the entries of a namespace that is about to be removed, and note their names, but not what they said."""
    # Whoever edits the registry has to wait from here on.
    marks.count(connection, REGISTRY, 0)
    named = select(registry.c.kind, registry.c.name).where(registry.c.namespace == namespace)
    last, entries = mark(connection, REGISTRY), sorted(map(tuple, connection.execute(named)))
    for version, (kind, name) in enumerate(entries, start=last + 1):
        removed = {"version": version, "time_us": time_us, "client": "", "namespace": namespace}
        connection.execute(insert(audit), {**removed, "kind": kind, "name": name, "before": None, "after": None})
    marks.count(connection, REGISTRY, len(entries))


def audited(connection: Connection, namespace: str, *, before: int, count: int) -> Sequence[Audited]:
    """Return up to so many edits before a version, newest first: those of a namespace, and those of all."""
    whose = audit.c.namespace.in_(["", namespace]) & audit.c.kind.in_(_KINDS)
    newest = select(audit).where(audit.c.version < before, whose).order_by(audit.c.version.desc()).limit(count)
    return tuple(
        Audited(row.version, row.time_us, row.client, _key(row), row.before, row.after)
        for row in connection.execute(newest)
    )


def all_models(connection: Connection) -> Sequence[Model]:
    """Return every model of the registry whose prices can be read, sorted by id."""
    models = []
    for entry in read(connection).of_kind(EntryKind.MODEL):
        # Its prices are as unknown as those of a model that is gone.
        with suppress(EntryUnreadableError):
            models.append(model_of(entry))
    return tuple(models)


def _put(connection: Connection, one: Edit) -> None:
    kind, namespace, name = one.key
    place = registry.c.namespace == namespace, registry.c.kind == kind, registry.c.name == name
    connection.execute(delete(registry).where(*place))
    if one.after is None:
        return
    connection.execute(insert(registry), _row(one.after))
    if kind is EntryKind.CATEGORY:
        add_categories(connection, namespace, [name], managed_by=one.after.managed_by)


def _row(entry: Entry) -> Mapping[str, Any]:
    kind, namespace, name = entry.key
    return {
        "namespace": namespace,
        "kind": str(kind),
        "name": name,
        "settings": dict(entry.settings),
        "managed_by": entry.managed_by,
        "version": entry.version,
    }


def _audit_row(one: Edit, version: int, time_us: int, client: str) -> Mapping[str, Any]:
    kind, namespace, name = one.key
    return {
        "version": version,
        "time_us": time_us,
        "client": client,
        "namespace": namespace,
        "kind": str(kind),
        "name": name,
        "before": None if one.before is None else dict(one.before.settings),
        "after": None if one.after is None else dict(one.after.settings),
    }


def _unparsed(connection: Connection) -> str:
    """Return which entry is damaged."""
    settings = type_coerce(registry.c.settings, String)
    for kind, name, text in connection.execute(select(registry.c.kind, registry.c.name, settings)):
        try:
            # SQLite takes what looks like a number for one.
            json.loads(text if isinstance(text, bytes) else str(text))
        except ValueError:
            return f"{kind} {name}"
    return "an entry"


def _entry(row: Row[Any]) -> Entry:
    return Entry(_key(row), row.settings, row.managed_by, row.version)


def _key(row: Row[Any]) -> EntryKey:
    return EntryKey(EntryKind(row.kind), row.namespace, row.name)
