"""What a namespace sees of the registry: the edition that its decisions are made from."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from adapters.registry import Entry, EntryKind, Registry, model_of
from bandit.catalogue import Model
from bandit.priors import InferenceSettings, ModelPrior
from bandit.request import Objective
from bandit.snapshot import PolicySettings
from server.config.build import digest_of, mode_of
from server.config.knowledge import prior_of
from server.config.schema import CategoryTable, ModelTable
from server.editions import Edition
from server.registry.tables import category_table, model_table, profile_table
from server.settings import Catalogue, CategorySettings, Settings

T = TypeVar("T")


def edition_of(settings: Settings, registry: Registry, namespace: str) -> Edition:
    """Return what a namespace chooses from: the entries of the registry, under the rest of the configuration.

    Where they say what the configuration file says, the edition has the digest of that file.
    """
    models = [model_table(entry) for entry in registry.of_kind(EntryKind.MODEL)]
    categories = {entry.key.name: category_table(entry) for entry in registry.of_kind(EntryKind.CATEGORY, namespace)}
    catalogue = _catalogue(settings.catalogue, registry, categories)
    learning = replace(
        settings.learning,
        inference=_inference(settings.learning.inference, models, categories),
        policy=_policy(settings.learning.policy, categories),
    )
    is_file = (catalogue, learning) == (settings.catalogue, settings.learning)
    return Edition(catalogue, learning, settings.digest if is_file else digest_of(learning, catalogue))


def _catalogue(configured: Catalogue, registry: Registry, categories: Mapping[str, CategoryTable]) -> Catalogue:
    profiles = {
        entry.key.name: Objective(**dict(profile_table(entry))) for entry in registry.of_kind(EntryKind.PROFILE)
    }
    return replace(
        configured,
        models=_ordered(configured.models, registry.of_kind(EntryKind.MODEL)),
        categories={
            name: CategorySettings(table.input_tokens, table.latency_probability) for name, table in categories.items()
        },
        profiles={**configured.profiles, **profiles},
    )


def _ordered(configured: Sequence[Model], entries: Sequence[Entry]) -> tuple[Model, ...]:
    """Return the models, those of the file in its order first."""
    places = {model.id: place for place, model in enumerate(configured)}
    return tuple(sorted(map(model_of, entries), key=lambda model: (places.get(model.id, len(places)), model.id)))


def _inference(
    configured: InferenceSettings, models: Sequence[ModelTable], categories: Mapping[str, CategoryTable]
) -> InferenceSettings:
    plain = ModelPrior()
    priors = {table.id: prior_of(table) for table in models}
    sources = {name: table.quality_source for name, table in categories.items()}
    usual = configured.quality_sources.get("default", "thumb")
    return replace(
        configured,
        models=_merged(
            configured.models,
            priors,
            {id_: replace(plain, quality_weight=prior.quality_weight) for id_, prior in priors.items()},
        ),
        quality_sources=_merged(configured.quality_sources, sources, dict.fromkeys(sources, usual)),
        prior_from=_merged(
            configured.prior_from,
            {name: table.prior_from for name, table in categories.items()},
            dict.fromkeys(categories, ""),
        ),
    )


def _policy(configured: PolicySettings, categories: Mapping[str, CategoryTable]) -> PolicySettings:
    modes = {name: mode_of(table) for name, table in categories.items()}
    usual = {name: configured.mode("default") for name in modes}
    return replace(configured, modes=_merged(configured.modes, modes, usual))


def _merged(configured: Mapping[str, T], registered: Mapping[str, T], usual: Mapping[str, T]) -> dict[str, T]:
    """Return what is configured, with what is registered instead; what is as usual anyway need not be named."""
    merged = dict(configured)
    for name, value in registered.items():
        if value != merged.get(name, usual[name]):
            merged[name] = value
    return merged
