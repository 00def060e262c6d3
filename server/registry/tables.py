"""What an entry may say: the same tables, keys, ranges and defaults as in the configuration file."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from adapters.registry import Entry, EntryKey, EntryKind
from adapters.toml.explain import findings_of
from adapters.toml.table import Table
from server.config.reference import REFERENCE
from server.config.schema import CategoryTable, Document, ModelTable, ProfileTable
from server.errors import InvalidFieldError, Violation

Settings = Mapping[str, Any]

_ANY_MODEL: Final = {"id": "any", "input_usd_per_mtok": 0.0, "output_usd_per_mtok": 0.0}


def canonical(key: EntryKey, settings: Settings) -> dict[str, Any]:
    """Return settings without what is equal to a default; equal meanings have equal settings.

    Raises InvalidFieldError, whose fields are the paths in the request.
    """
    try:
        document = Document.model_validate(_alone(key, settings))
    except ValidationError as error:
        raise InvalidFieldError(_violations(key, error)) from error
    [table] = [*document.categories.values(), *document.profiles.values()] or document.models
    known = table.model_dump(exclude_defaults=True, exclude={"id"})
    if known.get("family") == key.name:
        del known["family"]
    if "capabilities" in known:
        known["capabilities"] = sorted(set(known["capabilities"]))
    return known


def model_table(entry: Entry) -> ModelTable:
    """Return a model as the configuration would name it."""
    return ModelTable.model_validate({"id": entry.key.name, **_known(entry, ModelTable)})


def category_table(entry: Entry) -> CategoryTable:
    """Return a category as the configuration would name it."""
    return CategoryTable.model_validate(_known(entry, CategoryTable))


def profile_table(entry: Entry) -> ProfileTable:
    """Return a profile as the configuration would name it."""
    return ProfileTable.model_validate(_known(entry, ProfileTable))


def _known(entry: Entry, table: type[Table]) -> Settings:
    """Return what this version knows of an entry: a newer one, which runs beside it, may have said more."""
    return {name: value for name, value in entry.settings.items() if name in table.model_fields}


def _alone(key: EntryKey, settings: Settings) -> dict[str, Any]:
    if key.kind is EntryKind.MODEL:
        return {"models": [{"id": key.name, **settings}]}
    table = "categories" if key.kind is EntryKind.CATEGORY else "profiles"
    return {"models": [_ANY_MODEL], table: {key.name: dict(settings)}}


def _violations(key: EntryKey, error: ValidationError) -> list[Violation]:
    found = []
    for finding in findings_of(error, REFERENCE):
        # Of ("models", 0, "id") or ("categories", NAME, "mode") what stands in the message.
        inner = [str(part) for part in finding.path[2:]] or ["id" if key.kind is EntryKind.MODEL else "name"]
        found.append(Violation(".".join([str(key.kind), *inner]), f"{finding.message}; {finding.hint}"))
    return found
