"""`routeward apply`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from routeward.cli.connection import Server
from routeward.cli.options import (
    DEFAULT_TARGET,
    DEFAULT_TIMEOUT_S,
    ApiKey,
    Insecure,
    Json,
    RootCertificates,
    Target,
    Timeout,
)
from routeward.cli.output import CommandError, show
from routeward.cli.service import invalid
from routeward.errors import RoutewardError

if TYPE_CHECKING:
    from adapters.registry import Entry, EntryKey
    from server.registry.plan import Step

SIGNS: Final = {"create": "+", "update": "~", "delete": "-"}
STORE_UNAVAILABLE: Final = "STORE_UNAVAILABLE"
OUTAGE: Final = "the store of the server does not answer; run apply again once it does"
UNCHECKED: Final = "whether the entries fit together is checked only when they are applied"


def apply(
    file: Annotated[
        Path, typer.Option("--file", "-f", metavar="FILE", help="TOML file that declares what there should be.")
    ],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", metavar="", help="Only show what would change.")] = False,
    prune: Annotated[
        bool, typer.Option("--prune", metavar="", help="Remove what was registered and is not in the file.")
    ] = False,
    target: Target = DEFAULT_TARGET,
    api_key: ApiKey = "",
    insecure: Insecure = False,
    root_certificates: RootCertificates = None,
    timeout: Timeout = DEFAULT_TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Make models, categories and profiles of a running server what a file declares, and show what changed."""
    from server.registry.plan import plan

    declared = _declared(file)
    server = Server(target, api_key, insecure, root_certificates, timeout)
    with _told_of_outage():
        present, unreadable = _present(server)
    _require_readable(declared, unreadable)
    steps = plan(present, declared, prune=prune)
    _require_free(steps)
    if not dry_run:
        _take(server, steps)
    document: dict[str, Any] = {"dry_run": dry_run, "changes": [_described(step) for step in steps]}
    if dry_run:
        document["rules_between_entries_checked"] = not steps
    show(document, lambda: "\n".join(_lines(steps, dry_run=dry_run)), as_json=as_json)


def _declared(file: Path) -> "Mapping[EntryKey, Mapping[str, Any]]":
    from adapters.toml.problems import ConfigError
    from server.config.declaration import declared_in

    try:
        return declared_in(file)
    except ConfigError as error:
        raise invalid(error, str(file)) from error


def _present(server: Server) -> "tuple[Mapping[EntryKey, Entry], Sequence[EntryKey]]":
    """Return what is registered, with canonical settings, and what of it the server cannot read.

    Categories are those of the key's namespace.
    """
    from adapters.registry import Entry, EntryKey, EntryKind
    from routeward.v1 import registry_pb2 as pb
    from server.registry.messages import SHAPES, settings_of
    from server.registry.tables import canonical

    with server.admin() as (stub, how):
        models = stub.ListModels(pb.ListModelsRequest(), **how)
        categories = stub.ListCategories(pb.ListCategoriesRequest(), **how)
        profiles = stub.ListProfiles(pb.ListProfilesRequest(), **how)
    listed: dict[EntryKind, tuple[Sequence[Any], Sequence[str]]] = {
        EntryKind.MODEL: (models.models, models.unreadable),
        EntryKind.CATEGORY: (categories.categories, categories.unreadable),
        EntryKind.PROFILE: (profiles.profiles, profiles.unreadable),
    }
    present, unreadable = {}, []
    for kind, (messages, names) in listed.items():
        unreadable += [EntryKey(kind, "", name) for name in names]
        for message in messages:
            key = EntryKey(kind, "", getattr(message, SHAPES[kind].name_field))
            settings = canonical(key, settings_of(message, SHAPES[kind]))
            present[key] = Entry(key, settings, message.managed_by, message.version)
    return present, unreadable


