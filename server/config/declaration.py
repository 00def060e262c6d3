"""A file that declares models, categories and profiles for a server that runs: tables as in the configuration file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError

from adapters.registry import EntryKey, EntryKind
from adapters.toml.explain import findings_of
from adapters.toml.kinds import Name
from adapters.toml.problems import ConfigError
from adapters.toml.reading import located, parsed, read_text
from adapters.toml.reference import Reference
from adapters.toml.table import Table
from server.config.checks import twice_the_same
from server.config.schema import CategoryTable, ModelTable, ProfileTable


class Declaration(Table):
    """The whole file."""

    models: Annotated[list[ModelTable], Field(default_factory=list, max_length=64)]
    categories: dict[Name, CategoryTable] = Field(default_factory=dict, max_length=10_000)
    profiles: dict[Name, ProfileTable] = Field(default_factory=dict, max_length=1000)


REFERENCE: Final = Reference(Declaration)


def declared_in(path: Path, namespace: str = "") -> Mapping[EntryKey, Mapping[str, Any]]:
    """Return what a file declares, each as the file says it. Raises ConfigError with everything that is wrong."""
    text = read_text(path, absent="name a file with [[models]], [categories.NAME] or [profiles.NAME]")
    document = parsed(path, text, example="the configuration file")
    findings = list(twice_the_same(document, "models"))
    try:
        valid = Declaration.model_validate(document)
    except ValidationError as error:
        findings += findings_of(error, REFERENCE)
    if findings:
        raise ConfigError(path, located(path, text, findings, {}))
    return dict(_entries(valid, namespace))


def _entries(declaration: Declaration, namespace: str) -> Iterator[tuple[EntryKey, Mapping[str, Any]]]:
    for model in declaration.models:
        yield EntryKey(EntryKind.MODEL, "", model.id), model.model_dump(exclude_unset=True, exclude={"id"})
    for name, category in declaration.categories.items():
        yield EntryKey(EntryKind.CATEGORY, namespace, name), category.model_dump(exclude_unset=True)
    for name, profile in declaration.profiles.items():
        yield EntryKey(EntryKind.PROFILE, "", name), profile.model_dump(exclude_unset=True)
