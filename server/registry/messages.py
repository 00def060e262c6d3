"""Entries of the registry as messages, and back."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from google.protobuf.message import Message

from adapters.registry import Audited, Entry, EntryKey, EntryKind
from adapters.toml.table import Table
from routeward.v1 import registry_pb2 as pb
from server.credentials import Principal
from server.errors import InvalidFieldError, Violation
from server.registry.changes import Wish
from server.registry.tables import canonical, category_table, model_table, profile_table

MAX_PAGE: Final = 1000
USUAL_PAGE: Final = 100
NEWEST: Final = (1 << 63) - 1
OWN_FIELDS: Final = frozenset({"managed_by", "version"})
"""Fields that the server sets."""


class Shape(NamedTuple):
    """How the contract speaks of a kind of entries: its message, its name there, and what names one."""

    message: type[Message]
    field: str
    name_field: str
    table: Callable[[Entry], Table]


SHAPES: Final[Mapping[EntryKind, Shape]] = {
    EntryKind.MODEL: Shape(pb.Model, "model", "id", model_table),
    EntryKind.CATEGORY: Shape(pb.Category, "category", "name", category_table),
    EntryKind.PROFILE: Shape(pb.Profile, "profile", "name", profile_table),
}


def message_of(entry: Entry) -> Any:
    """Return an entry with everything that holds of it, defaults too."""
    shape = SHAPES[entry.key.kind]
    known = {name: value for name, value in shape.table(entry).model_dump(exclude={"id"}).items() if value is not None}
    named = {shape.name_field: entry.key.name}
    return shape.message(**named, **known, managed_by=entry.managed_by, version=entry.version)


def key_of(kind: EntryKind, name: str, caller: Principal) -> EntryKey:
    """Return what names an entry. Raises InvalidFieldError where no name is given."""
    if not name:
        raise InvalidFieldError([Violation(SHAPES[kind].name_field, "is required")])
    return EntryKey(kind, caller.namespace if kind is EntryKind.CATEGORY else "", name)


def upsert_of(kind: EntryKind, request: Any, caller: Principal) -> Wish:
    """Return what an upsert wishes. Raises InvalidFieldError."""
    shape = SHAPES[kind]
    message = getattr(request, shape.field)
    name = getattr(message, shape.name_field)
    if not name:
        raise InvalidFieldError([Violation(f"{shape.field}.{shape.name_field}", "is required")])
    key = key_of(kind, name, caller)
    return Wish(key, canonical(key, settings_of(message, shape)), _expected(request))


def removal_of(kind: EntryKind, request: Any, caller: Principal) -> Wish:
    """Return what a delete wishes. Raises InvalidFieldError."""
    return Wish(key_of(kind, getattr(request, SHAPES[kind].name_field), caller), None, _expected(request))


def page_of(request: pb.ListAuditRequest) -> tuple[int, int]:
    """Return before which version to begin, and how many edits to return. Raises InvalidFieldError."""
    violations = []
    size = request.page_size if request.HasField("page_size") else USUAL_PAGE
    if not 1 <= size <= MAX_PAGE:
        violations.append(Violation("page_size", f"is 1 to {MAX_PAGE}"))
    token = request.page_token
    if token and not (token.isascii() and token.isdigit() and len(token) < len(str(NEWEST))):
        violations.append(Violation("page_token", "is the next_page_token of an earlier answer, or empty"))
    if violations:
        raise InvalidFieldError(violations)
    return int(token or NEWEST), size


def audit_entry(edit: Audited) -> pb.AuditEntry:
    """Return an edit as a message."""
    action = "delete" if edit.after is None else "create" if edit.before is None else "update"
    entry = pb.AuditEntry(
        registry_version=edit.version,
        client=edit.client,
        namespace=edit.key.namespace,
        action=action,
        kind=str(edit.key.kind),
        name=edit.key.name,
        before_json=_json(edit.before),
        after_json=_json(edit.after),
    )
    entry.time.FromMicroseconds(edit.time_us)
    return entry


def settings_of(message: Message, shape: Shape) -> dict[str, Any]:
    """Return what a message says of an entry, as a table of the configuration would."""
    settings = {}
    for field, value in message.ListFields():
        if field.name not in OWN_FIELDS and field.name != shape.name_field:
            settings[field.name] = list(value) if field.name == "capabilities" else value
    return settings


def _expected(request: Any) -> int | None:
    if not request.HasField("expected_version"):
        return None
    if request.expected_version < 0:
        raise InvalidFieldError([Violation("expected_version", "is 0 or more")])
    return int(request.expected_version)


def _json(settings: Mapping[str, Any] | None) -> str:
    return "" if settings is None else json.dumps(settings, sort_keys=True, ensure_ascii=False)