def _require_readable(declared: "Mapping[EntryKey, Any]", unreadable: "Sequence[EntryKey]") -> None:
    """Refuse, before anything is changed, to write over what nobody could compare with the file."""
    if strange := [key for key in unreadable if key in declared]:
        names = ", ".join(f"{key.kind} {key.name}" for key in strange)
        message = (
            f"the server cannot read what is registered of {names}: a newer version wrote it, or it is damaged; "
            "upgrade the server, or remove it, then apply again; nothing was changed"
        )
        raise CommandError("REGISTRY_ENTRY_UNREADABLE", message)


def _require_free(steps: "Sequence[Step]") -> None:
    """Refuse, before anything is changed, what the server's own file owns."""
    if owned := [step for step in steps if step.is_refused]:
        names = ", ".join(f"{step.key.kind} {step.key.name}" for step in owned)
        message = f"the configuration file of the server names {names}; change that there, nothing was changed here"
        details = {"changes": [_described(step) for step in owned]}
        raise CommandError("MANAGED_BY_FILE", message, details=details)


def _take(server: Server, steps: "Sequence[Step]") -> None:
    """Make the changes one by one, each only where nobody else has changed the entry meanwhile."""
    if not steps:
        return
    with server.admin() as (stub, how):
        for number, step in enumerate(steps):
            try:
                _call(stub, how, step)
            except Exception as error:
                refusal = _refusal(error)
                if refusal is None:
                    raise
                said = OUTAGE if refusal.reason == STORE_UNAVAILABLE else refusal
                message = f"{step.key.kind} {step.key.name}: {said} ({number} of {len(steps)} changes were made)"
                details = {"changes": [_described(one) for one in steps[:number]]}
                raise CommandError(refusal.reason or "REFUSED", message, details=details) from error


@contextmanager
def _told_of_outage() -> Iterator[None]:
    """Say what a person can do; what the server advises is for programs that send versions."""
    try:
        yield
    except RoutewardError as error:
        if error.reason != STORE_UNAVAILABLE:
            raise
        raise CommandError(STORE_UNAVAILABLE, OUTAGE) from error


def _call(stub: Any, how: Mapping[str, Any], step: "Step") -> None:
    from routeward.v1 import registry_pb2 as pb
    from server.registry.messages import SHAPES

    shape, version = SHAPES[step.key.kind], step.present.version if step.present else 0
    method = ("Delete" if step.wanted is None else "Upsert") + shape.message.DESCRIPTOR.name
    fields: dict[str, Any] = {"expected_version": version}
    if step.wanted is None:
        fields[shape.name_field] = step.key.name
    else:
        fields[shape.field] = shape.message(**{shape.name_field: step.key.name}, **step.wanted)
    getattr(stub, method)(getattr(pb, f"{method}Request")(**fields), **how)


def _refusal(error: Exception) -> RoutewardError | None:
    import grpc

    from routeward.error_details import error_of_status

    if not isinstance(error, grpc.RpcError):
        return None
    trailers = [(datum.key, datum.value) for datum in error.trailing_metadata() or ()]
    refusal = error_of_status(error.code(), error.details() or "", trailers)
    return refusal if refusal.reason else None


def _described(step: "Step") -> dict[str, Any]:
    fields = {name: {"before": before, "after": after} for name, (before, after) in step.fields.items()}
    return {"action": step.action, "kind": str(step.key.kind), "name": step.key.name, "fields": fields}


def _lines(steps: "Sequence[Step]", *, dry_run: bool) -> Iterator[str]:
    if not steps:
        yield "nothing to do"
        return
    for step in steps:
        yield f"{SIGNS[step.action]} {step.key.kind} {step.key.name}"
        if step.wanted is not None:
            yield from (f"    {name}: {_change(step, was, now)}" for name, (was, now) in step.fields.items())
    one = "1 change" if len(steps) == 1 else f"{len(steps)} changes"
    yield f"{one} would be made; {UNCHECKED}" if dry_run else f"{one} made"


def _change(step: "Step", was: Any, now: Any) -> str:
    return _shown(now) if step.action == "create" else f"{_shown(was)} -> {_shown(now)}"


def _shown(value: Any) -> str:
    return "default" if value is None else str(value)
