"""The methods of the contract that show and change the registry: translation, and nothing else."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from adapters.registry import EntryKind
from routeward.v1 import registry_pb2 as pb
from server.credentials import Principal
from server.edge import Method
from server.errors import EntryUnreadableError
from server.registry.changes import Wish, unknown
from server.registry.live import LiveRegistry
from server.registry.messages import SHAPES, audit_entry, key_of, message_of, page_of, removal_of, upsert_of
from server.registry.readable import is_readable, readable

PLURALS: Final = {
    EntryKind.MODEL: ("Model", "Models", "models"),
    EntryKind.CATEGORY: ("Category", "Categories", "categories"),
    EntryKind.PROFILE: ("Profile", "Profiles", "profiles"),
}


class RegistryService:
    """Get, List, Upsert and Delete of models, categories and profiles, and ListAudit."""

    def __init__(self, registry: LiveRegistry) -> None:
        self._registry = registry

    def methods(self) -> tuple[Method, ...]:
        """Return what an edge serves."""
        methods = [Method("ListAudit", pb.ListAuditRequest, self.list_audit)]
        for kind, (one, many, _) in PLURALS.items():
            answers: dict[str, Callable[[EntryKind, Any, Principal], Awaitable[Any]]] = {
                f"Get{one}": self.get,
                f"List{many}": self.list_all,
                f"Upsert{one}": self.upsert,
                f"Delete{one}": self.delete,
            }
            methods += [
                Method(name, getattr(pb, f"{name}Request"), partial(answer, kind)) for name, answer in answers.items()
            ]
        return tuple(methods)

    async def get(self, kind: EntryKind, request: Any, caller: Principal) -> Any:
        """Return one entry."""
        key = key_of(kind, getattr(request, SHAPES[kind].name_field), caller)
        registry = await self._registry.read()
        found = registry.entries.get(key)
        if found is None:
            raise unknown(key, registry)
        if not is_readable(found):
            raise EntryUnreadableError(str(kind), key.name)
        return _response(f"Get{PLURALS[kind][0]}", **{SHAPES[kind].field: message_of(found)})

    async def list_all(self, kind: EntryKind, _: Any, caller: Principal) -> Any:
        """Return the entries of a kind, and the names of those that this version cannot read."""
        _, many, field = PLURALS[kind]
        registry, strange = readable(await self._registry.read())
        namespace = caller.namespace if kind is EntryKind.CATEGORY else ""
        found = [message_of(entry) for entry in registry.of_kind(kind, namespace)]
        unreadable = [key.name for key in strange if (key.kind, key.namespace) == (kind, namespace)]
        return _response(f"List{many}", **{field: found}, unreadable=unreadable, registry_version=registry.version)

    async def upsert(self, kind: EntryKind, request: Any, caller: Principal) -> Any:
        """Add an entry, or replace it."""
        return await self._change(f"Upsert{PLURALS[kind][0]}", upsert_of(kind, request, caller), request, caller)

    async def delete(self, kind: EntryKind, request: Any, caller: Principal) -> Any:
        """Remove an entry."""
        return await self._change(f"Delete{PLURALS[kind][0]}", removal_of(kind, request, caller), request, caller)

    async def list_audit(self, request: pb.ListAuditRequest, caller: Principal) -> pb.ListAuditResponse:
        """Return who changed what."""
        before, size = page_of(request)
        edits = await self._registry.audit(caller, before=before, count=size + 1)
        further = str(edits[size - 1].version) if len(edits) > size else ""
        return pb.ListAuditResponse(entries=[audit_entry(edit) for edit in edits[:size]], next_page_token=further)

    async def _change(self, method: str, wish: Wish, request: Any, caller: Principal) -> Any:
        changed = await self._registry.change(wish, caller, dry_run=request.dry_run)
        response = _response(method, registry_version=changed.version)
        # The change is made by now: what it replaced may be unreadable.
        if changed.before is not None and is_readable(changed.before):
            response.before.CopyFrom(message_of(changed.before))
        if changed.after is not None:
            getattr(response, SHAPES[wish.key.kind].field).CopyFrom(message_of(changed.after))
        return response


def _response(method: str, **fields: Any) -> Any:
    return getattr(pb, f"{method}Response")(**fields)
